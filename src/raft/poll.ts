/** What is due at this moment, role by role: timers that have run out and calls that can be sent. */
import type { Millis } from '../runtime/ports.js'
import type { RaftCore } from './core.js'
import { nextFetch, serveParked } from './fetch-calls.js'
import type { Follower, Leader, Resigned } from './roles.js'
import { ownVoterCall, settleChange } from './voter-calls.js'
import { type Address, addressOn, endpointsOf, findVoter } from './voters.js'

/** A change of role makes new things due; there are never more of them in one step. */
const changesMax = 20

/** Does all that is due; returns when something will be. */
export function poll(core: RaftCore): Millis {
  for (let changes = 0; changes < changesMax; changes++) {
    const { role, epoch } = core
    const deadline = pollRole(core)
    if (core.role === role && core.epoch === epoch) return deadline
  }
  throw new Error(`the role does not settle: ${core.role.name} in epoch ${core.epoch}`)
}

function pollRole(core: RaftCore): Millis {
  if (core.isShutDown) return Infinity
  const { role } = core
  const isStopping = core.shutdownDeadline !== null
  switch (role.name) {
    case 'leader':
      return pollLeader(core, role)
    case 'resigned':
      return pollResigned(core, role)
    case 'follower':
      return isStopping ? finishShutdown(core) : pollFollower(core, role)
    case 'candidate':
    case 'prospective': {
      if (isStopping) return finishShutdown(core)
      if (!core.mayLead) {
        core.becomeUnattached(core.epoch, core.leaderId)
      } else if (role.electionDeadline <= core.now) {
        if (role.name === 'candidate') core.becomeProspective()
        else core.loseProspective(role)
      } else if (!role.election.isLost) {
        return Math.min(role.electionDeadline, sendVotes(core, role.election.missing, role.name === 'prospective'))
      }
      return role.electionDeadline
    }
    case 'unattached': {
      if (isStopping) return finishShutdown(core)
      if (core.mayLead && role.electionDeadline <= core.now) {
        core.becomeProspective()
        return Infinity
      }
      // Whoever has this node's vote will tell when it leads.
      const isWaiting = role.voted !== null && role.leaderId === -1 && core.mayLead
      const next = isWaiting ? Infinity : fetchFromAnybody(core)
      return core.mayLead ? Math.min(role.electionDeadline, next) : next
    }
  }
}

function finishShutdown(core: RaftCore): Millis {
  core.isShutDown = true
  core.emit({ type: 'shutdownReady' })
  return Infinity
}

function pollLeader(core: RaftCore, leader: Leader): Millis {
  const { progress } = leader
  const mustResign = settleChange(core, leader) || progress.checkQuorumDeadline <= core.now
  if (mustResign || core.shutdownDeadline !== null) {
    core.becomeResigned()
    return Infinity
  }
  serveParked(core)
  for (const voter of progress.votersToTell(core.now)) {
    const { epoch, config } = core
    const sent = core.call(voter.key.id, core.addressOf(voter.endpoints), {
      api: 'beginQuorumEpoch',
      voter: voter.key,
      leaderId: config.nodeId,
      epoch,
      leaderEndpoints: config.localEndpoints,
    })
    if (sent) progress.told(voter.key.id, core.now)
  }
  let next = Math.min(progress.checkQuorumDeadline, leader.pending?.deadline ?? Infinity)
  for (const parked of leader.parked.values()) next = Math.min(next, parked.deadline)
  for (const voter of progress.votersToTell(core.now)) next = Math.min(next, retryAt(core, voter.key.id))
  return Math.min(next, progress.nextTellAfter(core.now))
}

/** When a node that could not be called now can be. */
function retryAt(core: RaftCore, nodeId: number): Millis {
  const at = core.connections.readyAt(nodeId)
  // Ready and not called: it has no address on our listener, and will have none before the voters change.
  return at > core.now ? at : Infinity
}

function pollResigned(core: RaftCore, role: Resigned): Millis {
  const { config, epoch, history } = core
  const isStopping = core.shutdownDeadline !== null
  if (isStopping && (role.unacknowledged.size === 0 || core.shutdownDeadline! <= core.now)) return finishShutdown(core)
  if (!isStopping && core.isOnlyVoter) {
    core.becomeCandidate()
    return Infinity
  }
  // Who was voted out has no part in the election, and is not told who wins it: it asks.
  const isOut = config.hurriesElections && !core.mayLead && role.unacknowledged.size === 0
  if (!isStopping && (isOut || role.electionDeadline <= core.now)) {
    core.becomeUnattached(epoch + 1)
    return Infinity
  }
  let next = isStopping ? core.shutdownDeadline! : role.electionDeadline
  for (const id of role.unacknowledged) {
    core.call(id, core.addressOf(endpointsOf(history.voters, id)), {
      api: 'endQuorumEpoch',
      leaderId: config.nodeId,
      epoch,
      preferredCandidates: role.preferredCandidates,
      leaderEndpoints: config.localEndpoints,
    })
    next = Math.min(next, retryAt(core, id))
  }
  return next
}

