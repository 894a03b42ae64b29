import { strict as assert } from 'node:assert'
import { ErrorCode } from '#protocol/errors.js'
import type { SnapshotId } from '#src/raft/metadata-log.js'
import { Raft } from '#src/raft/raft.js'
import type {
  ApiVersionsReply,
  ControlRecord,
  ElectionState,
  FetchedBatch,
  InboundReply,
  LogQueries,
  OutboundReply,
  RaftConfig,
  RaftEffect,
  RaftEvent,
} from '#src/raft/raft-types.js'
import type { QuorumChange, Voter } from '#src/raft/voters.js'

/** A batch of the model log; `text` stands for the records. */
export interface ModelBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  readonly text: string
  readonly changes: readonly QuorumChange[]
}

export interface ModelSnapshot {
  readonly id: SnapshotId
  readonly changes: readonly QuorumChange[]
  /** What was committed below its end, for the checkers. */
  readonly content: readonly ModelBatch[]
}

/** What survives a crash of the process. */
export interface ModelDisk {
  election: ElectionState | null
  batches: ModelBatch[]
  startOffset: number
  snapshots: ModelSnapshot[]
  /** Batches below are on the device: all that survives a crash of the machine. */
  syncedOffset: number
}

export function emptyDisk(): ModelDisk {
  return { election: null, batches: [], startOffset: 0, snapshots: [], syncedOffset: 0 }
}

export function endOffsetOf(disk: ModelDisk): number {
  return (disk.batches.at(-1)?.lastOffset ?? disk.startOffset - 1) + 1
}

function compare(a: SnapshotId, b: SnapshotId): number {
  return a.epoch - b.epoch || a.endOffset - b.endOffset
}

/** As raft/recover.ts has it: the log lost its end, or a snapshot was installed and the log not yet cut. */
function isBeyond(id: SnapshotId, disk: ModelDisk): boolean {
  const latestEpoch = disk.batches.at(-1)?.epoch ?? -1
  return id.endOffset > 0 && (id.epoch > latestEpoch || (id.epoch === latestEpoch && id.endOffset > endOffsetOf(disk)))
}

function queries(disk: ModelDisk): LogQueries {
  return {
    get startOffset() {
      return disk.startOffset
    },
    get latestSnapshot() {
      return disk.snapshots.at(-1)?.id ?? null
    },
    get earliestSnapshot() {
      return disk.snapshots[0]?.id ?? null
    },
    endOffsetOf(epoch) {
      const first = disk.batches[0]
      const last = disk.batches.at(-1)
      if (first === undefined || last === undefined || epoch > last.epoch) return null
      if (epoch < first.epoch) return { epoch, endOffset: first.baseOffset }
      let found = first
      for (const batch of disk.batches) if (batch.epoch <= epoch) found = batch
      return { epoch: found.epoch, endOffset: found.lastOffset + 1 }
    },
    epochOf: offset =>
      disk.batches.find(batch => batch.baseOffset <= offset && offset <= batch.lastOffset)?.epoch ?? -1,
    snapshotSize: id => (disk.snapshots.some(snapshot => compare(snapshot.id, id) === 0) ? snapshotBytes : null),
  }
}

/** Every model snapshot is said to have as many bytes, so that it goes over in three pieces of at most 40. */
export const snapshotBytes = 100

/** What goes to others. */
export type Outgoing =
  | Extract<RaftEffect, { readonly type: 'call' }>
  | { readonly type: 'answer'; readonly ticket: number; readonly reply: InboundReply | OutboundReply }

/** One replica: the machine, and a log and files in memory that do what it wants at once. */
export class Replica {
  readonly config: RaftConfig
  readonly disk: ModelDisk
  raft: Raft
  /** What the listeners would have seen. */
  committedOffset = -1
  leader = { leaderId: -1, epoch: 0 }
  /** The power goes after so many effects. */
  effectsLeft = Infinity
  /** Nothing is done any more. */
  isGone = false
  readonly #randomBelow: (bound: number) => number
  #receiving: { id: SnapshotId; bytes: number; handle: ModelSnapshot | null } | null = null

  constructor(config: RaftConfig, disk: ModelDisk, randomBelow: (bound: number) => number) {
    this.config = config
    this.disk = disk
    this.#randomBelow = randomBelow
    const newest = disk.snapshots.at(-1)
    if (newest !== undefined && isBeyond(newest.id, disk)) {
      disk.batches = []
      disk.startOffset = newest.id.endOffset
      disk.snapshots = [newest]
    }
    disk.syncedOffset = Math.max(disk.syncedOffset, disk.startOffset)
    const changes = [...(newest?.changes ?? [])]
    for (const batch of disk.batches)
      if (batch.baseOffset >= (newest?.id.endOffset ?? 0)) changes.push(...batch.changes)
    this.raft = new Raft(
      config,
      queries(disk),
      {
        election: disk.election,
        endOffset: endOffsetOf(disk),
        lastEpoch: disk.batches.at(-1)?.epoch ?? (newest?.id.endOffset === endOffsetOf(disk) ? newest.id.epoch : 0),
        changes,
      },
      bound => this.#randomBelow(bound),
    )
  }

