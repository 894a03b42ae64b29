import { UpdateRaftVoter } from '#protocol/messages/update-raft-voter.js'
import { answerUpdateVoter } from '../raft/wire-requests.js'
import { handler } from './handler.js'
import { askerOf, type QuorumServices, sourceOf } from './quorum-services.js'

/**
 * UpdateRaftVoter 0.
 * Behaviour: a voter tells the leader where it listens and which levels of kraft.version it supports.
 */
export const updateRaftVoter = handler(UpdateRaftVoter, (services: QuorumServices, request, context) =>
  answerUpdateVoter(askerOf(services), request, sourceOf(services, context)),
)
