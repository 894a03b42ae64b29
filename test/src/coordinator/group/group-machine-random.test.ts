import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { GroupCommand, GroupReply, JoinReply, SyncReply } from '#src/coordinator/group/group-commands.js'
import { GroupMachine } from '#src/coordinator/group/group-machine.js'
import { groupBytes, memberBytes, pendingBytes } from '#src/coordinator/group/group-table.js'
import type { GroupEffect } from '#src/coordinator/group/group-turn.js'
import { offsetBytes } from '#src/coordinator/group/offset-store.js'
import { decodeGroupRecord, type GroupRecord } from '#src/coordinator/group/records.js'
import { StateBudget } from '#src/coordinator/state-budget.js'
import { SeededRandom, testSeed } from '../../../support/random.js'
import { subscription } from './group-script.js'

const CONFIG = {
  sessionTimeoutMsMin: 6000,
  sessionTimeoutMsMax: 1_800_000,
  initialRebalanceDelayMs: 500,
  membersMax: 5,
  offsetMetadataBytesMax: 100,
  offsetsRetentionMs: 3_600_000,
  offsetsRetentionCheckIntervalMs: 600_000,
}
const LIMITS = { batchBytesMax: 1_048_588 }
const GROUPS = ['g', 'h']
const PROTOCOLS = ['range', 'roundrobin', 'sticky']

/** A client that does what consumers do, and now and then what they should not. */
interface Client {
  readonly name: string
  readonly instance: string | null
  readonly groupId: string
  memberId: string
  generation: number
  phase: 'out' | 'joining' | 'joined' | 'syncing' | 'stable'
  members: readonly string[]
  isLeader: boolean
  mustAssign: boolean
}

/** What one generation of a group has been told to its members. */
interface Generation {
  readonly protocol: string
  readonly tokens: Map<string, string>
}

class World {
  readonly #random: SeededRandom
  readonly #clients: Client[]
  #budget = new StateBudget(1e9)
  machine: GroupMachine
  now = 0
  #ticket = 0
  readonly #open = new Map<number, { readonly command: GroupCommand; readonly client: Client | null }>()
  readonly log: GroupRecord[] = []
  readonly #generations = new Map<string, Generation>()
  answers = 0
  stableSyncs = 0

