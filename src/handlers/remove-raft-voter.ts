import { RemoveRaftVoter } from '#protocol/messages/remove-raft-voter.js'
import { answerRemoveVoter } from '../raft/wire-requests.js'
import { handler } from './handler.js'
import { askerOf, type QuorumServices, sourceOf } from './quorum-services.js'

/**
 * RemoveRaftVoter 0.
 * Behaviour: answered by the leader of the metadata quorum: a controller is no voter any more. A leader that removes
 *            itself resigns when that is committed.
 */
export const removeRaftVoter = handler(RemoveRaftVoter, (services: QuorumServices, request, context) =>
  answerRemoveVoter(askerOf(services), request, sourceOf(services, context)),
)
