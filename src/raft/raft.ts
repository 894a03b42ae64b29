import { ErrorCode } from '#protocol/errors.js'
import type { Machine, Ticket } from '../runtime/machine.js'
import type { Millis } from '../runtime/ports.js'
import type { CallUnderWay } from './connections.js'
import { RaftCore } from './core.js'
import {
  advanceFollower,
  advanceLeader,
  endSnapshot,
  handleFetch,
  handleFetchReply,
  handleFetchSnapshot,
  handleFetchSnapshotReply,
} from './fetch-calls.js'
import { poll } from './poll.js'
import type {
  CallFailure,
  DescribeQuorumReply,
  InboundCall,
  InboundReply,
  LeaderHint,
  LogQueries,
  OutboundReply,
  RaftConfig,
  RaftEffect,
  RaftEvent,
  RaftStart,
} from './raft-types.js'
import type { Follower, Role } from './roles.js'
import {
  handleBeginQuorumEpoch,
  handleEndQuorumEpoch,
  handleEndQuorumEpochReply,
  handleVote,
  handleVoteReply,
} from './vote-calls.js'
import {
  handleAddVoter,
  handleNewVoterVersions,
  handleRemoveVoter,
  handleUpdateVoter,
  handleUpgradeKRaftVersion,
} from './voter-calls.js'
import type { Address, VoterSet } from './voters.js'

/**
 * One replica of the metadata log: KRaft (KIP-595, 630, 853, 996, 1166), which is Raft with pulled replication. It sees
 * positions in the log and never a record, knows no clock and no network: what happens comes in as events, what is to
 * be done goes out as effects, to be done in their order.
 *
 *              election timeout        pre-votes          votes
 *   unattached ---------------> prospective ----> candidate ----> leader
 *        ^  \                    |   ^                              |
 *        |   \ leader found      v   | fetch timeout                | no majority, shutdown
 *        |    `-------------> follower                              v
 *        `------------------------------------------------------ resigned
 *
 * What makes it safe: a vote and an epoch are durable before anybody hears of them; records count for the high
 * watermark only from disk; a leader commits nothing of earlier epochs before something of its own.
 */
export class Raft implements Machine<RaftEvent, RaftEffect> {
  readonly #core: RaftCore
  #deadline: Millis = Infinity

  /** `randomBelow`: a uniform integer in [0, bound). */
  constructor(config: RaftConfig, log: LogQueries, start: RaftStart, randomBelow: (bound: number) => number) {
    this.#core = new RaftCore(config, log, start, randomBelow)
  }

  get deadline(): Millis {
    return this.#deadline
  }

  get role(): Role['name'] {
    return this.#core.role.name
  }

  get epoch(): number {
    return this.#core.epoch
  }

  /** -1 when not known. */
  get leaderId(): number {
    return this.#core.leaderId
  }

  /** Where the leader is reached by other nodes of the quorum; null when that is not known. */
  get leaderAddress(): Address | null {
    return this.#core.leaderId === -1 ? null : this.#core.addressOf(this.#core.leaderEndpoints)
  }

  /** Everything below is committed as far as the leader has said (or this node knows as leader); -1 when not known. */
  get leaderHighWatermark(): number {
    const { role } = this.#core
    if (role.name === 'leader') return role.progress.highWatermark
    return role.name === 'follower' ? role.leaderHighWatermark : -1
  }

  /** Whether this node leads in exactly this epoch. */
  isLeaderOf(epoch: number): boolean {
    return this.#core.role.name === 'leader' && this.#core.epoch === epoch
  }

  /** The offset that the next record gets. */
  get endOffset(): number {
    return this.#core.endOffset
  }

  /** -1 when not known. */
  get highWatermark(): number {
    return this.#core.highWatermark
  }

  /** The voters that count now, committed or not. */
  get voters(): VoterSet {
    return this.#core.history.voters
  }

  get kraftVersion(): number {
    return this.#core.history.kraftVersion
  }

