import { FetchSnapshot } from '#protocol/messages/fetch-snapshot.js'
import { answerFetchSnapshot } from '../raft/wire-requests.js'
import { handler } from './handler.js'
import { askerOf, type QuorumServices, sourceOf } from './quorum-services.js'

/**
 * FetchSnapshot 0-1.
 * Behaviour: bytes of a snapshot of the metadata log from a position on, for a replica that is too far behind for the
 *            log; answered by the leader. The snapshot that formatting leaves is not given out.
 * Versions:  1 directory id of the replica and endpoints of the leader (KIP-853).
 */
export const fetchSnapshot = handler(FetchSnapshot, (services: QuorumServices, request, context) =>
  answerFetchSnapshot(askerOf(services), request, sourceOf(services, context)),
)
