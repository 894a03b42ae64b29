import { BeginQuorumEpoch } from '#protocol/messages/begin-quorum-epoch.js'
import { answerBeginQuorumEpoch } from '../raft/wire-requests.js'
import { handler } from './handler.js'
import { askerOf, type QuorumServices, sourceOf } from './quorum-services.js'

/**
 * BeginQuorumEpoch 0-1.
 * Behaviour: a new leader tells the voters that it leads; they follow it.
 * Versions:  1 flexible, directory ids and endpoints of the leader (KIP-853).
 */
export const beginQuorumEpoch = handler(BeginQuorumEpoch, (services: QuorumServices, request, context) =>
  answerBeginQuorumEpoch(askerOf(services), request, sourceOf(services, context)),
)
