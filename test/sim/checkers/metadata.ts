import { messageCodec } from '#protocol/codec.js'
import { LeaderChangeMessage, VotersRecord } from '#protocol/internal/raft-records.js'
import { Reader } from '#protocol/reader.js'
import { isControl } from '#protocol/records/batch.js'
import { isEmptyDelta, type MetadataDelta } from '#src/metadata/delta.js'
import { imageDifference } from '#src/metadata/image-difference.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import {
  controlRecordsOf,
  metadataRecordsOf,
  openSnapshot,
  parseSnapshotFileName,
} from '#src/metadata/snapshot-file.js'
import type { SimDisk } from '../../support/sim-disk.js'
import type { Coverage } from '../coverage.js'
import { Violation } from './history.js'
import type { LoggedBatch, LogWatcher } from './logs.js'

export const METADATA_PARTITION = '__cluster_metadata-0'

interface KnownBatch extends LoggedBatch {
  readonly records: readonly MetadataRecord[]
}

interface VoterKey {
  readonly id: number
  /** '' with voters that cannot be changed. */
  readonly directoryId: string
}

interface VotersBatch extends LoggedBatch {
  readonly voters: readonly VoterKey[]
}

/**
 * The metadata log as the rules of Raft have it, told from the files of the nodes alone. A batch is committed when a
 * majority of the voters has it on the device and its epoch is the newest that any node has written in: no later leader
 * can be without it.
 *
 * One leader an epoch: the first batch of an epoch names its leader, and no node knows another.
 * One vote an epoch: a node that has voted in an epoch votes for nobody else in it, crashes included.
 * Leader completeness: whoever begins an epoch has everything that was committed in those before.
 * Nothing committed is cut off any log, and every snapshot shows what the log adds up to.
 */
export class MetadataTruth {
  /** What is committed adds up to this. */
  readonly image = new MetadataState()
  committedEnd = 0
  readonly #logs: LogWatcher
  readonly #coverage: Coverage
  readonly #onDelta: (delta: MetadataDelta) => void
  readonly #known = new Map<number, KnownBatch[]>()
  readonly #committed: KnownBatch[] = []
  readonly #committedEpoch = new Map<number, number>()
  readonly #leaders = new Map<number, number>()
  readonly #votes = new Map<string, number>()
  readonly #epochs = new Map<number, number>()
  readonly #snapshots = new Map<number, { readonly endOffset: number; readonly epoch: number }>()
  /** The last batch that a disk had on the device when its machine last lost power, by directory id. */
  readonly #had = new Map<string, LoggedBatch>()
  readonly #votersBatches: VotersBatch[] = []
  readonly #directoryOf: (nodeId: number) => string
  #committedVoters: readonly VoterKey[] = []
  #newestEpoch = 0

  constructor(
    logs: LogWatcher,
    coverage: Coverage,
    directoryOf: (nodeId: number) => string,
    onDelta: (delta: MetadataDelta) => void,
  ) {
    this.#logs = logs
    this.#coverage = coverage
    this.#directoryOf = directoryOf
    this.#onDelta = onDelta
  }

  /** Those who vote at first. */
  setVoters(voters: readonly VoterKey[]): void {
    this.#committedVoters = voters.map(({ id, directoryId }) => ({ id, directoryId }))
  }

  get voterCount(): number {
    return this.#committedVoters.length
  }

