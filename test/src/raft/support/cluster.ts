import { errorName } from '#protocol/errors.js'
import type {
  InboundCall,
  InboundReply,
  OutboundCall,
  OutboundReply,
  RaftConfig,
  RaftEffect,
  RaftEvent,
} from '#src/raft/raft-types.js'
import type { ReplicaKey } from '#src/raft/voters.js'
import type { Ticket } from '#src/runtime/machine.js'
import {
  describeControl,
  directoryOf,
  emptyDisk,
  endOffsetOf,
  type ModelDisk,
  Replica,
  raftConfig,
  versionsOfPeer,
  voterOf,
} from './replica.js'

type Message =
  | {
      readonly kind: 'call'
      readonly from: number
      readonly to: number
      readonly correlationId: number
      readonly call: OutboundCall
    }
  | {
      readonly kind: 'reply'
      readonly from: number
      readonly to: number
      readonly correlationId: number
      readonly reply: InboundReply
    }

interface Member {
  readonly config: RaftConfig
  disk: ModelDisk
  replica: Replica | null
  /** Numbers that randomBelow returns next; 400 for each id before its own when there are none. */
  random: number[]
  syncTokens: number[]
}

/** Runs the commands of the transcripts: a few replicas, a clock and a network that do nothing by themselves. */
export class TranscriptCluster {
  readonly #members = new Map<number, Member>()
  #messages: Message[] = []
  /** Calls that have neither been answered nor failed. */
  readonly #underWay = new Map<string, { readonly from: number; readonly to: number; readonly correlationId: number }>()
  readonly #tickets = new Map<Ticket, { readonly from: number; readonly correlationId: number }>()
  #nextTicket = 1
  #now = 0
  /** Syncs are done at once unless told otherwise. */
  #isManualSync = false

