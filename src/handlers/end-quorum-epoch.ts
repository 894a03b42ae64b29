import { EndQuorumEpoch } from '#protocol/messages/end-quorum-epoch.js'
import { answerEndQuorumEpoch } from '../raft/wire-requests.js'
import { handler } from './handler.js'
import { askerOf, type QuorumServices, sourceOf } from './quorum-services.js'

/**
 * EndQuorumEpoch 0-1.
 * Behaviour: a leader that goes tells the voters, and who should try to follow it first.
 * Versions:  1 flexible, candidates with directory ids, endpoints of the leader (KIP-853).
 */
export const endQuorumEpoch = handler(EndQuorumEpoch, (services: QuorumServices, request, context) =>
  answerEndQuorumEpoch(askerOf(services), request, sourceOf(services, context)),
)