  /** The voters by the log of the leader of the newest epoch: the newest that it has, committed or not. */
  #voters(): readonly VoterKey[] {
    const leader = this.#leaders.get(this.#newestEpoch)
    const log = leader === undefined ? undefined : this.#logs.log(leader, METADATA_PARTITION)
    const last = this.#votersBatches.findLast(each => log?.find(each.baseOffset)?.leaderEpoch === each.leaderEpoch)
    return last === undefined || last.lastOffset < this.committedEnd ? this.#committedVoters : last.voters
  }

  /** A node has written a batch of the metadata log. */
  written(nodeId: number, found: LoggedBatch, bytes: Buffer, position: number): void {
    const at = this.#known.get(found.baseOffset)
    if (at?.some(known => known.leaderEpoch === found.leaderEpoch) === true) return
    const isControlBatch = isControl(bytes, position)
    const records = isControlBatch ? [] : metadataRecordsOf(Buffer.from(bytes), position)
    const known = { ...found, records }
    if (at === undefined) this.#known.set(found.baseOffset, [known])
    else at.push(known)
    this.#newestEpoch = Math.max(this.#newestEpoch, found.leaderEpoch)
    if (isControlBatch) this.#control(nodeId, found, bytes, position)
  }

  #control(nodeId: number, found: LoggedBatch, bytes: Buffer, position: number): void {
    for (const { type, value } of controlRecordsOf(Buffer.from(bytes), position)) {
      if (type === 'LEADER_CHANGE') {
        const { leaderId } = messageCodec(LeaderChangeMessage, 0).read(new Reader(value))
        this.#isLeader(leaderId, found.leaderEpoch)
        this.#coverage.count('leader of the metadata quorum elected')
        if (leaderId === nodeId) this.#expectComplete(nodeId, found)
      } else if (type === 'KRAFT_VOTERS') {
        const { voters } = messageCodec(VotersRecord, 0).read(new Reader(value))
        const keys = voters.map(voter => ({ id: voter.voterId, directoryId: voter.voterDirectoryId }))
        this.#votersBatches.push({ ...found, voters: keys })
        this.#votersBatches.sort((left, right) => left.baseOffset - right.baseOffset)
        this.#coverage.count('voter set written')
        // It counts from now on, and those whom it names may have been waited for.
        this.synced()
      }
    }
  }

  #isLeader(leaderId: number, epoch: number): void {
    const known = this.#leaders.get(epoch)
    if (known !== undefined && known !== leaderId) {
      throw new Violation(`one leader an epoch: nodes ${known} and ${leaderId} both lead in epoch ${epoch}`)
    }
    this.#leaders.set(epoch, leaderId)
  }

  #expectComplete(nodeId: number, first: LoggedBatch): void {
    // One that was paused while it was elected may begin when the next one has committed something.
    const last = this.#committed.findLast(each => each.leaderEpoch < first.leaderEpoch)
    if (last === undefined || this.#has(nodeId, last)) return
    throw new Violation(
      `leader completeness: node ${nodeId} leads from epoch ${first.leaderEpoch} on without what is committed ` +
        `up to ${this.committedEnd}`,
    )
  }

  #has(nodeId: number, batch: LoggedBatch): boolean {
    if ((this.#snapshots.get(nodeId)?.endOffset ?? 0) > batch.lastOffset) return true
    const log = this.#logs.log(nodeId, METADATA_PARTITION)
    return log?.find(batch.baseOffset)?.leaderEpoch === batch.leaderEpoch
  }

  /** A node has cut a batch off. */
  cutOff(nodeId: number, batch: LoggedBatch): void {
    this.#coverage.count('metadata log truncated')
    if (this.#committedEpoch.get(batch.baseOffset) !== batch.leaderEpoch) return
    if ((this.#snapshots.get(nodeId)?.endOffset ?? 0) > batch.lastOffset) return
    throw new Violation(`committed metadata stays: node ${nodeId} cuts off what is committed at ${batch.baseOffset}`)
  }

  /** The device of a node has more of its metadata log. */
  synced(): void {
    const epoch = this.#newestEpoch
    const ends = this.#voters()
      .map(voter => this.#syncedEnd(voter, epoch))
      .sort((left, right) => right - left)
    const end = ends[Math.floor(ends.length / 2)] ?? 0
    if (end > this.committedEnd) this.#commit(end, epoch)
  }

  /** The end of what a node has on its device, if the last of it is of this epoch; else 0. */
  #syncedEnd({ id: nodeId, directoryId }: VoterKey, epoch: number): number {
    // Another disk is another voter. What the old one had when it went may have been told to the leader.
    if (directoryId !== '' && this.#directoryOf(nodeId) !== directoryId) {
      const had = this.#had.get(directoryId)
      return had?.leaderEpoch === epoch ? had.lastOffset + 1 : 0
    }
    const last = this.#logs.log(nodeId, METADATA_PARTITION)?.lastSynced
    if (last !== undefined) return last.leaderEpoch === epoch ? last.lastOffset + 1 : 0
    const snapshot = this.#snapshots.get(nodeId)
    return snapshot?.epoch === epoch ? snapshot.endOffset : 0
  }

  /** Follows the batches from the end back to what was committed before, and replays them. */
  #commit(end: number, epoch: number): void {
    const fresh: KnownBatch[] = []
    const holder = this.#voters().find(({ id: nodeId }) => {
      const last = this.#logs.log(nodeId, METADATA_PARTITION)?.lastSynced
      return last !== undefined && last.leaderEpoch === epoch && last.lastOffset + 1 >= end
    })
    if (holder === undefined) return
    const log = this.#logs.log(holder.id, METADATA_PARTITION)!
    for (const found of log.batchesFrom(this.committedEnd)) {
      if (found.lastOffset >= end) break
      const known = this.#known.get(found.baseOffset)?.find(other => other.leaderEpoch === found.leaderEpoch)
      if (known !== undefined) fresh.push(known)
    }
    if (fresh.length === 0 || fresh[0]!.baseOffset !== this.committedEnd) return
    for (const batch of fresh) {
      this.#committed.push(batch)
      this.#committedEpoch.set(batch.baseOffset, batch.leaderEpoch)
      this.committedEnd = batch.lastOffset + 1
      const change = this.#votersBatches.find(
        each => each.baseOffset === batch.baseOffset && each.leaderEpoch === batch.leaderEpoch,
      )
      if (change !== undefined) this.#committedVoters = change.voters
      for (const record of batch.records) this.image.replay(record)
      this.image.setPosition(batch.lastOffset, batch.leaderEpoch)
      const delta = this.image.takeDelta()
      if (!isEmptyDelta(delta)) this.#onDelta(delta)
    }
  }

  /** A node has a new quorum-state file. */
  voted(nodeId: number, text: string): void {
    const state = JSON.parse(text) as { leaderId: number; leaderEpoch: number; votedId: number }
    const before = this.#epochs.get(nodeId) ?? 0
    if (state.leaderEpoch < before) {
      throw new Violation(`epochs only rise: node ${nodeId} goes back from ${before} to ${state.leaderEpoch}`)
    }
    this.#epochs.set(nodeId, state.leaderEpoch)
    if (state.leaderId >= 0) this.#isLeader(state.leaderId, state.leaderEpoch)
    if (state.votedId < 0) return
    const key = `${nodeId}/${state.leaderEpoch}`
    const vote = this.#votes.get(key)
    if (vote !== undefined && vote !== state.votedId) {
      throw new Violation(
        `one vote an epoch: node ${nodeId} votes for ${vote} and for ${state.votedId} in epoch ${state.leaderEpoch}`,
      )
    }
    this.#votes.set(key, state.votedId)
  }

  /** A node has a new snapshot: one that it made, or that was sent to it. */
  snapshot(nodeId: number, disk: SimDisk, path: string): void {
    const at = path.lastIndexOf('/')
    const parsed = parseSnapshotFileName(path.slice(at + 1))
    if (parsed === null || parsed.state !== 'complete' || parsed.id.endOffset === 0) return
    const { endOffset, epoch } = parsed.id
    const log = this.#logs.log(nodeId, METADATA_PARTITION)
    const isInstalled = (log?.end ?? 0) < endOffset
    this.#coverage.count(isInstalled ? 'snapshot of the metadata installed' : 'snapshot of the metadata written')
    const known = this.#snapshots.get(nodeId)
    if (known === undefined || known.endOffset < endOffset) this.#snapshots.set(nodeId, { endOffset, epoch })
    if (endOffset > this.committedEnd) {
      throw new Violation(
        `committed metadata stays: node ${nodeId} has a snapshot up to ${endOffset}, committed is ${this.committedEnd}`,
      )
    }
    const found = new MetadataState()
    for (const batch of openSnapshot(disk, path.slice(0, at), parsed.id).batches()) {
      for (const record of batch) found.replay(record)
    }
    found.takeDelta()
    const expected = new MetadataState()
    for (const batch of this.#committed) {
      if (batch.lastOffset >= endOffset) break
      for (const record of batch.records) expected.replay(record)
    }
    expected.takeDelta()
    const difference = imageDifference(expected, found)
    if (!isEmptyDelta(difference)) {
      throw new Violation(
        `replay is the same everywhere: node ${nodeId} has a snapshot at ${endOffset} that is not what the log adds up to`,
      )
    }
  }

  /** A node is about to lose power, and perhaps its disk. */
  powerLost(nodeId: number): void {
    const last = this.#logs.log(nodeId, METADATA_PARTITION)?.lastSynced
    if (last !== undefined) this.#had.set(this.#directoryOf(nodeId), last)
  }

  /** The disk of a node is another one, or an older one. */
  forget(nodeId: number): void {
    this.#snapshots.delete(nodeId)
    this.#epochs.delete(nodeId)
  }
}