/**
 * Asks with what is on the device: who has granted its vote grants it again, so that a candidate that comes back from a
 * power failure must not have less than what it asked with.
 */
function sendVotes(core: RaftCore, missing: readonly number[], preVote: boolean): Millis {
  let next = Infinity
  if (core.syncedOffset < core.endOffset) return next
  for (const id of missing) {
    const voter = findVoter(core.history.voters, id)
    if (voter === undefined) continue
    core.call(id, core.addressOf(voter.endpoints), {
      api: 'vote',
      voter: voter.key,
      candidate: core.local,
      epoch: core.epoch,
      lastEpoch: core.lastEpoch,
      lastOffset: core.endOffset,
      preVote,
    })
    next = Math.min(next, retryAt(core, id))
  }
  return next
}

function pollFollower(core: RaftCore, follower: Follower): Millis {
  if (core.mayLead && follower.fetchDeadline <= core.now) {
    core.becomeProspective()
    return Infinity
  }
  // What was fetched is fetched on from only when it is on the device: the next fetch tells the leader so.
  if (core.syncedOffset < core.endOffset) return core.mayLead ? follower.fetchDeadline : Infinity
  // A snapshot that is whole is being put in place.
  if (follower.snapshot !== null && follower.snapshot.position === follower.snapshot.size) return Infinity
  const { leaderId } = follower
  const address = core.addressOf(follower.leaderEndpoints)
  if (!core.mayLead && (follower.fetchDeadline <= core.now || core.connections.isFailing(leaderId, core.now))) {
    // Somebody else may know of a newer leader, or it may be back.
    core.connections.giveUp(leaderId, core.now)
    return fetchFromAnybody(core)
  }
  if (follower.updateVoterDeadline <= core.now && core.connections.readyAt(leaderId) <= core.now) {
    follower.updateVoterDeadline = core.now + 2 * core.config.fetchTimeoutMs
    const call = ownVoterCall(core, follower.hasUpdatedLeader)
    if (call !== null) core.call(leaderId, address, call)
  }
  core.call(leaderId, address, nextFetch(core, follower))
  // What is due and could not be sent follows when the call that is under way has come back.
  const updateAt = follower.updateVoterDeadline > core.now ? follower.updateVoterDeadline : Infinity
  const next = Math.min(retryAt(core, leaderId), updateAt)
  return core.mayLead ? Math.min(next, follower.fetchDeadline) : next
}

/**
 * Asks one who may know the leader: a voter as the log knows them, or a bootstrap server, for the log may be old.
 * Returns when to ask again.
 */
function fetchFromAnybody(core: RaftCore): Millis {
  const { config, history, connections } = core
  const places: { readonly nodeId: number; readonly address: Address }[] = []
  for (const voter of history.voters) {
    const address = addressOn(voter.endpoints, config.listenerName)
    if (address !== null && voter.key.id !== config.nodeId) places.push({ nodeId: voter.key.id, address })
  }
  for (const [index, address] of config.bootstrapServers.entries()) {
    const isSame = (other: Address): boolean => other.host === address.host && other.port === address.port
    const isKnown = config.localEndpoints.some(isSame) || places.some(place => isSame(place.address))
    if (!isKnown) places.push({ nodeId: -2 - index, address })
  }
  const leader = core.addressOf(core.leaderEndpoints)
  if (leader !== null && !places.some(place => place.nodeId === core.leaderId)) {
    places.push({ nodeId: core.leaderId, address: leader })
  }
  // One at a time is enough, and an answer that comes late is still one.
  const busy = places.filter(place => connections.isBusy(place.nodeId, core.now))
  if (busy.length > 0) return Math.min(...busy.map(place => connections.readyAt(place.nodeId)))
  const ready = places.filter(place => connections.readyAt(place.nodeId) <= core.now)
  if (ready.length === 0) return Math.min(Infinity, ...places.map(place => connections.readyAt(place.nodeId)))
  const { nodeId, address } = ready[core.random(ready.length)]!
  core.call(nodeId, address, nextFetch(core, null))
  return connections.readyAt(nodeId)
}