  /** Hands an event over and does what can be done here; returns all effects, in order. */
  step(event: RaftEvent, now: number): RaftEffect[] {
    const all: RaftEffect[] = []
    const events = [event]
    for (let next = events.shift(); next !== undefined; next = events.shift()) {
      for (const effect of this.raft.step(next, now)) {
        if (this.effectsLeft-- <= 0) {
          if (effect.type === 'installSnapshot' && this.#randomBelow(2) === 0) this.#putInPlace()
          this.isGone = true
          return all
        }
        all.push(effect)
        const followUp = this.#perform(effect)
        if (followUp !== null) events.unshift(followUp)
      }
    }
    return all
  }

  #perform(effect: RaftEffect): RaftEvent | null {
    const { disk } = this
    switch (effect.type) {
      case 'persistElection':
        disk.election = effect.state
        return null
      case 'append':
        this.#push(effect.baseOffset, effect.recordCount, effect.epoch, String(effect.handle), [])
        return null
      case 'appendControl':
        this.#push(
          effect.baseOffset,
          effect.records.length,
          effect.epoch,
          describeControl(effect.records),
          changesOf(effect),
        )
        return null
      case 'appendFetched':
        for (const batch of (effect.handle as ModelBatch[]).slice(0, effect.batchCount)) {
          assert.equal(batch.baseOffset, endOffsetOf(disk))
          disk.batches.push({ ...batch })
        }
        assert.equal(endOffsetOf(disk), effect.endOffset)
        return null
      case 'truncate':
        disk.batches = disk.batches.filter(batch => batch.lastOffset < effect.endOffset)
        assert.equal(endOffsetOf(disk), effect.endOffset, 'truncation within a batch')
        disk.syncedOffset = Math.min(disk.syncedOffset, effect.endOffset)
        return null
      case 'highWatermark':
        assert(effect.offset > this.committedOffset, 'the high watermark goes back')
        this.committedOffset = effect.offset
        return null
      case 'leaderChanged':
        this.leader = { leaderId: effect.leaderId, epoch: effect.epoch }
        return null
      case 'writeSnapshot':
        return this.#receive(effect)
      case 'installSnapshot':
        return this.#install(effect.id)
      default:
        return null
    }
  }

  #push(baseOffset: number, count: number, epoch: number, text: string, changes: QuorumChange[]): void {
    assert.equal(baseOffset, endOffsetOf(this.disk))
    this.disk.batches.push({ baseOffset, lastOffset: baseOffset + count - 1, epoch, text, changes })
  }

  #receive(effect: Extract<RaftEffect, { type: 'writeSnapshot' }>): null {
    const piece = effect.handle as { readonly snapshot: ModelSnapshot; readonly bytes: number }
    if (effect.position === 0) this.#receiving = { id: effect.id, bytes: 0, handle: piece.snapshot }
    assert(this.#receiving !== null && this.#receiving.bytes === effect.position)
    this.#receiving.bytes += piece.bytes
    return null
  }

  #putInPlace(): ModelSnapshot {
    const snapshot = this.#receiving?.handle
    assert(snapshot !== null && snapshot !== undefined)
    this.#receiving = null
    this.#addSnapshot(snapshot)
    return snapshot
  }

  #install(id: SnapshotId): RaftEvent {
    const { disk } = this
    const snapshot = this.#putInPlace()
    disk.batches = []
    disk.startOffset = id.endOffset
    disk.syncedOffset = id.endOffset
    disk.snapshots = [snapshot]
    return { type: 'snapshotInstalled', id, changes: snapshot.changes }
  }

  /** Everything appended so far reaches the device. */
  syncDisk(): void {
    this.disk.syncedOffset = endOffsetOf(this.disk)
  }

  /** A snapshot of what is committed below `endOffset`; it is not in place before `addSnapshot`. */
  makeSnapshot(endOffset: number, content: readonly ModelBatch[]): ModelSnapshot {
    const { kraftVersion, voters } = this.raft.quorumAt(endOffset)
    const epoch = queries(this.disk).epochOf(endOffset - 1)
    const id = { endOffset, epoch: epoch === -1 ? 0 : epoch }
    const offset = endOffset - 1
    const changes =
      kraftVersion === 0 ? [] : [voters === null ? { offset, kraftVersion } : { offset, kraftVersion, voters }]
    return { id, changes, content }
  }

  #addSnapshot(added: ModelSnapshot): void {
    this.disk.snapshots = this.disk.snapshots.filter(snapshot => compare(snapshot.id, added.id) !== 0)
    this.disk.snapshots.push(added)
    this.disk.snapshots.sort((a, b) => compare(a.id, b.id))
  }

  /** Puts it in place, unless one of a leader has taken the place of what it holds. */
  addSnapshot(snapshot: ModelSnapshot): void {
    if (snapshot.id.endOffset >= this.disk.startOffset) this.#addSnapshot(snapshot)
  }

  takeSnapshot(endOffset: number, content: readonly ModelBatch[]): void {
    this.addSnapshot(this.makeSnapshot(endOffset, content))
  }

  /** Drops old snapshots and the log below the newest; whole batches only. */
  clean(): void {
    const newest = this.disk.snapshots.at(-1)
    if (newest === undefined || newest.id.endOffset <= this.disk.startOffset) return
    this.disk.snapshots = [newest]
    this.disk.startOffset = newest.id.endOffset
    this.disk.batches = this.disk.batches.filter(batch => batch.lastOffset >= newest.id.endOffset)
  }

  /** An answer as it comes in at who called: records and pieces of snapshots instead of where they are to be read. */
  asInbound(reply: OutboundReply): InboundReply {
    switch (reply.api) {
      case 'fetch': {
        const { read, ...rest } = reply
        const from = read === null ? [] : this.disk.batches.filter(batch => batch.lastOffset >= read.offset).slice(0, 4)
        const batches: FetchedBatch[] = from.map(({ baseOffset, lastOffset, epoch, changes }) => ({
          baseOffset,
          lastOffset,
          epoch,
          changes,
        }))
        return { ...rest, batches, handle: from }
      }
      case 'fetchSnapshot': {
        const { bytesMax, ...rest } = reply
        const snapshot = this.disk.snapshots.find(({ id }) => compare(id, reply.id) === 0)
        const byteCount = reply.error === ErrorCode.NONE && snapshot !== undefined ? bytesMax : 0
        return { ...rest, byteCount, handle: { snapshot, bytes: byteCount } }
      }
      case 'describeQuorum':
        throw new Error('nobody in the quorum asks for that')
      default:
        return reply
    }
  }
}

