/** The state of the raft machine and the changes between its roles. The rules stand in the files beside this one. */
import { strict as assert } from 'node:assert'
import { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../runtime/machine.js'
import type { Millis } from '../runtime/ports.js'
import { Connections } from './connections.js'
import { Election, sameElection } from './election.js'
import { expectOneLeader, expectOneVote, expectRising } from './invariants.js'
import { LogPositions } from './log-positions.js'
import { LeaderProgress } from './progress.js'
import type {
  ControlRecord,
  ElectionState,
  FetchReply,
  LeaderHint,
  LogQueries,
  OutboundCall,
  OutboundReply,
  RaftConfig,
  RaftEffect,
  RaftStart,
} from './raft-types.js'
import type { Candidate, Follower, Leader, Prospective, Resigned, Role, Unattached } from './roles.js'
import { comingElection, leaderEndpointsOf, leaderOf } from './roles.js'
import {
  type Address,
  addressOn,
  endpointsOf,
  isVoter,
  kraftVersions,
  matchesVoter,
  needsUpdate,
  QuorumHistory,
  type RaftEndpoint,
  type ReplicaKey,
  replicaKey,
  type Voter,
  withUpdatedVoter,
} from './voters.js'

/** How soon a follower in a hurry tells a new leader of itself, ms. */
const REPORT_MS: Millis = 100
/** By how much the first elections of voters that start together are apart, ms. */
const TURN_MS: Millis = 20

export class RaftCore {
  readonly config: RaftConfig
  readonly log: LogQueries
  readonly local: ReplicaKey
  readonly history: QuorumHistory
  readonly connections: Connections
  readonly positions: LogPositions
  readonly #randomBelow: (bound: number) => number
  #effects: RaftEffect[] = []
  #now: Millis = 0
  #epoch = 0
  #role: Role = { name: 'unattached', leaderId: -1, voted: null, electionDeadline: Infinity }
  #persisted: ElectionState | null
  #announced: { readonly leaderId: number; readonly epoch: number } | null = null
  shutdownDeadline: Millis | null = null
  isShutDown = false

  constructor(config: RaftConfig, log: LogQueries, start: RaftStart, randomBelow: (bound: number) => number) {
    this.config = config
    this.log = log
    this.local = replicaKey(config.nodeId, config.directoryId)
    this.#randomBelow = randomBelow
    this.history = new QuorumHistory(config.staticVoters)
    for (const change of start.changes) this.history.add(change)
    this.connections = new Connections(config.requestTimeoutMs, config.retryBackoffMs)
    this.#persisted = start.election
    this.positions = new LogPositions(log, start, config.isController, effect => this.emit(effect))
  }

  get now(): Millis {
    return this.#now
  }

  get epoch(): number {
    return this.#epoch
  }

  get role(): Role {
    return this.#role
  }

  /** The offset that the next record gets. */
  get endOffset(): number {
    return this.positions.endOffset
  }

  /** The epoch of the last record. */
  get lastEpoch(): number {
    return this.positions.lastEpoch
  }

  /** Everything below is on the device. */
  get syncedOffset(): number {
    return this.positions.syncedOffset
  }

  /** Everything below is committed, as far as this node knows; -1 when it does not. */
  get highWatermark(): number {
    return this.positions.highWatermark
  }

  get isVoter(): boolean {
    return this.config.isController && isVoter(this.history.voters, this.local)
  }

  /**
   * Whether this node stands for election: as a voter; or as one that was voted out by a record which is not known to
   * be committed, for its log may be needed to commit it (Ongaro's thesis, 4.2.2).
   */
  get mayLead(): boolean {
    if (this.isVoter) return true
    const { votersOffset, previousVoters } = this.history
    const isOpen = votersOffset !== null && votersOffset >= this.highWatermark
    return isOpen && this.config.isController && isVoter(previousVoters, this.local)
  }

  get isOnlyVoter(): boolean {
    return this.isVoter && this.history.voters.length === 1
  }

  /** The leader that this node would name to others; -1 when it knows none. */
  get leaderId(): number {
    return leaderOf(this.#role, this.config.nodeId)
  }

  get leaderEndpoints(): readonly RaftEndpoint[] {
    return leaderEndpointsOf(this.#role, this.config.localEndpoints)
  }

  /** This node as an entry of the voter set. */
  get localVoter(): Voter {
    return {
      key: this.local,
      endpoints: this.config.localEndpoints,
      minKRaftVersion: kraftVersions.min,
      maxKRaftVersion: kraftVersions.max,
    }
  }

  beginStep(now: Millis): void {
    assert(now >= this.#now, `time went back from ${this.#now} to ${now}`)
    this.#now = now
    this.#effects = []
  }

  takeEffects(): readonly RaftEffect[] {
    return this.#effects
  }

  emit(effect: RaftEffect): void {
    if (effect.type === 'persistElection') this.#dropSupersededElection()
    this.#effects.push(effect)
  }

  /** An election state that nothing outside this node can have been told of need not be written before the next one. */
  #dropSupersededElection(): void {
    const index = this.#effects.findLastIndex(effect => effect.type !== 'leaderChanged')
    if (this.#effects[index]?.type === 'persistElection') this.#effects.splice(index, 1)
  }

  warn(message: string): void {
    this.emit({ type: 'warn', message })
  }

  reply(ticket: Ticket, reply: OutboundReply): void {
    this.emit({ type: 'reply', ticket, reply })
  }

  hint(error: ErrorCode): LeaderHint {
    return { error, epoch: this.#epoch, leaderId: this.leaderId, leaderEndpoints: this.leaderEndpoints }
  }

  random(bound: number): number {
    return this.#randomBelow(Math.max(1, Math.floor(bound)))
  }

  randomElectionDeadline(): Millis {
    const { electionTimeoutMs } = this.config
    return this.#now + electionTimeoutMs + this.random(electionTimeoutMs)
  }

  /** Soon, but hardly at the same moment as another voter that tries again. */
  #soon(): Millis {
    return this.#now + TURN_MS + this.random(this.config.electionTimeoutMs / 5)
  }

  /** Soon, but not at the same moment as other voters that begin now. */
  #soonInTurn(): Millis {
    const turn = this.history.voters.findIndex(voter => voter.key.id === this.config.nodeId)
    return this.#now + Math.max(0, turn) * TURN_MS + (turn > 0 ? this.random(TURN_MS) : 0)
  }

  /** Sends a call if the node can take one now; returns whether it was sent. */
  call(nodeId: number, address: Address | null, call: OutboundCall): boolean {
    if (address === null || this.connections.readyAt(nodeId) > this.#now) return false
    const correlationId = this.connections.begin(nodeId, call, this.#now)
    this.emit({ type: 'call', correlationId, nodeId, address, call })
    return true
  }

  addressOf(endpoints: readonly RaftEndpoint[]): Address | null {
    return addressOn(endpoints, this.config.listenerName)
  }

  // Roles

  /** The first role, by what is on disk. */
  start(): void {
    const found = this.#persisted ?? { epoch: 0, leaderId: -1, voted: null }
    const { nodeId } = this.config
    this.#epoch = Math.max(found.epoch, this.lastEpoch)
    const unattached = (leaderId: number, voted: ReplicaKey | null): Unattached => ({
      name: 'unattached',
      leaderId,
      voted,
      electionDeadline: this.config.hurriesElections ? this.#soonInTurn() : this.randomElectionDeadline(),
    })
    const endpoints = endpointsOf(this.history.voters, found.leaderId)
    if (found.epoch < this.lastEpoch) {
      this.#enter(unattached(-1, null), this.#epoch)
    } else if (found.leaderId === nodeId) {
      // Not to lead again in this epoch: what was not flushed may be gone, and offset and epoch must name one record.
      const others = this.history.voters.map(voter => voter.key).filter(key => key.id !== nodeId)
      this.#enter(this.#resignedRole(this.config.hurriesElections ? others : []), found.epoch)
    } else if (found.leaderId !== -1 && endpoints.length > 0) {
      this.#enter(this.#followerRole(found.leaderId, endpoints, found.voted), found.epoch)
    } else if (found.voted !== null && matchesVoter(found.voted, this.local) && this.mayLead) {
      this.#enter(this.#candidateRole(), found.epoch)
    } else {
      this.#enter(unattached(found.leaderId, found.voted), found.epoch)
    }
    if (this.isOnlyVoter && this.#role.name !== 'candidate') this.becomeCandidate()
    else this.afterVote()
    this.positions.requestSync()
  }

  /** Who has this node's vote in this epoch. A leader's own needs no word: nobody else can lead in its epoch. */
  get #voted(): ReplicaKey | null {
    const role = this.#role
    if (role.name === 'candidate') return this.local
    return role.name === 'leader' || role.name === 'resigned' ? null : role.voted
  }

  becomeUnattached(epoch: number, leaderId = -1): void {
    expectRising(this, epoch)
    const sameEpoch = epoch === this.#epoch
    const voted = sameEpoch ? this.#voted : null
    // An election that was coming comes all the same: a node that keeps hearing of new epochs must not be starved.
    const pending = comingElection(this.#role)
    const electionDeadline = pending !== null && !sameEpoch ? pending : this.randomElectionDeadline()
    this.#enter({ name: 'unattached', leaderId, voted, electionDeadline }, epoch)
  }

  /** Gives this node's vote away; only without a leader and without an earlier vote for somebody else. */
  grantVote(candidate: ReplicaKey): void {
    const role = this.#role
    expectOneVote(role, this.#epoch, candidate)
    const electionDeadline = this.randomElectionDeadline()
    if (role.name === 'unattached') {
      this.#enter({ ...role, voted: candidate, electionDeadline }, this.#epoch)
    } else {
      const election = new Election(this.history.voters, this.config.nodeId)
      this.#enter({ ...role, voted: candidate, electionDeadline, election }, this.#epoch)
    }
  }

  becomeProspective(): void {
    const role = this.#role
    assert(this.mayLead && role.name !== 'leader' && role.name !== 'resigned')
    const { leaderId, leaderEndpoints } = this
    const leaderHasResigned = role.name === 'follower' && role.leaderHasResigned
    const known = { leaderId, leaderEndpoints, leaderHasResigned, voted: this.#voted }
    const election = new Election(this.history.voters, this.config.nodeId)
    const electionDeadline = this.randomElectionDeadline()
    this.#enter({ name: 'prospective', ...known, election, electionDeadline }, this.#epoch)
    this.afterVote()
  }

  becomeCandidate(): void {
    assert(this.mayLead && this.#role.name !== 'leader')
    this.#enter(this.#candidateRole(), this.#epoch + 1)
    this.afterVote()
  }

  #candidateRole(): Candidate {
    const election = new Election(this.history.voters, this.config.nodeId)
    return { name: 'candidate', election, electionDeadline: this.randomElectionDeadline() }
  }

  /** An answer came in: an election may be decided. */
  afterVote(): void {
    const role = this.#role
    if (role.name === 'prospective') {
      if (role.election.isWon) this.becomeCandidate()
      else if (role.election.isLost) this.loseProspective(role)
    } else if (role.name === 'candidate' && role.election.isWon) {
      this.#becomeLeader(role)
    } else if (role.name === 'candidate' && role.election.isLost && this.config.hurriesElections) {
      role.electionDeadline = Math.min(role.electionDeadline, this.#soon())
    }
  }

  /** Back to the leader that was known, if it can be reached. */
  loseProspective(role: Prospective): void {
    if (role.leaderId !== -1 && role.leaderId !== this.config.nodeId && role.leaderEndpoints.length > 0) {
      const follower = this.#followerRole(role.leaderId, role.leaderEndpoints, role.voted)
      // Whoever has refused had not heard of the resignation yet.
      if (role.leaderHasResigned) follower.fetchDeadline = this.#soon()
      this.#enter({ ...follower, leaderHasResigned: role.leaderHasResigned }, this.#epoch)
    } else {
      this.becomeUnattached(this.#epoch, role.leaderId)
    }
  }

  #becomeLeader(candidate: Candidate): void {
    const voters = this.history.voters
    const epochStartOffset = this.endOffset
    const progress = new LeaderProgress(this.local, voters, epochStartOffset, this.config.fetchTimeoutMs, this.#now)
    progress.setLocalEndOffset(this.syncedOffset)
    this.#enter(
      { name: 'leader', epochStartOffset, progress, parked: new Map(), pending: null, reported: new Map() },
      this.#epoch,
    )
    const records: ControlRecord[] = [
      {
        type: 'leaderChange',
        leaderId: this.config.nodeId,
        voters: voters.map(voter => voter.key.id),
        granting: [...candidate.election.granting],
      },
    ]
    const { kraftVersion, votersOffset } = this.history
    if (kraftVersion > 0) {
      assert(votersOffset !== null, `kraft.version is ${kraftVersion} and no record names the voters`)
      if (votersOffset === -1 || needsUpdate(voters, this.localVoter)) {
        const updated = withUpdatedVoter(voters, this.localVoter) ?? voters
        records.push({ type: 'kraftVersion', kraftVersion }, { type: 'voters', voters: updated })
      }
    }
    this.appendControl(records)
  }

  /** Follows a leader of the current epoch or a later one. */
  becomeFollower(epoch: number, leaderId: number, endpoints: readonly RaftEndpoint[]): void {
    expectOneLeader(this, epoch, leaderId, endpoints)
    const voted = epoch === this.#epoch ? this.#voted : null
    this.#enter(this.#followerRole(leaderId, endpoints, voted), epoch)
  }

  #followerRole(leaderId: number, leaderEndpoints: readonly RaftEndpoint[], voted: ReplicaKey | null): Follower {
    const { fetchTimeoutMs, hurriesElections } = this.config
    const reportAfterMs = hurriesElections ? Math.min(REPORT_MS, 2 * fetchTimeoutMs) : 2 * fetchTimeoutMs
    return {
      name: 'follower',
      leaderId,
      leaderEndpoints,
      voted,
      fetchDeadline: this.#now + fetchTimeoutMs,
      hasFetched: false,
      leaderHasResigned: false,
      leaderHighWatermark: -1,
      snapshot: null,
      updateVoterDeadline: this.#now + reportAfterMs,
      hasUpdatedLeader: false,
    }
  }

  becomeResigned(): void {
    const role = this.#role
    assert(role.name === 'leader')
    this.#enter(this.#resignedRole(role.progress.successors), this.#epoch)
  }

  #resignedRole(preferredCandidates: readonly ReplicaKey[]): Resigned {
    const { nodeId } = this.config
    const others = this.history.voters.map(voter => voter.key.id).filter(id => id !== nodeId)
    const electionDeadline = this.randomElectionDeadline()
    return { name: 'resigned', unacknowledged: new Set(others), preferredCandidates, electionDeadline }
  }

  /** Every change of role and epoch goes through here. */
  #enter(role: Role, epoch: number): void {
    const left = this.#role
    this.#role = role
    this.#epoch = epoch
    this.connections.reset()
    this.#persist()
    this.#announce()
    if (left.name === 'leader' && left !== role) this.#closeLeader(left)
  }

  #persist(): void {
    const role = this.#role
    const { nodeId } = this.config
    const leads = role.name === 'leader' || role.name === 'resigned'
    const state = { epoch: this.#epoch, leaderId: leads ? nodeId : this.leaderId, voted: this.#voted }
    const last = this.#persisted
    const isSame = last !== null && sameElection(last, state)
    if (isSame) return
    this.#persisted = state
    this.emit({ type: 'persistElection', state })
  }

  #announce(): void {
    const { leaderId, epoch } = this
    if (this.#announced !== null && this.#announced.leaderId === leaderId && this.#announced.epoch === epoch) return
    this.#announced = { leaderId, epoch }
    const epochStartOffset = this.#role.name === 'leader' ? this.#role.epochStartOffset : null
    this.emit({ type: 'leaderChanged', leaderId, epoch, epochStartOffset })
  }

  /** Whoever waits for this node as a leader is told that it is none. */
  #closeLeader(leader: Leader): void {
    for (const { ticket } of leader.parked.values())
      this.reply(ticket, this.fetchError(ErrorCode.NOT_LEADER_OR_FOLLOWER))
    leader.parked.clear()
    if (leader.pending !== null) {
      const { kind, ticket } = leader.pending
      this.reply(ticket, { api: kind, error: ErrorCode.NOT_LEADER_OR_FOLLOWER, message: null })
      leader.pending = null
    }
  }

  fetchError(error: ErrorCode): FetchReply {
    return {
      api: 'fetch',
      ...this.hint(error),
      highWatermark: -1,
      logStartOffset: this.log.startOffset,
      diverging: null,
      snapshotId: null,
      read: null,
    }
  }

  /** The checks of every request that only the leader of exactly that epoch answers. */
  leaderOnly(epoch: number): ErrorCode {
    if (epoch < this.#epoch) return ErrorCode.FENCED_LEADER_EPOCH
    if (epoch > this.#epoch) return ErrorCode.UNKNOWN_LEADER_EPOCH
    if (this.#role.name !== 'leader') return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (this.shutdownDeadline !== null) return ErrorCode.BROKER_NOT_AVAILABLE
    return ErrorCode.NONE
  }

  /**
   * Takes in what a message says about epoch and leader. False when it contradicts what this node knows: then somebody
   * breaks the protocol, and nothing was changed.
   */
  learn(epoch: number, leaderId: number, endpoints: readonly RaftEndpoint[], from: string): boolean {
    if (epoch < this.#epoch) return true
    const known = this.leaderId
    // Led once and forgotten, or resigned: whoever still names this node will learn better.
    if (leaderId === this.config.nodeId) leaderId = -1
    if (epoch === this.#epoch && leaderId !== -1 && known !== -1 && leaderId !== known) {
      this.warn(`${from} names ${leaderId} as leader of epoch ${epoch}, which ${known} leads`)
      return false
    }
    const reachable = endpoints.length > 0 ? endpoints : endpointsOf(this.history.voters, leaderId)
    if (epoch > this.#epoch) {
      if (leaderId !== -1 && reachable.length > 0) this.becomeFollower(epoch, leaderId, reachable)
      else this.becomeUnattached(epoch, leaderId)
    } else if (leaderId !== -1 && reachable.length > 0) {
      const role = this.#role
      if (role.name === 'follower') {
        if (reachable.length > role.leaderEndpoints.length) role.leaderEndpoints = reachable
      } else if (known === -1 || role.name === 'unattached' || this.leaderEndpoints.length === 0) {
        this.becomeFollower(epoch, leaderId, reachable)
      }
    }
    return true
  }

  // Log

  /** Appends control records as one batch and counts them at once. */
  appendControl(records: readonly ControlRecord[]): number {
    const baseOffset = this.endOffset
    this.emit({ type: 'appendControl', baseOffset, epoch: this.#epoch, records })
    for (const [index, record] of records.entries()) {
      const offset = baseOffset + index
      if (record.type === 'kraftVersion') this.history.add({ offset, kraftVersion: record.kraftVersion })
      if (record.type === 'voters') this.history.add({ offset, voters: record.voters })
    }
    this.positions.extend(baseOffset + records.length, this.#epoch)
    if (this.#role.name === 'leader') this.#role.progress.setVoters(this.history.voters, this.#now)
    return baseOffset + records.length - 1
  }

  /** Cuts the log back; committed records must never be cut. */
  truncate(endOffset: number): void {
    this.positions.truncate(endOffset)
    this.history.truncateTo(this.endOffset)
  }
}
