/** Fetch and FetchSnapshot: how records and snapshots come from the leader to the others. */
import { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../runtime/machine.js'
import type { RaftCore } from './core.js'
import type { SnapshotId } from './metadata-log.js'
import type {
  EpochEndOffset,
  FetchCall,
  FetchedBatch,
  FetchedReply,
  FetchedSnapshotReply,
  FetchReply,
  FetchSnapshotCall,
  FetchSnapshotReply,
} from './raft-types.js'
import type { Follower, Leader } from './roles.js'
import { sameReplica } from './voters.js'

/** The snapshot that formatting leaves: it is never sent to anybody. */
const bootstrapSnapshotId: SnapshotId = { endOffset: 0, epoch: 0 }

/** How many fetches may wait for something new. */
const parkedFetchesMax = 1000
/** How many of one replica. */
const parkedFetchesOfReplicaMax = 4

// The leader's side

/** Answers a fetch, or parks it until there is something new: then the answer is null. */
export function handleFetch(core: RaftCore, ticket: Ticket, call: FetchCall): FetchReply | null {
  const isMalformed =
    call.waitMsMax < 0 || call.fetchOffset < 0 || call.lastFetchedEpoch < 0 || call.lastFetchedEpoch > call.epoch
  if (isMalformed) return core.fetchError(ErrorCode.INVALID_REQUEST)
  const reply = completeFetch(core, call, true)
  const { role } = core
  const isNews =
    reply.error !== ErrorCode.NONE ||
    reply.read !== null ||
    reply.diverging !== null ||
    reply.snapshotId !== null ||
    call.highWatermark < reply.highWatermark
  if (isNews || call.waitMsMax === 0 || role.name !== 'leader') return reply
  park(core, role, ticket, call)
  return null
}

/** Answers a fetch with what there is; a valid one that has just come in tells how far the replica is. */
function completeFetch(core: RaftCore, call: FetchCall, isArrival: boolean): FetchReply {
  const error = core.leaderOnly(call.epoch)
  const role = core.role
  if (error !== ErrorCode.NONE || role.name !== 'leader') return core.fetchError(error)
  const { diverging, snapshotId } = validate(core, call.fetchOffset, call.lastFetchedEpoch)
  const isValid = diverging === null && snapshotId === null
  if (isArrival && isValid && call.replica.id >= 0 && call.replica.id !== core.local.id) {
    role.progress.recordFetch(call.replica, call.fetchOffset, core.endOffset, core.now)
    advanceLeader(core, role)
  }
  const hasRecords = isValid && call.fetchOffset < core.endOffset
  return {
    api: 'fetch',
    ...core.hint(ErrorCode.NONE),
    highWatermark: role.progress.highWatermark,
    logStartOffset: core.log.startOffset,
    diverging,
    snapshotId,
    read: hasRecords
      ? { offset: call.fetchOffset, bytesMax: Math.min(call.bytesMax, core.config.fetchBytesMax) }
      : null,
  }
}

/**
 * Whether a log that ends at `offset` with a record of `epoch` is a beginning of this one. If not: where it may still
 * be one, or which snapshot to take instead.
 */
export function validate(
  core: RaftCore,
  offset: number,
  epoch: number,
): { readonly diverging: EpochEndOffset | null; readonly snapshotId: SnapshotId | null } {
  const { earliestSnapshot, latestSnapshot, startOffset } = core.log
  // An empty log is filled faster by a snapshot, also if the log is still whole.
  if (offset === 0 && latestSnapshot !== null && latestSnapshot.endOffset > bootstrapSnapshotId.endOffset) {
    return { diverging: null, snapshotId: latestSnapshot }
  }
  if (startOffset === 0 && offset === 0) return { diverging: null, snapshotId: null }
  if (earliestSnapshot !== null) {
    const isBefore = offset < startOffset || epoch < earliestSnapshot.epoch
    if (isBefore || (offset === startOffset && epoch !== earliestSnapshot.epoch)) {
      return { diverging: null, snapshotId: latestSnapshot }
    }
  }
  const end = core.positions.endOffsetForEpoch(epoch)
  return { diverging: end.epoch !== epoch || end.endOffset < offset ? end : null, snapshotId: null }
}

function park(core: RaftCore, leader: Leader, ticket: Ticket, call: FetchCall): void {
  // Each new one may mean that the one before was given up; but two nodes that go by one name must not hunt each other.
  const own = [...leader.parked.values()].filter(parked => sameReplica(parked.call.replica, call.replica))
  if (call.replica.id >= 0 && own.length >= parkedFetchesOfReplicaMax) unpark(core, leader, own[0]!.ticket)
  if (leader.parked.size >= parkedFetchesMax) unpark(core, leader, leader.parked.keys().next().value!)
  leader.parked.set(ticket, { ticket, call, deadline: core.now + call.waitMsMax })
}

function unpark(core: RaftCore, leader: Leader, ticket: Ticket): void {
  const parked = leader.parked.get(ticket)
  if (parked === undefined) return
  leader.parked.delete(ticket)
  core.reply(ticket, completeFetch(core, parked.call, false))
}

/** Answers fetches for which there is something new now, or whose time is over. */
export function serveParked(core: RaftCore): void {
  const role = core.role
  if (role.name !== 'leader') return
  for (const { ticket, call, deadline } of [...role.parked.values()]) {
    const isNews = core.endOffset > call.fetchOffset || role.progress.highWatermark > call.highWatermark
    if (isNews || deadline <= core.now) unpark(core, role, ticket)
  }
}

/** A majority may have more now: moves the high watermark of leader and node. */
export function advanceLeader(core: RaftCore, leader: Leader): void {
  if (leader.progress.advance()) core.positions.raiseHighWatermark(leader.progress.highWatermark)
}

export function handleFetchSnapshot(core: RaftCore, call: FetchSnapshotCall): FetchSnapshotReply {
  const { id, position } = call
  const answer = (error: ErrorCode, size = 0, bytesMax = 0): FetchSnapshotReply => ({
    api: 'fetchSnapshot',
    ...core.hint(error),
    id,
    size,
    position,
    bytesMax,
  })

  const error = core.leaderOnly(call.epoch)
  const role = core.role
  if (error !== ErrorCode.NONE || role.name !== 'leader') return answer(error)
  const isBootstrap = call.id.endOffset === 0 && call.id.epoch === 0
  const size = isBootstrap ? null : core.log.snapshotSize(call.id)
  if (size === null) return answer(ErrorCode.SNAPSHOT_NOT_FOUND)
  if (call.position < 0 || call.position >= size) return answer(ErrorCode.POSITION_OUT_OF_RANGE)
  if (call.replica.id >= 0) role.progress.recordContact(call.replica, core.now)
  const bytesMax = Math.min(call.bytesMax, core.config.fetchSnapshotBytesMax, size - position)
  return answer(ErrorCode.NONE, size, Math.max(1, bytesMax))
}

// The follower's side

/** What a follower that is in step with its leader asks for next. */
export function nextFetch(core: RaftCore, follower: Follower | null): FetchCall | FetchSnapshotCall {
  const { config, epoch, local: replica } = core
  if (follower !== null && follower.snapshot !== null) {
    const { id, position } = follower.snapshot
    return { api: 'fetchSnapshot', replica, epoch, id, position, bytesMax: config.fetchSnapshotBytesMax }
  }
  return {
    api: 'fetch',
    replica,
    epoch,
    fetchOffset: core.endOffset,
    lastFetchedEpoch: core.lastEpoch,
    highWatermark: core.highWatermark,
    waitMsMax: config.fetchWaitMsMax,
    bytesMax: config.fetchBytesMax,
  }
}

/** Takes in an answer of the leader. Whether it was of use: if not, the leader is left alone for a moment. */
export function handleFetchReply(core: RaftCore, call: FetchCall, reply: FetchedReply): boolean {
  const follower = core.role
  if (reply.error !== ErrorCode.NONE || follower.name !== 'follower' || reply.leaderId !== follower.leaderId)
    return false
  if (follower.snapshot !== null) {
    // An older question, asked while the leader did not answer or was not known: all it says now is that it lives.
    noteSuccess(core, follower)
    return true
  }
  // The answer is to what was asked, and the log may have been cut since (not in this role, but be sure).
  if (call.fetchOffset !== core.endOffset || call.lastFetchedEpoch !== core.lastEpoch) return false
  if (reply.diverging !== null) truncateTo(core, reply.diverging)
  else if (reply.snapshotId !== null) {
    const id = reply.snapshotId
    if (id.epoch < 0 || id.endOffset < 0 || id.endOffset < core.highWatermark) {
      core.warn(`leader ${follower.leaderId} names an impossible snapshot ${id.endOffset}-${id.epoch}`)
      return false
    }
    follower.snapshot = { id, position: 0, size: -1 }
  } else {
    if (!appendFetched(core, follower, reply)) return false
    follower.leaderHighWatermark = Math.max(follower.leaderHighWatermark, reply.highWatermark)
    advanceFollower(core)
  }
  noteSuccess(core, follower)
  return true
}

/**
 * Cuts the log back to where it may agree with the leader's:
 *
 *   own {epoch 1: 0..20}{epoch 2: 20..35}, leader's end of epoch 2 is 30 -> 30
 *   own {epoch 1: 0..20}{epoch 3: 20..35}, leader's end of epoch 2 is 30 -> 20
 */
function truncateTo(core: RaftCore, leaderEnd: EpochEndOffset): void {
  const own = core.positions.endOffsetForEpoch(leaderEnd.epoch)
  core.truncate(own.epoch === leaderEnd.epoch ? Math.min(own.endOffset, leaderEnd.endOffset) : own.endOffset)
}

function appendFetched(core: RaftCore, follower: Follower, reply: FetchedReply): boolean {
  let endOffset = core.endOffset
  let lastEpoch = core.lastEpoch
  const taken: FetchedBatch[] = []
  for (const batch of reply.batches) {
    // A batch of a later epoch belongs to another leader, whose say this one does not have.
    if (batch.epoch > core.epoch) break
    if (batch.baseOffset !== endOffset || batch.epoch < lastEpoch || batch.lastOffset < batch.baseOffset) {
      core.warn(`leader ${follower.leaderId} sent batch ${batch.baseOffset} of epoch ${batch.epoch} after ${endOffset}`)
      return false
    }
    endOffset = batch.lastOffset + 1
    lastEpoch = batch.epoch
    taken.push(batch)
  }
  if (taken.length === 0) return reply.batches.length === 0
  core.emit({ type: 'appendFetched', handle: reply.handle, batchCount: taken.length, endOffset })
  for (const batch of taken) for (const change of batch.changes) core.history.add(change)
  core.positions.extend(endOffset, lastEpoch)
  return true
}

/** The follower's high watermark: the leader's, as far as its own log reaches on the device. */
export function advanceFollower(core: RaftCore): void {
  const role = core.role
  if (role.name === 'follower') core.positions.raiseHighWatermark(Math.min(role.leaderHighWatermark, core.syncedOffset))
}

export function handleFetchSnapshotReply(
  core: RaftCore,
  call: FetchSnapshotCall,
  reply: FetchedSnapshotReply,
): boolean {
  const follower = core.role
  if (follower.name !== 'follower' || follower.snapshot === null) return false
  const { snapshot } = follower
  const isOther = snapshot.id.endOffset !== reply.id.endOffset || snapshot.id.epoch !== reply.id.epoch
  if (reply.error === ErrorCode.SNAPSHOT_NOT_FOUND || reply.error === ErrorCode.POSITION_OUT_OF_RANGE) {
    // It has a newer one by now, which the next fetch will tell.
    follower.snapshot = null
    noteSuccess(core, follower)
    return true
  }
  if (reply.error !== ErrorCode.NONE) return false
  const isWrong = isOther || reply.position !== snapshot.position || call.position !== snapshot.position
  const isOversized =
    reply.byteCount === 0 ||
    reply.position + reply.byteCount > reply.size ||
    (snapshot.size !== -1 && snapshot.size !== reply.size)
  if (isWrong || isOversized) {
    core.warn(
      `leader ${follower.leaderId} sent no usable piece ${snapshot.position} of snapshot ${snapshot.id.endOffset}`,
    )
    follower.snapshot = null
    return false
  }
  core.emit({ type: 'writeSnapshot', id: snapshot.id, position: snapshot.position, handle: reply.handle })
  snapshot.position += reply.byteCount
  snapshot.size = reply.size
  if (snapshot.position === snapshot.size) core.emit({ type: 'installSnapshot', id: snapshot.id })
  noteSuccess(core, follower)
  return true
}

/** A snapshot was put in place or thrown away. */
export function endSnapshot(core: RaftCore, id: SnapshotId): void {
  const role = core.role
  if (role.name === 'follower' && role.snapshot !== null && role.snapshot.id.endOffset === id.endOffset) {
    role.snapshot = null
  }
}

function noteSuccess(core: RaftCore, follower: Follower): void {
  follower.hasFetched = true
  follower.fetchDeadline = core.now + core.config.fetchTimeoutMs
}
