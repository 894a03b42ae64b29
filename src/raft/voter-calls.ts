/** AddRaftVoter, RemoveRaftVoter, UpdateRaftVoter and the upgrade of kraft.version (KIP-853): one change at a time. */
import { strict as assert } from 'node:assert'
import { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../runtime/machine.js'
import type { RaftCore } from './core.js'
import type {
  AddVoterCall,
  ApiVersionsReply,
  ChangeVoterReply,
  RemoveVoterCall,
  UpdateVoterCall,
  UpdateVoterReply,
  UpgradeKRaftVersionCall,
} from './raft-types.js'
import type { Leader, PendingChange } from './roles.js'
import {
  describeReplica,
  findVoter,
  hasDirectory,
  isVoter,
  kraftVersions,
  needsUpdate,
  type RaftEndpoint,
  type Voter,
  type VoterSet,
  withoutVoter,
  withUpdatedVoter,
  withVoter,
} from './voters.js'

type Refusal = { readonly error: ErrorCode; readonly message: string }

/** Why the voters cannot be changed now; null if they can. */
function refusal(core: RaftCore, leader: Leader, verb: 'adding' | 'removing' | 'updating'): Refusal | null {
  const timedOut = (message: string): Refusal => ({ error: ErrorCode.REQUEST_TIMED_OUT, message })
  if (leader.pending !== null) {
    return timedOut('Request timed out waiting for leader to handle previous voter change request')
  }
  const highWatermark = leader.progress.highWatermark
  if (highWatermark === -1) {
    return timedOut('Request timed out waiting for leader to establish HWM and fence previous voter changes')
  }
  const { kraftVersion, votersOffset } = core.history
  if (kraftVersion < 1) {
    const message = `Cluster doesn't support ${verb} voter because the kraft.version feature is ${kraftVersion}`
    return { error: ErrorCode.UNSUPPORTED_VERSION, message }
  }
  if (votersOffset === null || votersOffset >= highWatermark) {
    return timedOut(
      `Request timed out waiting for voters to commit the latest voter change at ${votersOffset} with HWM ${highWatermark}`,
    )
  }
  return null
}

function listVoters(voters: VoterSet): string {
  return `[${voters.map(voter => describeReplica(voter.key)).join(', ')}]`
}

/** Endpoints as Kafka's messages show them. */
function listEndpoints(endpoints: readonly RaftEndpoint[]): string {
  const all = endpoints.map(({ name, host, port }) => `ListenerName(${name})=${host}/<unresolved>:${port}`)
  return `Endpoints(endpoints={${all.join(', ')}})`
}

/** Answers at once with what is wrong; null while the new voter is asked and its record committed. */
export function handleAddVoter(core: RaftCore, ticket: Ticket, call: AddVoterCall): ChangeVoterReply | null {
  const answer = (error: ErrorCode, message: string | null): ChangeVoterReply => ({ api: 'addVoter', error, message })

  const error = core.leaderOnly(core.epoch)
  const leader = core.role
  if (error !== ErrorCode.NONE || leader.name !== 'leader') return answer(error, null)
  if (call.voter.id < 0 || !hasDirectory(call.voter)) {
    return answer(ErrorCode.INVALID_REQUEST, "Add voter request didn't include a valid voter")
  }
  const address = core.addressOf(call.endpoints)
  if (address === null) {
    const message =
      `Add voter request didn't include the endpoint (${listEndpoints(call.endpoints)}) for the default listener ` +
      `ListenerName(${core.config.listenerName})`
    return answer(ErrorCode.INVALID_REQUEST, message)
  }
  const refused = refusal(core, leader, 'adding')
  if (refused !== null) return answer(refused.error, refused.message)
  const { voters } = core.history
  if (findVoter(voters, call.voter.id) !== undefined) {
    const message = `The voter id for ${describeReplica(call.voter)} is already part of the set of voters ${listVoters(voters)}.`
    return answer(ErrorCode.DUPLICATE_VOTER, message)
  }
  if (!core.call(call.voter.id, address, { api: 'apiVersions' })) {
    const message = `New voter ${describeReplica(call.voter)} is not ready to receive requests`
    return answer(ErrorCode.REQUEST_TIMED_OUT, message)
  }
  leader.pending = {
    kind: 'addVoter',
    ticket,
    deadline: core.now + core.config.requestTimeoutMs,
    adding: { key: call.voter, endpoints: call.endpoints, ack: call.ackWhenCommitted },
    offset: -1,
  }
  return null
}

/** The new voter has said which levels of kraft.version it supports, or null when it could not be asked. */
export function handleNewVoterVersions(core: RaftCore, from: number, reply: ApiVersionsReply | null): boolean {
  const leader = core.role
  if (leader.name !== 'leader' || leader.pending === null) return true
  const { pending } = leader
  const { adding, ticket } = pending
  if (adding === null || adding.key.id !== from) return true
  const abort = (error: ErrorCode, message: string): boolean => {
    leader.pending = null
    core.reply(ticket, { api: 'addVoter', error, message })
    return error !== ErrorCode.REQUEST_TIMED_OUT
  }

  if (reply === null || reply.error !== ErrorCode.NONE) {
    const message = 'Aborted add voter operation for since API_VERSIONS returned an error'
    return abort(ErrorCode.REQUEST_TIMED_OUT, message)
  }
  const range = reply.kraftVersions ?? { min: 0, max: 0 }
  const { kraftVersion } = core.history
  const who = describeReplica(adding.key)
  if (range.min > kraftVersion || range.max < kraftVersion) {
    const message =
      `Aborted add voter operation for ${who} since the kraft.version range (min: ${range.min}, max: ${range.max}) ` +
      `doesn't support the finalized version ${kraftVersion}`
    return abort(ErrorCode.INVALID_REQUEST, message)
  }
  if (!leader.progress.isCaughtUp(adding.key, core.now)) {
    return abort(ErrorCode.REQUEST_TIMED_OUT, `Aborted add voter operation for ${who} since it is lagging behind`)
  }
  const voter: Voter = {
    key: adding.key,
    endpoints: adding.endpoints,
    minKRaftVersion: range.min,
    maxKRaftVersion: range.max,
  }
  const voters = withVoter(core.history.voters, voter)
  assert(voters !== null)
  const offset = core.appendControl([{ type: 'voters', voters }])
  if (adding.ack) {
    leader.pending = { ...pending, adding: null, offset }
  } else {
    leader.pending = null
    core.reply(ticket, { api: 'addVoter', error: ErrorCode.NONE, message: null })
  }
  return true
}

/** Answers at once with what is wrong; null until the record is committed. */
export function handleRemoveVoter(core: RaftCore, ticket: Ticket, call: RemoveVoterCall): ChangeVoterReply | null {
  const answer = (error: ErrorCode, message: string | null): ChangeVoterReply => ({
    api: 'removeVoter',
    error,
    message,
  })

  const error = core.leaderOnly(core.epoch)
  const leader = core.role
  if (error !== ErrorCode.NONE || leader.name !== 'leader') return answer(error, null)
  if (call.voter.id < 0 || !hasDirectory(call.voter)) {
    return answer(ErrorCode.INVALID_REQUEST, "Remove voter request didn't include a valid voter")
  }
  const refused = refusal(core, leader, 'removing')
  if (refused !== null) return answer(refused.error, refused.message)
  const { voters } = core.history
  const left = withoutVoter(voters, call.voter)
  if (left === null) {
    const message = `Cannot remove voter ${describeReplica(call.voter)} from the set of voters ${listVoters(voters)}`
    return answer(ErrorCode.VOTER_NOT_FOUND, message)
  }
  const offset = core.appendControl([{ type: 'voters', voters: left }])
  const deadline = core.now + core.config.requestTimeoutMs
  leader.pending = { kind: 'removeVoter', ticket, deadline, adding: null, offset }
  return null
}

export function handleUpdateVoter(core: RaftCore, call: UpdateVoterCall): UpdateVoterReply {
  const answer = (error: ErrorCode): UpdateVoterReply => ({ api: 'updateVoter', ...core.hint(error) })

  const error = core.leaderOnly(call.epoch)
  const leader = core.role
  if (error !== ErrorCode.NONE || leader.name !== 'leader') return answer(error)
  const { minKRaftVersion: min, maxKRaftVersion: max } = call
  const isMalformed = call.voter.id < 0 || !hasDirectory(call.voter) || min < 0 || max < min
  if (isMalformed || core.addressOf(call.endpoints) === null) return answer(ErrorCode.INVALID_REQUEST)
  const { voters, kraftVersion } = core.history
  if (kraftVersion < 1) {
    // There is no record to write it to; it is kept for the upgrade.
    if (leader.pending !== null || leader.progress.highWatermark === -1) return answer(ErrorCode.REQUEST_TIMED_OUT)
    if (!isVoter(voters, call.voter)) return answer(ErrorCode.VOTER_NOT_FOUND)
    leader.reported.set(call.voter.id, call)
    return answer(ErrorCode.NONE)
  }
  const refused = refusal(core, leader, 'updating')
  if (refused !== null) return answer(refused.error)
  if (min > kraftVersion || max < kraftVersion) return answer(ErrorCode.INVALID_REQUEST)
  const updated = withUpdatedVoter(voters, asVoter(call))
  if (updated === null) return answer(ErrorCode.VOTER_NOT_FOUND)
  core.appendControl([{ type: 'voters', voters: updated }])
  return answer(ErrorCode.NONE)
}

function asVoter(call: UpdateVoterCall): Voter {
  const { voter: key, endpoints, minKRaftVersion, maxKRaftVersion } = call
  return { key, endpoints, minKRaftVersion, maxKRaftVersion }
}

/** From static voters (0) to voters that stand in the log (1); there is no way back. */
export function handleUpgradeKRaftVersion(core: RaftCore, call: UpgradeKRaftVersionCall): ChangeVoterReply {
  const answer = (error: ErrorCode, message: string | null = null): ChangeVoterReply => ({
    api: 'upgradeKRaftVersion',
    error,
    message,
  })

  const error = core.leaderOnly(call.epoch)
  const leader = core.role
  if (error !== ErrorCode.NONE || leader.name !== 'leader') return answer(error)
  const { kraftVersion, voters } = core.history
  if (call.kraftVersion === kraftVersion) return answer(ErrorCode.NONE)
  if (call.kraftVersion < kraftVersion || call.kraftVersion > kraftVersions.max) {
    const message =
      call.kraftVersion < kraftVersion
        ? `Invalid update version ${call.kraftVersion} for feature kraft.version. Can't downgrade the version of this feature.`
        : `Invalid update version ${call.kraftVersion} for feature kraft.version. Local controller ${core.config.nodeId} only supports versions ${kraftVersions.min}-${kraftVersions.max}`
    return answer(ErrorCode.INVALID_UPDATE_VERSION, message)
  }
  if (leader.progress.highWatermark === -1) {
    return answer(ErrorCode.REQUEST_TIMED_OUT, 'The leader has not committed anything in its epoch yet')
  }
  const known: Voter[] = []
  for (const voter of voters) {
    const report = leader.reported.get(voter.key.id)
    if (voter.key.id === core.config.nodeId) known.push(core.localVoter)
    else if (report !== undefined) known.push(asVoter(report))
  }
  const unable = known.filter(voter => voter.maxKRaftVersion < call.kraftVersion)
  if (known.length < voters.length || unable.length > 0) {
    const message =
      known.length < voters.length
        ? `Unable to upgrade kraft.version to ${call.kraftVersion}: not all voters have reported their directory ids yet`
        : `Unable to upgrade kraft.version to ${call.kraftVersion}: not supported by ${listVoters(unable)}`
    return answer(ErrorCode.INVALID_UPDATE_VERSION, message)
  }
  if (!call.validateOnly) {
    core.appendControl([
      { type: 'kraftVersion', kraftVersion: call.kraftVersion },
      { type: 'voters', voters: known },
    ])
  }
  return answer(ErrorCode.NONE)
}

/**
 * Ends a change whose record is committed, or whose time is over. Whether the leader has to resign: it voted itself
 * out.
 */
export function settleChange(core: RaftCore, leader: Leader): boolean {
  const { pending } = leader
  if (pending !== null) {
    const isCommitted = pending.offset !== -1 && leader.progress.highWatermark > pending.offset
    if (isCommitted) end(core, leader, pending, ErrorCode.NONE)
    else if (pending.deadline <= core.now) end(core, leader, pending, ErrorCode.REQUEST_TIMED_OUT)
  }
  const { votersOffset, voters } = core.history
  const isSetCommitted = votersOffset !== null && leader.progress.highWatermark > votersOffset
  return isSetCommitted && !isVoter(voters, core.local)
}

function end(core: RaftCore, leader: Leader, pending: PendingChange, error: ErrorCode): void {
  leader.pending = null
  core.reply(pending.ticket, { api: pending.kind, error, message: null })
}

/** What a node of the quorum has to ask of the leader about itself; null when nothing. */
export function ownVoterCall(
  core: RaftCore,
  leaderKnows: boolean,
): AddVoterCall | RemoveVoterCall | UpdateVoterCall | null {
  const { config, history, local, epoch } = core
  const { voters, kraftVersion } = history
  if (core.isVoter) {
    const mustUpdate = kraftVersion > 0 ? needsUpdate(voters, core.localVoter) : !leaderKnows
    if (!mustUpdate) return null
    const { endpoints, minKRaftVersion, maxKRaftVersion } = core.localVoter
    return { api: 'updateVoter', epoch, voter: local, endpoints, minKRaftVersion, maxKRaftVersion }
  }
  if (!config.isController || !config.autoJoin || kraftVersion < 1) return null
  // An entry with another directory: the disk of this node was replaced.
  const old = findVoter(voters, local.id)
  if (old !== undefined) return { api: 'removeVoter', voter: old.key }
  const { requestTimeoutMs: timeoutMs, localEndpoints: endpoints } = config
  return { api: 'addVoter', voter: local, endpoints, ackWhenCommitted: false, timeoutMs }
}
