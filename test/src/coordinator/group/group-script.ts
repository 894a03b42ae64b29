/** A group machine driven by the lines of a transcript; see `help` for the commands. */
import assert from 'node:assert/strict'
import { ErrorCode, errorName } from '#protocol/errors.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { GroupCommand, GroupReply } from '#src/coordinator/group/group-commands.js'
import type { GroupConfig } from '#src/coordinator/group/group-config.js'
import { GroupMachine } from '#src/coordinator/group/group-machine.js'
import type { GroupEffect } from '#src/coordinator/group/group-turn.js'
import { decodeGroupRecord, type GroupRecord } from '#src/coordinator/group/records.js'
import { StateBudget } from '#src/coordinator/state-budget.js'
import type { Run } from '../../../support/transcript.js'

const WALL_START = 1_700_000_000_000

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Words = ReadonlyMap<string, string>

/** The subscription of a consumer to topics, as clients write it. */
export function subscription(...topics: string[]): Buffer {
  const parts = topics.map(topic => {
    const bytes = Buffer.alloc(2 + topic.length)
    bytes.writeInt16BE(topic.length)
    bytes.write(topic, 2)
    return bytes
  })
  const head = Buffer.alloc(6)
  head.writeInt32BE(topics.length, 2)
  return Buffer.concat([head, ...parts, Buffer.from([255, 255, 255, 255])])
}

/** Begins a script: each call runs one line. */
export function groupScript(): Run {
  const script = new GroupScript()
  return command => script.run(command)
}

