import { Vote } from '#protocol/messages/vote.js'
import { answerVote } from '../raft/wire-requests.js'
import { handler } from './handler.js'
import { askerOf, type QuorumServices, sourceOf } from './quorum-services.js'

/**
 * Vote 0-2.
 * Behaviour: a voter asks for this node's vote in an epoch, or whether it would get it. A vote that is given is on disk
 *            before the answer.
 * Versions:  1 directory ids and endpoints of the leader (KIP-853), 2 pre-votes (KIP-996).
 */
export const vote = handler(Vote, (services: QuorumServices, request, context) =>
  answerVote(askerOf(services), request, sourceOf(services, context)),
)