function changesOf(effect: Extract<RaftEffect, { type: 'appendControl' }>): QuorumChange[] {
  return effect.records.flatMap((record, index): QuorumChange[] => {
    const offset = effect.baseOffset + index
    if (record.type === 'kraftVersion') return [{ offset, kraftVersion: record.kraftVersion }]
    return record.type === 'voters' ? [{ offset, voters: record.voters }] : []
  })
}

export function describeControl(records: readonly ControlRecord[]): string {
  return records
    .map(record => {
      if (record.type === 'leaderChange') return `leader ${record.leaderId} of ${record.voters} by ${record.granting}`
      if (record.type === 'kraftVersion') return `kraft.version ${record.kraftVersion}`
      return `voters ${record.voters.map(voter => voter.key.id)}`
    })
    .join(', ')
}

export const versionsOfPeer: ApiVersionsReply = {
  api: 'apiVersions',
  error: ErrorCode.NONE,
  kraftVersions: { min: 0, max: 1 },
}

/** The id of node n's directory. */
export function directoryOf(n: number): string {
  const bytes = Buffer.alloc(16)
  bytes[15] = 100 + n
  return bytes.toString('base64url')
}

export function endpointOf(id: number): { name: string; host: string; port: number } {
  return { name: 'CONTROLLER', host: `node-${id}`, port: 9093 }
}

/** Node n as an entry of a voter set; `directory` as with kraft.version 1. */
export function voterOf(id: number, hasDirectory: boolean): Voter {
  const directoryId = hasDirectory ? directoryOf(id) : 'AAAAAAAAAAAAAAAAAAAAAA'
  const endpoints = [endpointOf(id)]
  return { key: { id, directoryId }, endpoints, minKRaftVersion: 0, maxKRaftVersion: hasDirectory ? 1 : 0 }
}

export function raftConfig(nodeId: number, overrides: Partial<RaftConfig> = {}): RaftConfig {
  return {
    nodeId,
    directoryId: directoryOf(nodeId),
    isController: true,
    listenerName: 'CONTROLLER',
    localEndpoints: [endpointOf(nodeId)],
    staticVoters: [],
    bootstrapServers: [],
    electionTimeoutMs: 1000,
    electionBackoffMsMax: 1000,
    fetchTimeoutMs: 2000,
    requestTimeoutMs: 2000,
    retryBackoffMs: 20,
    fetchWaitMsMax: 500,
    fetchBytesMax: 1024 * 1024,
    fetchSnapshotBytesMax: 40,
    autoJoin: false,
    electWhenLeaderRefuses: false,
    hurriesElections: false,
    shutdownMsMax: 5000,
    ...overrides,
  }
}