class GroupScript {
  readonly #config: Writable<GroupConfig> = {
    sessionTimeoutMsMin: 6000,
    sessionTimeoutMsMax: 1_800_000,
    initialRebalanceDelayMs: 3000,
    membersMax: 1000,
    offsetMetadataBytesMax: 20,
    offsetsRetentionMs: 86_400_000,
    offsetsRetentionCheckIntervalMs: 600_000,
  }
  readonly #limits = { batchBytesMax: 1_048_588 }
  #budget = new StateBudget(100_000_000)
  #machine!: GroupMachine
  #now = 0
  #ticket = 0
  #ids = 0
  #showsLog = false
  #log: { readonly record: GroupRecord; readonly producerId: number }[] = []
  #lines: string[] = []

  constructor() {
    this.#start()
  }

  run(line: string): readonly string[] {
    this.#lines = []
    const [verb = '', ...rest] = line.split(' ')
    const words = new Map<string, string>()
    const plain: string[] = []
    for (const word of rest.filter(each => each !== '')) {
      const at = word.indexOf('=')
      if (at === -1) plain.push(word)
      else words.set(word.slice(0, at), word.slice(at + 1))
    }
    this.#dispatch(verb, plain, words)
    return this.#lines
  }

  #dispatch(verb: string, plain: readonly string[], words: Words): void {
    switch (verb) {
      case 'config':
        for (const [name, value] of words) {
          if (name === 'batchBytesMax') this.#limits.batchBytesMax = Number(value)
          else if (name === 'stateBytesMax') this.#start(new StateBudget(Number(value)))
          else if (name === 'log') this.#showsLog = value === 'on'
          else this.#config[name as keyof GroupConfig] = Number(value)
        }
        break
      case 'advance':
        this.#advance(Number(plain[0]))
        break
      case 'reload':
        this.#start()
        break
      case 'record':
        this.#addRecord(plain, words)
        break
      case 'marker':
        this.#machine.replayMarker(Number(words.get('producer')), plain[0] === 'commit')
        break
      case 'state':
        this.#state(plain[0] ?? '')
        break
      default:
        this.#command(commandOf(verb, plain, words, name => `${name}-${++this.#ids}`))
    }
  }

  /** A machine that has replayed the log. */
  #start(budget = new StateBudget(this.#budget.bytesMax)): void {
    this.#budget = budget
    this.#machine = new GroupMachine(this.#config, this.#limits, this.#budget.open())
    for (const [offset, { record, producerId }] of this.#log.entries()) {
      const read = decodeGroupRecord(record.key, record.value)
      if (read !== null) this.#machine.replay(read, { offset, producerId })
    }
    this.#apply(this.#machine.step({ type: 'loaded', wallTimeMs: WALL_START + this.#now }, this.#now))
  }

  #command(command: GroupCommand): void {
    const ticket = ++this.#ticket
    this.#apply(this.#machine.step({ type: 'command', ticket, command, wallTimeMs: WALL_START + this.#now }, this.#now))
  }

  #advance(ms: number): void {
    const end = this.#now + ms
    while (this.#machine.deadline <= end) {
      this.#now = Math.max(this.#now, this.#machine.deadline)
      const before = this.#lines.length
      this.#apply(this.#machine.step({ type: 'tick', wallTimeMs: WALL_START + this.#now }, this.#now))
      if (this.#lines.length > before) this.#lines.splice(before, 0, `at ${this.#now}`)
    }
    this.#now = end
  }

  #apply(effects: readonly GroupEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'append':
          for (const record of effect.records) this.#append(record, -1)
          break
        case 'reply':
          this.#lines.push(`#${effect.ticket} -> ${replyText(effect.reply)}`)
          break
        case 'refuse':
          this.#lines.push(`#${effect.ticket} refused: ${errorName(effect.error)}`)
          break
        case 'log':
          if (this.#showsLog) this.#lines.push(`${effect.level}: ${effect.message}`)
      }
    }
  }

  #append(record: GroupRecord, producerId: number): void {
    this.#lines.push(`append ${recordText(record)}`)
    this.#log.push({ record, producerId })
    this.#machine.replay(record, { offset: this.#log.length - 1, producerId })
  }

  /** Somebody else's records: `record other type=5 group=g`, `record offset group=g topic=t partition=0 offset=1 producer=7`. */
  #addRecord(plain: readonly string[], words: Words): void {
    const groupId = words.get('group') ?? ''
    const key = Buffer.alloc(4 + groupId.length + 2)
    key.writeInt16BE(Number(words.get('type') ?? 1))
    key.writeInt16BE(groupId.length, 2)
    key.write(groupId, 4)
    if (plain[0] === 'other') {
      const value = plain[1] === 'tombstone' ? null : Buffer.from([0, 0])
      const record = decodeGroupRecord(key, value)
      assert(record !== null)
      this.#append(record, -1)
      return
    }
    const topic = words.get('topic') ?? 't'
    const whole = Buffer.concat([
      key.subarray(0, 4 + groupId.length),
      named(topic),
      int32(Number(words.get('partition'))),
    ])
    const value = Buffer.concat([
      Buffer.from([0, 3]),
      int64(Number(words.get('offset'))),
      int32(-1),
      named('m'),
      int64(WALL_START + this.#now),
    ])
    this.#append(decodeGroupRecord(whole, value)!, Number(words.get('producer') ?? -1))
  }

  #state(groupId: string): void {
    const group = this.#machine.groups.get(groupId)
    if (group === undefined) {
      this.#lines.push('no such group')
      return
    }
    const { state, generationId, protocolType, protocolName, leaderId } = group
    this.#lines.push(
      `${state} generation=${generationId} type=${protocolType} protocol=${protocolName} leader=${leaderId}`,
    )
    for (const member of group.members.values()) {
      const waits = [member.joinTicket !== null ? 'join' : '', member.syncTicket !== null ? 'sync' : ''].filter(Boolean)
      const protocols = member.protocols.map(({ name }) => name).join('|')
      this.#lines.push(`  ${member.memberId} ${protocols} ${text(member.assignment)} ${waits.join(' ')}`.trimEnd())
    }
    if (group.pendingJoin.size > 0) this.#lines.push(`  pending ${[...group.pendingJoin.keys()].join(' ')}`)
  }
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}

function named(text: string): Buffer {
  const bytes = Buffer.alloc(2 + text.length)
  bytes.writeInt16BE(text.length)
  bytes.write(text, 2)
  return bytes
}

/** Bytes as text: printable ones as they are, others in hex; subscriptions by their topics. */
function text(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes)
  if (buffer.length === 0) return '-'
  return /^[ -~]*$/.test(buffer.toString('latin1')) ? `'${buffer.toString('latin1')}'` : `0x${buffer.toString('hex')}`
}

function recordText({ content, value }: GroupRecord): string {
  switch (content.type) {
    case 'offset': {
      const at = `offset ${content.groupId} ${content.topic}-${content.partition}`
      if (content.value === null) return `${at} tombstone`
      const { offset, expireTimestampMs, commitTimestampMs } = content.value
      const expires = expireTimestampMs === -1 ? '' : ` expires=+${expireTimestampMs - commitTimestampMs}`
      return `${at} ${offset}${expires} v${value![1]}`
    }
    case 'group': {
      if (content.value === null) return `group ${content.groupId} tombstone`
      const { protocolType, generation, protocol, leader, members } = content.value
      const list = members.map(({ memberId, assignment }) => `${memberId}:${text(assignment)}`).join(' ')
      const head = `group ${content.groupId} generation=${generation} type=${protocolType} protocol=${protocol}`
      return `${head} leader=${leader} [${list}] v${value![1]}`
    }
    case 'other':
      return `other ${content.groupType} ${content.groupId} type=${content.recordType}${content.isTombstone ? ' tombstone' : ''}`
  }
}