  /** The voters and kraft.version that a snapshot ending at `endOffset` has to carry. */
  quorumAt(endOffset: number): { readonly kraftVersion: number; readonly voters: VoterSet | null } {
    const { history } = this.#core
    return { kraftVersion: history.kraftVersionAt(endOffset - 1), voters: history.votersAt(endOffset - 1) }
  }

  step(event: RaftEvent, now: Millis): readonly RaftEffect[] {
    const core = this.#core
    core.beginStep(now)
    this.#handle(event)
    this.#deadline = poll(core)
    return core.takeEffects()
  }

  #handle(event: RaftEvent): void {
    const core = this.#core
    switch (event.type) {
      case 'start':
        core.start()
        break
      case 'tick':
        break
      case 'append':
        this.#append(event.epoch, event.recordCount, event.handle)
        break
      case 'synced':
        this.#synced(event.token)
        break
      case 'call':
        this.#call(event.ticket, event.call)
        break
      case 'cancel':
        if (core.role.name === 'leader') core.role.parked.delete(event.ticket)
        break
      case 'reply':
        this.#reply(event.correlationId, event.reply)
        break
      case 'callFailed':
        this.#callFailed(event.correlationId, event.failure)
        break
      case 'snapshotInstalled':
        core.history.reset(event.changes)
        core.positions.restartAfter(event.id)
        endSnapshot(core, event.id)
        break
      case 'snapshotRejected':
        endSnapshot(core, event.id)
        // It will hardly be better at once: not to carry it over and over as fast as the network can.
        core.connections.backOff(core.leaderId, core.now + core.config.fetchTimeoutMs / 2)
        break
      case 'logCleaned':
        core.history.trimBefore(core.log.startOffset)
        break
      case 'resign':
        if (this.isLeaderOf(event.epoch)) core.becomeResigned()
        break
      case 'shutdown':
        core.shutdownDeadline ??= core.now + core.config.shutdownMsMax
        break
    }
  }

  #append(epoch: number, recordCount: number, handle: unknown): void {
    const core = this.#core
    if (!this.isLeaderOf(epoch)) throw new Error(`append in epoch ${epoch} as ${core.role.name} of ${core.epoch}`)
    core.emit({ type: 'append', baseOffset: core.endOffset, epoch, recordCount, handle })
    core.positions.extend(core.endOffset + recordCount, epoch)
  }

  #synced(token: number): void {
    const core = this.#core
    core.positions.synced(token)
    if (core.role.name === 'leader') {
      core.role.progress.setLocalEndOffset(core.syncedOffset)
      advanceLeader(core, core.role)
    }
    advanceFollower(core)
  }

  #call(ticket: Ticket, call: InboundCall): void {
    const reply = this.#answer(ticket, call)
    if (reply !== null) this.#core.reply(ticket, reply)
  }

  /** The answer, or null when it comes later. */
  #answer(ticket: Ticket, call: InboundCall): OutboundReply | null {
    const core = this.#core
    switch (call.api) {
      case 'vote':
        return handleVote(core, call)
      case 'beginQuorumEpoch':
        return handleBeginQuorumEpoch(core, call)
      case 'endQuorumEpoch':
        return handleEndQuorumEpoch(core, call)
      case 'fetch':
        return handleFetch(core, ticket, call)
      case 'fetchSnapshot':
        return handleFetchSnapshot(core, call)
      case 'addVoter':
        return handleAddVoter(core, ticket, call)
      case 'removeVoter':
        return handleRemoveVoter(core, ticket, call)
      case 'updateVoter':
        return handleUpdateVoter(core, call)
      case 'upgradeKRaftVersion':
        return handleUpgradeKRaftVersion(core, call)
      case 'describeQuorum':
        return this.#describe()
    }
  }

  #describe(): DescribeQuorumReply {
    const core = this.#core
    const { role, epoch, leaderId } = core
    if (role.name !== 'leader') {
      const error = ErrorCode.NOT_LEADER_OR_FOLLOWER
      const nothing = { voters: [], observers: [], nodes: [], highWatermark: -1 }
      return { api: 'describeQuorum', error, leaderId, epoch, ...nothing }
    }
    return {
      api: 'describeQuorum',
      error: ErrorCode.NONE,
      leaderId,
      epoch,
      highWatermark: role.progress.highWatermark,
      ...role.progress.view(core.endOffset, core.now),
      nodes: core.history.voters.map(voter => ({ id: voter.key.id, endpoints: voter.endpoints })),
    }
  }

  #reply(correlationId: number, reply: InboundReply): void {
    const core = this.#core
    const call = core.connections.find(correlationId)
    if (call === undefined) return
    const { epoch } = core
    const isUseful = this.#learnFrom(call, reply) && this.#takeIn(call, reply)
    // A higher epoch or another role has forgotten the call; then there is nothing to end.
    core.connections.end(call, isUseful || core.epoch !== epoch, core.now)
  }

  /** Takes in epoch and leader of an answer; whether there is more in it for this node. */
  #learnFrom(call: CallUnderWay, reply: InboundReply): boolean {
    const core = this.#core
    if (!('leaderId' in reply)) return true
    const hint: LeaderHint = reply
    if (hint.epoch < core.epoch) return false
    return core.learn(hint.epoch, hint.leaderId, hint.leaderEndpoints, call.call.api)
  }

  #takeIn({ nodeId, call }: CallUnderWay, reply: InboundReply): boolean {
    const core = this.#core
    switch (reply.api) {
      case 'vote':
        return handleVoteReply(core, nodeId, reply)
      case 'beginQuorumEpoch':
        return reply.error === ErrorCode.NONE
      case 'endQuorumEpoch':
        return handleEndQuorumEpochReply(core, nodeId, reply)
      case 'fetch':
        return call.api === 'fetch' && handleFetchReply(core, call, reply)
      case 'fetchSnapshot':
        return call.api === 'fetchSnapshot' && handleFetchSnapshotReply(core, call, reply)
      case 'apiVersions':
        return handleNewVoterVersions(core, nodeId, reply)
      case 'updateVoter':
        if (core.role.name === 'follower' && reply.error === ErrorCode.NONE) core.role.hasUpdatedLeader = true
        return reply.error === ErrorCode.NONE
      case 'addVoter':
      case 'removeVoter':
      case 'upgradeKRaftVersion':
        return reply.error === ErrorCode.NONE
    }
  }

  #callFailed(correlationId: number, failure: CallFailure): void {
    const core = this.#core
    const call = core.connections.find(correlationId)
    if (call === undefined) return
    core.connections.end(call, false, core.now)
    const { role } = core
    if (call.call.api === 'apiVersions') handleNewVoterVersions(core, call.nodeId, null)
    // A voter that does not know pre-votes would hold up every election: go on without.
    if (failure === 'unsupportedVersion' && call.call.api === 'vote' && role.name === 'prospective')
      core.becomeCandidate()
    // Nobody is there to be told, and nobody will come while this node is still here.
    const isGoing = core.shutdownDeadline !== null
    if (failure === 'refused' && role.name === 'resigned' && isGoing) role.unacknowledged.delete(call.nodeId)
    if (failure === 'refused' && role.name === 'follower' && role.leaderId === call.nodeId) this.#leaderRefused(role)
  }

  /** The leader's process is dead: whether an election is held is up to the pre-votes. */
  #leaderRefused(follower: Follower): void {
    const core = this.#core
    if (!core.config.electWhenLeaderRefuses || !core.mayLead) return
    // Not all at the same moment, or they take each other's votes away.
    const soon = core.now + core.random(core.config.electionTimeoutMs / 5)
    follower.hasFetched = false
    follower.fetchDeadline = Math.min(follower.fetchDeadline, soon)
  }
}
