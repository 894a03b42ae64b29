import { ErrorCode } from '#protocol/errors.js'
import { DeleteGroups } from '#protocol/messages/delete-groups.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'

/**
 * DeleteGroups 0-3.
 * Behaviour: groups without members, with all their offsets; NON_EMPTY_GROUP for others.
 * Versions:  2 flexible, 3 error messages, and GROUP_DELETION_FAILED (before: UNKNOWN_SERVER_ERROR).
 */
export const deleteGroups = handler(
  DeleteGroups,
  async ({ groups }: { readonly groups: GroupCoordinator }, request, { apiVersion }) => {
    const results = await groups.deleteGroups(request.groupsNames)
    if (apiVersion >= 3) return { results }
    return {
      results: results.map(result =>
        result.errorCode === ErrorCode.GROUP_DELETION_FAILED
          ? { ...result, errorCode: ErrorCode.UNKNOWN_SERVER_ERROR }
          : result,
      ),
    }
  },
)