function replyText(reply: GroupReply): string {
  const code = 'errorCode' in reply ? errorName(reply.errorCode) : ''
  if ('generationId' in reply) {
    if (reply.errorCode !== ErrorCode.NONE && reply.generationId === -1) return `${code} member='${reply.memberId}'`
    const members = reply.members.map(({ memberId }) => memberId).join(' ')
    const skip = reply.skipAssignment ? ' skipAssignment' : ''
    const head = `join ${code} member='${reply.memberId}' generation=${reply.generationId} leader='${reply.leader}'`
    return `${head} ${reply.protocolType}/${reply.protocolName}${skip} [${members}]`
  }
  if ('assignment' in reply) {
    if (reply.errorCode !== ErrorCode.NONE) return `sync ${code}`
    return `sync ${text(reply.assignment)} ${reply.protocolType}/${reply.protocolName}`
  }
  if ('errorCode' in reply) return code
  if ('members' in reply) {
    const members = reply.members.map(
      ({ memberId, groupInstanceId, errorCode }) => `${memberId || groupInstanceId || "''"}:${errorName(errorCode)}`,
    )
    return `leave ${members.join(' ')}`
  }
  if ('results' in reply) {
    return reply.results.map(({ groupId, errorCode }) => `${groupId}:${errorName(errorCode)}`).join(' ')
  }
  if ('groups' in reply) return reply.groups.map(group => groupText(group)).join('; ')
  if ('topics' in reply) return reply.topics.map(topic => topicText(topic)).join(' ')
  return 'done'
}

function groupText(group: object): string {
  const { groupId, groupState, protocolType, groupType, missing, protocolData, members } = group as Record<
    string,
    unknown
  >
  if (groupType !== undefined) return `${groupId} ${groupState} ${protocolType || '-'} ${groupType}`
  const list = (members as { memberId: string; memberMetadata: Uint8Array; memberAssignment: Uint8Array }[]).map(
    ({ memberId, memberMetadata, memberAssignment }) => `${memberId}:${text(memberMetadata)}:${text(memberAssignment)}`,
  )
  const why = missing === null ? '' : ` "${missing}"`
  return `${groupId} ${groupState} ${protocolType || '-'}/${protocolData || '-'} [${list.join(' ')}]${why}`
}

function topicText(topic: { readonly name: string; readonly partitions: readonly object[] }): string {
  const partitions = topic.partitions.map(partition => {
    const { partitionIndex, errorCode, committedOffset, metadata } = partition as Record<string, number>
    const offset =
      committedOffset === undefined || errorCode !== 0 ? '' : `${committedOffset}${metadata ? `'${metadata}'` : ''}`
    return `${partitionIndex}:${errorCode === 0 ? offset || 'ok' : errorName(errorCode!)}`
  })
  return `${topic.name}[${partitions.join(' ')}]`
}

/**
 * join G as NAME [id=ID] [instance=I] [protocols=a:x|b:y] [topics=t1,t2] [type=T] [session=MS] [rebalance=MS] [v=N]
 * sync G id=ID generation=N [instance=I] [assign=ID:x|ID:y] [type=T] [name=P]
 * heartbeat G id=ID generation=N [instance=I]
 * leave G [ID]... [instance=I]
 * commit G topic-partition=offset... [id=ID] [generation=N] [instance=I] [metadata=M] [retention=MS] [v=N] [topicId=ID]
 * fetch G [topic-partition]... [stable=yes]
 * deleteOffsets G topic-partition...
 * describe G... | list [states=a,b] [types=a,b] | deleteGroups G... | topicsDeleted T...
 */
