import { ListGroups } from '#protocol/messages/list-groups.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'

/**
 * ListGroups 0-5.
 * Behaviour: the groups whose coordinator this broker is; COORDINATOR_LOAD_IN_PROGRESS while it does not know them all.
 *            Filters take names in any case; a name that nobody knows matches nothing.
 * Versions:  1 throttle time, 3 flexible, 4 states in filter and answer (KIP-518), 5 types (KIP-848).
 */
export const listGroups = handler(ListGroups, async ({ groups }: { readonly groups: GroupCoordinator }, request) =>
  groups.list({
    states: new Set(request.statesFilter.map(state => state.toLowerCase().trim())),
    types: new Set(request.typesFilter.map(type => type.toLowerCase())),
  }),
)
