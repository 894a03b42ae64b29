import { Produce } from '#protocol/messages/produce.js'
import type { Producing } from '../replication/producing.js'
import { rawHandler } from './raw-handler.js'

/**
 * Produce 3-13.
 * Behaviour: appends one v2 batch for each partition. acks 0 is not answered, and an error then ends the connection; 1
 *            is answered when the leader's log has the records, -1 when all in-sync replicas have them and there are
 *            `min.insync.replicas` of them. A batch that was sent before is answered with its first offset.
 * Versions:  3 the first with v2 batches, 5 log start offset, 7 zstd, 8 errors of single records, 9 flexible, 10 the
 *            leader that should have been asked, 12 implicit transactions, 13 topic ids.
 */
export const produce = rawHandler<{ readonly replicas: { readonly producing: Producing } }>(
  Produce,
  'free',
  ({ replicas }, request) => replicas.producing.handle(request),
)