function commandOf(
  verb: string,
  plain: readonly string[],
  words: Words,
  newId: (name: string) => string,
): GroupCommand {
  const [groupId = ''] = plain
  const memberId = words.get('id') ?? ''
  const groupInstanceId = words.get('instance') ?? null
  const generationId = Number(words.get('generation') ?? -1)
  switch (verb) {
    case 'join':
      return joinOf(plain, words, newId)
    case 'sync': {
      const given = (words.get('assign') ?? '').split('|').filter(Boolean)
      const assignments = new Map(given.map(each => [each.split(':')[0]!, Buffer.from(each.split(':')[1] ?? '')]))
      const protocols = { protocolType: words.get('type') ?? null, protocolName: words.get('name') ?? null }
      return { type: 'sync', groupId, generationId, memberId, groupInstanceId, assignments, ...protocols }
    }
    case 'heartbeat':
      return { type: 'heartbeat', groupId, generationId, memberId, groupInstanceId }
    case 'leave': {
      const ids = plain.slice(1)
      const members = (ids.length > 0 ? ids : ['']).map(id => ({
        memberId: id,
        groupInstanceId,
        reason: 'not provided',
      }))
      return { type: 'leave', groupId, members }
    }
    case 'describe':
      return { type: 'describe', groupIds: plain }
    case 'list': {
      const set = (name: string) => new Set((words.get(name) ?? '').split(',').filter(Boolean))
      return { type: 'list', states: set('states'), types: set('types') }
    }
    case 'deleteGroups':
      return { type: 'deleteGroups', groupIds: plain }
    case 'topicsDeleted':
      return {
        type: 'topicsDeleted',
        topics: plain.map(name => ({ name, topicId: words.get('topicId') ?? ZERO_UUID })),
      }
    default:
      return offsetCommandOf(verb, plain, words)
  }
}

function joinOf(plain: readonly string[], words: Words, newId: (name: string) => string): GroupCommand {
  const [groupId = '', , name = ''] = plain
  const instance = words.get('instance') ?? null
  const metadata = subscription(...(words.get('topics') ?? 't').split(','))
  const given = (words.get('protocols') ?? 'range').split('|').filter(Boolean)
  const version = Number(words.get('v') ?? 5)
  return {
    type: 'join',
    groupId,
    memberId: words.get('id') ?? '',
    newMemberId: words.has('id') ? '' : newId(instance ?? name),
    groupInstanceId: instance,
    clientId: name,
    clientHost: '/127.0.0.1',
    sessionTimeoutMs: Number(words.get('session') ?? 10_000),
    rebalanceTimeoutMs: Number(words.get('rebalance') ?? 60_000),
    protocolType: words.get('type') ?? 'consumer',
    protocols: given.map(each => {
      const [protocol = '', bytes] = each.split(':')
      return { name: protocol, metadata: bytes === undefined ? metadata : Buffer.from(bytes) }
    }),
    reason: 'not provided',
    mustKnowMemberId: version >= 4,
    canSkipAssignment: version >= 9,
  }
}

function offsetCommandOf(verb: string, plain: readonly string[], words: Words): GroupCommand {
  const [groupId = ''] = plain
  const topicId = words.get('topicId') ?? ZERO_UUID
  const byTopic = new Map<string, number[]>()
  const offsets = [...words].filter(([name]) => /-\d+$/.test(name))
  for (const at of [...plain.slice(1), ...offsets.map(([name]) => name)]) {
    const [, name = '', partition = ''] = /^(.*)-(\d+)$/.exec(at) ?? []
    byTopic.set(name, [...(byTopic.get(name) ?? []), Number(partition)])
  }
  const topics = [...byTopic]
  if (verb === 'fetch') {
    const asked = topics.map(([name, partitionIndexes]) => ({ name, topicId, partitionIndexes }))
    return {
      type: 'fetch',
      groupId,
      topics: asked.length === 0 ? null : asked,
      requireStable: words.get('stable') === 'yes',
    }
  }
  if (verb === 'deleteOffsets') {
    return { type: 'deleteOffsets', groupId, topics: topics.map(([name, partitions]) => ({ name, partitions })) }
  }
  assert.equal(verb, 'commit', `no such command: ${verb}`)
  return {
    type: 'commit',
    groupId,
    memberId: words.get('id') ?? '',
    groupInstanceId: words.get('instance') ?? null,
    generationId: Number(words.get('generation') ?? -1),
    unknownGroupError: Number(words.get('v') ?? 9) >= 9 ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION,
    retentionTimeMs: Number(words.get('retention') ?? -1),
    topics: topics.map(([name, partitions]) => ({
      name,
      topicId,
      partitions: partitions.map(partitionIndex => ({
        partitionIndex,
        committedOffset: Number(words.get(`${name}-${partitionIndex}`)),
        committedLeaderEpoch: -1,
        committedMetadata: words.get('metadata') ?? null,
      })),
    })),
  }
}