  constructor(random: SeededRandom) {
    this.#random = random
    this.#clients = Array.from({ length: 9 }, (_, index) => ({
      name: `c${index}`,
      instance: index % 3 === 0 ? `i${index}` : null,
      groupId: GROUPS[index % GROUPS.length]!,
      memberId: '',
      generation: -1,
      phase: 'out',
      members: [],
      isLeader: false,
      mustAssign: false,
    }))
    this.machine = this.#loaded()
  }

  #loaded(): GroupMachine {
    this.#budget = new StateBudget(1e9)
    const machine = new GroupMachine(CONFIG, LIMITS, this.#budget.open())
    replayInto(machine, this.log)
    this.machine = machine
    this.#apply(machine.step({ type: 'loaded', wallTimeMs: this.now }, this.now))
    return machine
  }

  /**
   * The coordinator moves: what waits is answered by nobody, and the log is all that is left. A generation that was not
   * complete is forgotten, and its number used again.
   */
  reload(): void {
    for (const client of this.#clients) if (client.phase !== 'stable') client.phase = 'out'
    this.#open.clear()
    this.#generations.clear()
    this.#loaded()
  }

  act(): void {
    const client = this.#random.pick(this.#clients)
    const dice = this.#random.below(100)
    if (dice < 4) {
      this.reload()
    } else if (dice < 8) {
      this.#ask(this.#wild(client), null)
    } else if (dice < 12) {
      // It has crashed; when it comes back it knows nothing.
      Object.assign(client, { phase: 'out', memberId: '' })
    } else if (dice < 16 && client.memberId !== '') {
      const members = [{ memberId: client.memberId, groupInstanceId: client.instance, reason: '' }]
      this.#ask({ type: 'leave', groupId: client.groupId, members }, null)
      Object.assign(client, { phase: 'out', memberId: '' })
    } else {
      this.#behave(client)
    }
  }

  #behave(client: Client): void {
    const { groupId, memberId, instance: groupInstanceId, generation: generationId } = client
    const impatient = this.#random.below(10) === 0
    switch (client.phase) {
      case 'joining':
        if (impatient) this.#join(client)
        break
      case 'out':
        this.#join(client)
        break
      case 'joined':
        client.phase = 'syncing'
        this.#sync(client)
        break
      case 'syncing':
        if (impatient) this.#sync(client)
        break
      case 'stable':
        if (this.#random.below(4) === 0) {
          this.#ask({ type: 'commit', ...this.#commitOf(client) }, client)
        } else if (this.#random.below(12) === 0) {
          this.#join(client)
        } else {
          this.#ask({ type: 'heartbeat', groupId, memberId, groupInstanceId, generationId }, client)
        }
    }
  }

  #commitOf(client: Client) {
    const partition = { partitionIndex: this.#random.below(3), committedOffset: this.#random.below(1000) }
    const partitions = [{ ...partition, committedLeaderEpoch: -1, committedMetadata: null }]
    return {
      groupId: client.groupId,
      memberId: client.memberId,
      groupInstanceId: client.instance,
      generationId: client.generation,
      unknownGroupError: ErrorCode.ILLEGAL_GENERATION,
      retentionTimeMs: -1,
      topics: [{ name: this.#random.pick(['t', 'u']), topicId: ZERO_UUID, partitions }],
    }
  }

  #join(client: Client): void {
    client.phase = 'joining'
    const count = 1 + this.#random.below(3)
    const topics = this.#random.below(3) === 0 ? ['t', 'u'] : ['t']
    const names = [...new Set(['range', ...PROTOCOLS.slice(0, count)])]
    this.#ask(
      {
        type: 'join',
        groupId: client.groupId,
        memberId: client.memberId,
        newMemberId: `${client.instance ?? client.name}-${this.#ticket}`,
        groupInstanceId: client.instance,
        clientId: client.name,
        clientHost: '/h',
        sessionTimeoutMs: 6000 + this.#random.below(6000),
        rebalanceTimeoutMs: this.#random.below(5000),
        protocolType: 'consumer',
        protocols: (this.#random.below(2) === 0 ? names : names.toReversed()).map(name => ({
          name,
          metadata: subscription(...topics),
        })),
        reason: '',
        mustKnowMemberId: this.#random.below(2) === 0,
        canSkipAssignment: this.#random.below(2) === 0,
      },
      client,
    )
  }

  #sync(client: Client): void {
    const { groupId, memberId, instance: groupInstanceId, generation: generationId } = client
    const assignments = new Map<string, Buffer>()
    if (client.mustAssign) {
      // Of a generation that is forgotten, nothing will come.
      const tokens = this.#generations.get(`${groupId}/${generationId}`)?.tokens ?? new Map<string, string>()
      for (const member of client.members) {
        const token = tokens.get(member) ?? `${groupId}/${generationId}/${member}`
        tokens.set(member, token)
        assignments.set(member, Buffer.from(token))
      }
    }
    const protocols = { protocolType: 'consumer', protocolName: null }
    this.#ask({ type: 'sync', groupId, memberId, groupInstanceId, generationId, assignments, ...protocols }, client)
  }

  /** A request of somebody who has no business here. */
  #wild(client: Client): GroupCommand {
    const groupId = this.#random.pick([...GROUPS, 'nobody'])
    const memberId = this.#random.pick([client.memberId, 'stranger', ''])
    const generationId = client.generation + this.#random.below(3) - 1
    const groupInstanceId = this.#random.pick([null, client.instance, 'i0'])
    switch (this.#random.below(6)) {
      case 0:
        return { type: 'heartbeat', groupId, memberId, generationId, groupInstanceId }
      case 1:
        return { type: 'leave', groupId, members: [{ memberId, groupInstanceId, reason: '' }] }
      case 2:
        return { type: 'commit', ...this.#commitOf({ ...client, groupId, memberId, generation: generationId }) }
      case 3:
        return { type: 'deleteGroups', groupIds: [groupId] }
      case 4:
        return { type: 'topicsDeleted', topics: [{ name: 'u', topicId: ZERO_UUID }] }
      default:
        return { type: 'describe', groupIds: [groupId] }
    }
  }

  advance(ms: number): void {
    const end = this.now + ms
    while (this.machine.deadline <= end) {
      this.now = Math.max(this.now, this.machine.deadline)
      this.#apply(this.machine.step({ type: 'tick', wallTimeMs: this.now }, this.now))
    }
    this.now = end
  }

  #ask(command: GroupCommand, client: Client | null): void {
    const ticket = ++this.#ticket
    this.#open.set(ticket, { command, client })
    this.#apply(this.machine.step({ type: 'command', ticket, command, wallTimeMs: this.now }, this.now))
  }

  #apply(effects: readonly GroupEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'append') {
        for (const record of effect.records) {
          this.log.push(record)
          // A group that is made anew counts from one again.
          if (record.content.type === 'group' && record.value === null) this.#forget(record.content.groupId)
          this.machine.replay(record, { offset: this.log.length - 1, producerId: -1 })
        }
      } else if (effect.type === 'reply' || effect.type === 'refuse') {
        const asked = this.#open.get(effect.ticket)
        assert(asked !== undefined, `ticket ${effect.ticket} is answered, and was not asked or was answered before`)
        this.#open.delete(effect.ticket)
        this.answers++
        if (asked.client !== null)
          this.#hear(asked.client, asked.command, effect.type === 'reply' ? effect.reply : null)
      }
    }
  }

  #forget(groupId: string): void {
    for (const id of this.#generations.keys()) if (id.startsWith(`${groupId}/`)) this.#generations.delete(id)
  }

  #hear(client: Client, command: GroupCommand, reply: GroupReply | null): void {
    if (command.type === 'join') this.#hearJoin(client, reply as JoinReply | null)
    else if (command.type === 'sync') this.#hearSync(client, command.generationId, command.memberId, reply as SyncReply)
    else if (reply === null || ('errorCode' in reply && reply.errorCode !== ErrorCode.NONE)) {
      client.phase = 'out'
      if (reply !== null && 'errorCode' in reply && reply.errorCode !== ErrorCode.REBALANCE_IN_PROGRESS)
        client.memberId = ''
    }
  }

  #hearJoin(client: Client, reply: JoinReply | null): void {
    if (reply?.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      Object.assign(client, { phase: 'out', memberId: reply.memberId })
      return
    }
    if (reply === null || reply.errorCode !== ErrorCode.NONE) {
      Object.assign(client, { phase: 'out', memberId: reply?.errorCode === 27 ? client.memberId : '' })
      return
    }
    const id = `${client.groupId}/${reply.generationId}`
    const generation = this.#generations.get(id) ?? { protocol: reply.protocolName!, tokens: new Map() }
    this.#generations.set(id, generation)
    assert.equal(reply.protocolName, generation.protocol, `one protocol in ${id}`)
    const isLeader = reply.leader === reply.memberId
    if (isLeader) assert(reply.members.some(({ memberId }) => memberId === reply.memberId))
    else assert.equal(reply.members.length, 0, 'only the leader learns who is in the group')
    Object.assign(client, {
      phase: 'joined',
      memberId: reply.memberId,
      generation: reply.generationId,
      isLeader,
      mustAssign: isLeader && !reply.skipAssignment,
      members: reply.members.map(({ memberId }) => memberId),
    })
  }

  #hearSync(client: Client, generationId: number, memberId: string, reply: SyncReply): void {
    if (reply.errorCode !== ErrorCode.NONE) {
      client.phase = 'out'
      if (reply.errorCode !== ErrorCode.REBALANCE_IN_PROGRESS) client.memberId = ''
      return
    }
    this.stableSyncs++
    client.phase = 'stable'
    const token = Buffer.from(reply.assignment).toString()
    if (token === '') return
    const [groupId, generation, owner = ''] = token.split('/')
    assert.equal(groupId, client.groupId)
    assert.equal(Number(generation), generationId, 'an assignment is of the generation that it is asked for')
    // A static member inherits what was assigned to the id that it had before.
    if (client.instance === null) assert.equal(owner, memberId)
    else assert(owner.startsWith(`${client.instance}-`))
  }

  /** Whatever has happened, the log says what the machine knows, and the memory is what is in use. */
  check(): void {
    const budget = new StateBudget(1e9)
    const replayed = new GroupMachine(CONFIG, LIMITS, budget.open())
    replayInto(replayed, this.log)
    for (const [groupId, group] of this.machine.groups) {
      const other = replayed.groups.get(groupId)
      if (group.written !== null) assert.deepEqual(other?.written, group.written, groupId)
      if (other === undefined) assert.equal(this.machine.offsets.of(groupId).size, 0)
      if (group.state !== 'Stable') continue
      assert.equal(other?.state, 'Stable')
      assert.deepEqual(other.metadata(), { ...group.metadata(), currentStateTimestamp: other.stateTimestampMs })
    }
    for (const [groupId, group] of replayed.groups) if (group.written !== null) assert(this.machine.groups.has(groupId))
    assert.deepEqual(offsetsOf(replayed), offsetsOf(this.machine))
    assert.equal(this.#budget.bytes, bytesOf(this.machine), 'the memory that is accounted for is the memory in use')
    assert.equal(budget.bytes, bytesOf(replayed))
    for (const group of this.machine.groups.values()) {
      const members = [...group.members.values()]
      assert.equal(group.awaitingJoinCount, members.filter(member => member.joinTicket !== null).length)
      const tickets = members
        .flatMap(({ joinTicket, syncTicket }) => [joinTicket, syncTicket])
        .filter(each => each !== null)
      for (const ticket of tickets) assert(this.#open.has(ticket), 'what waits has not been answered')
      assert(group.isIn('Empty') === (members.length === 0) || group.isIn('PreparingRebalance'), group.state)
    }
  }

  get openCount(): number {
    return this.#open.size
  }
}

function replayInto(machine: GroupMachine, log: readonly GroupRecord[]): void {
  for (const [offset, { key, value }] of log.entries()) {
    machine.replay(decodeGroupRecord(key, value)!, { offset, producerId: -1 })
  }
}

function offsetsOf(machine: GroupMachine): unknown {
  return [...machine.offsets.groupIds()].sort().map(groupId => {
    const topics = [...machine.offsets.of(groupId)].sort(([a], [b]) => (a < b ? -1 : 1))
    return [groupId, topics.map(([topic, partitions]) => [topic, [...partitions].sort(([a], [b]) => a - b)])]
  })
}

function bytesOf(machine: GroupMachine): number {
  let bytes = 0
  for (const group of machine.groups.values()) {
    bytes += groupBytes(group.groupId)
    for (const member of group.members.values()) bytes += memberBytes(member)
    for (const memberId of group.pendingJoin.keys()) bytes += pendingBytes(memberId)
  }
  for (const groupId of machine.offsets.groupIds()) {
    for (const [topic, partitions] of machine.offsets.of(groupId)) {
      for (const { value } of partitions.values()) bytes += offsetBytes(groupId, topic, value)
    }
  }
  return bytes
}

test('random members on virtual time: one protocol a generation, every request answered once, the log says it all', () => {
  const seed = testSeed()
  let assigned = 0
  for (let round = 0; round < 12; round++) {
    const random = new SeededRandom(seed + round)
    const world = new World(random)
    try {
      for (let step = 0; step < 1500; step++) {
        world.act()
        if (random.below(3) === 0) world.advance(random.below(random.below(20) === 0 ? 20_000 : 400))
        if (step % 10 === 0) world.check()
      }
      assigned += world.stableSyncs
      // Everybody is gone: sessions end, and what waits is answered.
      world.advance(400_000)
      world.check()
      assert.equal(world.openCount, 0, 'nobody waits for ever')
      for (const group of world.machine.groups.values()) assert.equal(group.state, 'Empty')
      world.advance(5_000_000)
      world.check()
      assert.equal(world.machine.groups.size, 0, 'what nobody uses vanishes')
    } catch (error) {
      const message = `round ${round} (SEED=${seed + round} repeats it as round 0): ${(error as Error).message}`
      throw new Error(message, { cause: error })
    }
  }
  assert(assigned > 100, `members came to be assigned: ${assigned}`)
})