  run(line: string): string {
    const [verb, ...words] = line.split(/\s+/)
    const options = new Map(
      words.filter(word => word.includes('=')).map(word => word.split('=', 2) as [string, string]),
    )
    const args = words.filter(word => !word.includes('='))
    switch (verb) {
      case 'nodes':
        return this.#nodes(args, options)
      case 'random':
        this.#member(args[0]).random.push(...args.slice(1).map(Number))
        return ''
      case 'manual-sync':
        this.#isManualSync = true
        return ''
      case 'sync':
        return this.#sync(Number(args[0]))
      case 'start':
      case 'restart':
        return args.map(arg => this.#start(Number(arg))).join('\n')
      case 'stop':
        for (const arg of args) this.#stop(Number(arg))
        return ''
      case 'power':
        for (const arg of args) this.#losePower(Number(arg))
        return ''
      case 'advance':
        return this.#advance(Number(args[0]))
      case 'deliver':
        return this.#deliver(args)
      case 'drop':
        return this.#drop(args)
      case 'fail':
        return this.#fail(args, options)
      case 'disconnect':
        return this.#disconnect(args, options)
      case 'run':
        return this.#runFor(Number(args[0]))
      case 'append':
        return this.#append(args)
      case 'call':
        return this.#callFromOutside(args, options)
      case 'snapshot':
        this.#replica(args[0]).takeSnapshot(Number(args[1]), [])
        return ''
      case 'clean':
        this.#replica(args[0]).clean()
        return this.#step(Number(args[0]), { type: 'logCleaned' })
      case 'resign':
        return this.#step(Number(args[0]), { type: 'resign', epoch: this.#replica(args[0]).raft.epoch })
      case 'shutdown':
        return this.#step(Number(args[0]), { type: 'shutdown' })
      case 'state':
        return [...this.#members].map(([id, member]) => describeState(id, member)).join('\n')
      case 'log':
        return describeLog(this.#member(args[0]).disk)
      case 'messages':
        return this.#messages.map(describeMessage).join('\n')
      default:
        throw new Error(`no such command: ${line}`)
    }
  }

  #member(id: string | number | undefined): Member {
    const member = this.#members.get(Number(id))
    if (member === undefined) throw new Error(`no such node: ${id}`)
    return member
  }

  #replica(id: string | number | undefined): Replica {
    const { replica } = this.#member(id)
    if (replica === null) throw new Error(`node ${id} does not run`)
    return replica
  }

  /** nodes 1 2 3 [observers=4,5] [dynamic=1,2,3] [autojoin=4] [epoch=N] [refuse=1] */
  #nodes(args: readonly string[], options: ReadonlyMap<string, string>): string {
    const list = (name: string): number[] => (options.get(name) ?? '').split(',').filter(Boolean).map(Number)
    const voterIds = args.map(Number)
    const dynamic = list('dynamic')
    const voters = voterIds.map(id => voterOf(id, false))
    for (const id of new Set([...voterIds, ...list('observers'), ...list('joiners'), ...dynamic])) {
      const disk = emptyDisk()
      if (dynamic.length > 0 && !list('joiners').includes(id) && !list('observers').includes(id)) {
        const set = dynamic.map(voter => voterOf(voter, true))
        disk.snapshots.push({
          id: { endOffset: 0, epoch: 0 },
          changes: [{ offset: -1, kraftVersion: 1, voters: set }],
          content: [],
        })
      }
      this.#members.set(id, {
        config: raftConfig(id, {
          staticVoters: voters,
          isController: !list('observers').includes(id),
          autoJoin: list('autojoin').includes(id),
          electWhenLeaderRefuses: options.has('refuse'),
          hurriesElections: options.has('hurry'),
          bootstrapServers: dynamic.map(voter => ({ host: `node-${voter}`, port: 9093 })),
        }),
        disk,
        replica: null,
        random: [],
        syncTokens: [],
      })
    }
    return ''
  }

  #start(id: number): string {
    const member = this.#member(id)
    this.#stop(id)
    member.syncTokens = []
    member.replica = new Replica(member.config, member.disk, bound =>
      Math.min(member.random.shift() ?? (id - 1) * 400, bound - 1),
    )
    return this.#step(id, { type: 'start' })
  }

  #stop(id: number): void {
    this.#member(id).replica = null
    this.#messages = this.#messages.filter(message => message.from !== id && message.to !== id)
  }

  /** It stops, and what was not synced is gone. */
  #losePower(id: number): void {
    this.#stop(id)
    const { disk } = this.#member(id)
    disk.batches = disk.batches.filter(batch => batch.lastOffset < disk.syncedOffset)
  }

  #step(id: number, event: RaftEvent): string {
    const member = this.#member(id)
    const replica = this.#replica(id)
    const lines: string[] = []
    if (event.type === 'reply' || event.type === 'callFailed') this.#underWay.delete(`${id}/${event.correlationId}`)
    for (const effect of replica.step(event, this.#now)) {
      lines.push(`${id}: ${describeEffect(effect)}`)
      if (effect.type === 'call') {
        const to = Number(effect.address.host.slice('node-'.length))
        const { correlationId, call } = effect
        this.#underWay.set(`${id}/${correlationId}`, { from: id, to, correlationId })
        this.#messages.push({ kind: 'call', from: id, to, correlationId, call })
      } else if (effect.type === 'reply') {
        const waiting = this.#tickets.get(effect.ticket)
        this.#tickets.delete(effect.ticket)
        if (waiting !== undefined)
          this.#messages.push({
            kind: 'reply',
            from: id,
            to: waiting.from,
            correlationId: waiting.correlationId,
            reply: replica.asInbound(effect.reply),
          })
      } else if (effect.type === 'sync') {
        member.syncTokens.push(effect.token)
      }
    }
    if (!this.#isManualSync && member.syncTokens.length > 0) lines.push(this.#sync(id))
    return lines.filter(line => line !== '').join('\n')
  }

  #sync(id: number): string {
    const member = this.#member(id)
    const token = member.syncTokens.pop()
    member.syncTokens = []
    if (token === undefined) return ''
    this.#replica(id).syncDisk()
    return this.#step(id, { type: 'synced', token })
  }

  /** Moves the clock, from deadline to deadline. */
  #advance(ms: number): string {
    const end = this.#now + ms
    const lines: string[] = []
    for (let ticks = 0; ; ticks++) {
      if (ticks > 10_000) throw new Error(`no end of ticks at ${this.#now}`)
      let due: number | null = null
      let at = end
      for (const [id, { replica }] of this.#members) {
        if (replica === null || replica.raft.deadline > at || (due !== null && replica.raft.deadline === at)) continue
        at = replica.raft.deadline
        due = id
      }
      if (due === null) break
      this.#now = Math.max(this.#now, at)
      const text = this.#step(due, { type: 'tick' })
      if (text !== '') lines.push(`at ${this.#now}`, text)
    }
    this.#now = end
    return lines.join('\n')
  }

  /** deliver: everything, also what comes of it. deliver 1->2: the oldest message on that way. deliver 1 2: between these. */
  #deliver(args: readonly string[]): string {
    const lines: string[] = []
    const way = args[0]?.match(/^(\d+)->(\d+)$/)
    const among = way === undefined || way === null ? args.map(Number) : []
    const wanted = (message: Message): boolean => {
      if (way !== undefined && way !== null) return message.from === Number(way[1]) && message.to === Number(way[2])
      return among.length === 0 || (among.includes(message.from) && among.includes(message.to))
    }
    for (let count = 0; count < 500; count++) {
      const index = this.#messages.findIndex(wanted)
      if (index === -1) break
      const [message] = this.#messages.splice(index, 1)
      lines.push(`> ${describeMessage(message!)}`, this.#receive(message!))
      if (way !== undefined && way !== null) break
      if (count === 499) lines.push('... and so on')
    }
    return lines.filter(line => line !== '').join('\n')
  }

  #receive(message: Message): string {
    const member = this.#members.get(message.to)
    if (member === undefined || member.replica === null) {
      if (message.kind === 'reply') return ''
      return this.#step(message.from, {
        type: 'callFailed',
        correlationId: message.correlationId,
        failure: 'disconnected',
      })
    }
    if (message.kind === 'reply') {
      return this.#step(message.to, { type: 'reply', correlationId: message.correlationId, reply: message.reply })
    }
    const { call, from, correlationId } = message
    if (call.api === 'apiVersions') {
      this.#messages.push({ kind: 'reply', from: message.to, to: from, correlationId, reply: versionsOfPeer })
      return ''
    }
    const ticket = this.#nextTicket++
    this.#tickets.set(ticket, { from, correlationId })
    return this.#step(message.to, { type: 'call', ticket, call })
  }

  #drop(args: readonly string[]): string {
    const before = this.#messages.length
    if (args.length === 0) this.#messages = []
    for (const arg of args) {
      const [from, to] = arg.split('->').map(Number)
      this.#messages = this.#messages.filter(message => message.from !== from || message.to !== to)
    }
    return `dropped ${before - this.#messages.length}`
  }

  /** fail 1->2 why=refused: the calls on that way come back as failed. */
  #fail(args: readonly string[], options: ReadonlyMap<string, string>): string {
    const [from, to] = args[0]!.split('->').map(Number)
    const failed = this.#messages.filter(
      message => message.kind === 'call' && message.from === from && message.to === to,
    )
    this.#messages = this.#messages.filter(message => !failed.includes(message))
    const failure = (options.get('why') ?? 'disconnected') as 'disconnected' | 'refused' | 'unsupportedVersion'
    return failed
      .map(({ correlationId }) => this.#step(from!, { type: 'callFailed', correlationId, failure }))
      .filter(line => line !== '')
      .join('\n')
  }

  /** disconnect 1->2 why=refused: all calls of 1 to 2 that are under way fail, wherever they are. */
  #disconnect(args: readonly string[], options: ReadonlyMap<string, string>): string {
    const [from, to] = args[0]!.split('->').map(Number)
    const failure = (options.get('why') ?? 'disconnected') as 'disconnected' | 'refused'
    const lines: string[] = []
    this.#messages = this.#messages.filter(message => !isBetween(message, from!, to!))
    for (const call of [...this.#underWay.values()]) {
      if (call.from !== from || call.to !== to) continue
      lines.push(this.#step(from!, { type: 'callFailed', correlationId: call.correlationId, failure }))
    }
    return lines.filter(line => line !== '').join('\n')
  }

  /** Time passes and messages are delivered at once; what only goes on, and votes asked for again, is not shown. */
  #runFor(ms: number): string {
    const end = this.#now + ms
    const lines: string[] = []
    for (let rounds = 0; ; rounds++) {
      if (rounds > 10_000) throw new Error(`no end of events at ${this.#now}`)
      lines.push(...this.#deliver([]).split('\n'))
      const next = Math.min(...[...this.#members.values()].map(({ replica }) => replica?.raft.deadline ?? Infinity))
      if (next > end) break
      lines.push(...this.#advance(Math.max(0, next - this.#now)).split('\n'))
    }
    this.#now = end
    const isRoutine = (line: string): boolean =>
      /^(at|>) |: sync$|: (call node-\d+: fetch|reply fetch|begin|reply begin|call node-\d+: begin)/.test(line)
    const isRepeated = (line: string, index: number): boolean =>
      /: call node-\d+: (pre-)?vote/.test(line) && lines.indexOf(line) < index
    return lines.filter((line, index) => line !== '' && !isRoutine(line) && !isRepeated(line, index)).join('\n')
  }

  #append([id, count, text]: readonly string[]): string {
    const { epoch } = this.#replica(id).raft
    return this.#step(Number(id), { type: 'append', epoch, recordCount: Number(count), handle: text ?? 'records' })
  }

  /** call 1 vote candidate=2 epoch=3 ...: as if it came from somewhere; the answer is shown and goes nowhere. */
  #callFromOutside([id, api]: readonly string[], options: ReadonlyMap<string, string>): string {
    const number = (name: string, otherwise = 0): number => Number(options.get(name) ?? otherwise)
    const key = (name: string): ReplicaKey => ({ id: number(name), directoryId: directoryOf(number(name)) })
    const epoch = number('epoch')
    const endpoints = [{ name: 'CONTROLLER', host: `node-${number('voter')}`, port: 9093 }]
    const calls: Record<string, () => InboundCall> = {
      vote: () => ({
        api: 'vote',
        voter: options.has('voter') ? key('voter') : null,
        candidate: key('candidate'),
        epoch,
        lastEpoch: number('lastEpoch'),
        lastOffset: number('lastOffset'),
        preVote: options.has('pre'),
      }),
      begin: () => ({
        api: 'beginQuorumEpoch',
        voter: options.has('voter') ? key('voter') : null,
        leaderId: number('leader'),
        epoch,
        leaderEndpoints: [],
      }),
      end: () => ({
        api: 'endQuorumEpoch',
        leaderId: number('leader'),
        epoch,
        preferredCandidates: (options.get('preferred') ?? '')
          .split(',')
          .filter(Boolean)
          .map(one => ({ id: Number(one), directoryId: directoryOf(Number(one)) })),
        leaderEndpoints: [],
      }),
      fetch: () => ({
        api: 'fetch',
        replica: key('replica'),
        epoch,
        fetchOffset: number('offset'),
        lastFetchedEpoch: number('lastEpoch'),
        highWatermark: number('hw', Infinity),
        waitMsMax: number('wait'),
        bytesMax: 1000,
      }),
      fetchSnapshot: () => ({
        api: 'fetchSnapshot',
        replica: key('replica'),
        epoch,
        id: { endOffset: number('end'), epoch: number('snapshotEpoch') },
        position: number('position'),
        bytesMax: 1000,
      }),
      addVoter: () => ({ api: 'addVoter', voter: key('voter'), endpoints, ackWhenCommitted: true, timeoutMs: 1000 }),
      removeVoter: () => ({ api: 'removeVoter', voter: key('voter') }),
      updateVoter: () => ({
        api: 'updateVoter',
        epoch,
        voter: key('voter'),
        endpoints,
        minKRaftVersion: 0,
        maxKRaftVersion: 1,
      }),
      upgrade: () => ({
        api: 'upgradeKRaftVersion',
        epoch,
        kraftVersion: number('to', 1),
        validateOnly: options.has('validate'),
      }),
      describe: () => ({ api: 'describeQuorum' }),
    }
    const ticket = this.#nextTicket++
    return this.#step(Number(id), { type: 'call', ticket, call: calls[api!]!() })
  }
}

function isBetween(message: Message, a: number, b: number): boolean {
  return (message.from === a && message.to === b) || (message.from === b && message.to === a)
}

function describeKey(key: ReplicaKey | null): string {
  return key === null ? '-' : String(key.id)
}

function describeEffect(effect: RaftEffect): string {
  switch (effect.type) {
    case 'persistElection': {
      const { epoch, leaderId, voted } = effect.state
      return `persist epoch=${epoch} leader=${leaderId} voted=${describeKey(voted)}`
    }
    case 'call':
      return `call ${effect.address.host}: ${describeCall(effect.call)}`
    case 'reply':
      return `reply ${describeReply(effect.reply)}`
    case 'append':
      return `append ${effect.recordCount} at ${effect.baseOffset} epoch=${effect.epoch}`
    case 'appendControl':
      return `append at ${effect.baseOffset} epoch=${effect.epoch}: ${describeControl(effect.records)}`
    case 'appendFetched':
      return `append fetched up to ${effect.endOffset}`
    case 'truncate':
      return `truncate to ${effect.endOffset}`
    case 'sync':
      return 'sync'
    case 'highWatermark':
      return `high watermark ${effect.offset}`
    case 'leaderChanged':
      return effect.leaderId === -1
        ? `no leader in epoch ${effect.epoch}`
        : `leader of epoch ${effect.epoch} is ${effect.leaderId}${effect.epochStartOffset === null ? '' : ` from ${effect.epochStartOffset}`}`
    case 'writeSnapshot':
      return `write snapshot ${effect.id.endOffset}-${effect.id.epoch} at ${effect.position}`
    case 'installSnapshot':
      return `install snapshot ${effect.id.endOffset}-${effect.id.epoch}`
    case 'warn':
      return `warn ${effect.message}`
    case 'shutdownReady':
      return 'ready to stop'
  }
}

function describeCall(call: OutboundCall | InboundCall): string {
  switch (call.api) {
    case 'vote':
      return `${call.preVote ? 'pre-vote' : 'vote'} for ${call.candidate.id} epoch=${call.epoch} log=${call.lastOffset}/${call.lastEpoch}`
    case 'beginQuorumEpoch':
      return `begin epoch=${call.epoch} leader=${call.leaderId}`
    case 'endQuorumEpoch':
      return `end epoch=${call.epoch} leader=${call.leaderId} preferred=${call.preferredCandidates.map(one => one.id)}`
    case 'fetch':
      return `fetch epoch=${call.epoch} log=${call.fetchOffset}/${call.lastFetchedEpoch} hw=${call.highWatermark}`
    case 'fetchSnapshot':
      return `fetch snapshot ${call.id.endOffset}-${call.id.epoch} at ${call.position} epoch=${call.epoch}`
    case 'addVoter':
    case 'removeVoter':
    case 'updateVoter':
      return `${call.api} ${call.voter.id}`
    default:
      return call.api
  }
}

function describeReply(reply: OutboundReply | InboundReply): string {
  const error = reply.error === 0 ? '' : ` ${errorName(reply.error)}`
  const hint = 'leaderId' in reply ? ` epoch=${reply.epoch} leader=${reply.leaderId}` : ''
  switch (reply.api) {
    case 'vote':
      return `vote${error} ${reply.granted ? 'granted' : 'refused'}${hint}`
    case 'fetch': {
      const diverging =
        reply.diverging === null ? '' : ` diverging=${reply.diverging.endOffset}/${reply.diverging.epoch}`
      const snapshot =
        reply.snapshotId === null ? '' : ` snapshot=${reply.snapshotId.endOffset}-${reply.snapshotId.epoch}`
      const records =
        'batches' in reply
          ? ` batches=${reply.batches.map(batch => `${batch.baseOffset}..${batch.lastOffset}/${batch.epoch}`)}`
          : reply.read === null
            ? ''
            : ` records from ${reply.read.offset}`
      return `fetch${error}${hint} hw=${reply.highWatermark}${diverging}${snapshot}${records}`
    }
    case 'fetchSnapshot':
      return `fetch snapshot${error}${hint} ${reply.id.endOffset}-${reply.id.epoch} at ${reply.position} of ${reply.size}`
    case 'describeQuorum': {
      const show = (replica: {
        key: ReplicaKey
        endOffset: number
        lastFetchTime: number
        lastCaughtUpTime: number
      }): string => `${replica.key.id}:${replica.endOffset}@${replica.lastFetchTime}/${replica.lastCaughtUpTime}`
      return `describe${error}${hint} hw=${reply.highWatermark} voters=${reply.voters.map(show)} observers=${reply.observers.map(show)}`
    }
    case 'addVoter':
    case 'removeVoter':
    case 'upgradeKRaftVersion':
      return `${reply.api}${error}${reply.message === null ? '' : `: ${reply.message}`}`
    default:
      return `${reply.api}${error}${hint}`
  }
}

function describeMessage(message: Message): string {
  const what = message.kind === 'call' ? describeCall(message.call) : describeReply(message.reply)
  return `${message.from}->${message.to} ${what}`
}

function describeState(id: number, { replica, disk }: Member): string {
  if (replica === null) return `${id}: stopped, log ends at ${endOffsetOf(disk)}`
  const { raft } = replica
  return `${id}: ${raft.role} epoch=${raft.epoch} leader=${raft.leaderId} end=${raft.endOffset} hw=${raft.highWatermark} voters=${raft.voters.map(voter => voter.key.id)}`
}

function describeLog(disk: ModelDisk): string {
  const snapshots = disk.snapshots.map(({ id }) => `snapshot ${id.endOffset}-${id.epoch}`)
  const batches = disk.batches.map(
    ({ baseOffset, lastOffset, epoch, text }) => `${baseOffset}..${lastOffset}/${epoch} ${text}`,
  )
  return [...snapshots, ...batches].join('\n')
}
