import { Fetch } from '#protocol/messages/fetch.js'
import { answerFetch } from '../raft/wire-requests.js'
import { handler } from './handler.js'
import { patientAskerOf, type QuorumServices, sourceOf } from './quorum-services.js'

/**
 * Fetch 4-18 on listeners of controllers.
 * Behaviour: the metadata log, which is all that a controller has: records for voters and observers, committed or not,
 *            where a log that differs has to be cut, or which snapshot to take. Anybody else than the leader says who
 *            leads. A fetch that finds nothing new is held.
 * Versions:  12 the epoch of the last record, 13 topic ids, 15 the replica as a tagged field, 17 its directory id
 *            (KIP-853), 18 its high watermark (KIP-1166).
 */
export const fetchMetadataLog = handler(Fetch, (services: QuorumServices, request, context) =>
  answerFetch(patientAskerOf(services, context), request, context.apiVersion, sourceOf(services, context)),
)
