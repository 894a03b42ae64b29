import { Fetch } from '#protocol/messages/fetch.js'
import type { Fetching } from '../replication/fetching.js'
import { rawHandler } from './raw-handler.js'

/**
 * Fetch 4-18.
 * Behaviour: records from the batch that holds the offset on, in the order of the partitions as long as there is room,
 *            at least one whole batch; waits up to `maxWaitMs` for `minBytes`. Consumers see what is committed, or
 *            decided.
 * Versions:  4 isolation, 5 log start offset, 7 sessions (KIP-227), 9 leader epochs, 11 rack, 12 flexible and diverging
 *            epochs, 13 topic ids, 15 the replica as a tagged field, 16 the leader that should have been asked, 17 and
 *            18 for the metadata quorum.
 */
export const fetch = rawHandler<{ readonly replicas: { readonly fetching: Fetching } }>(
  Fetch,
  'alone',
  ({ replicas }, request) => replicas.fetching.handle(request),
)
