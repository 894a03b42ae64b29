import { ErrorCode } from '#protocol/errors.js'
import { DescribeGroups } from '#protocol/messages/describe-groups.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'

/**
 * READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS: what may be done with a group where nothing is
 * forbidden.
 */
const GROUP_OPERATIONS = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11)
/** Nobody has asked. */
const NOT_TOLD = -2147483648

/**
 * DescribeGroups 0-6.
 * Behaviour: classic groups alone; what is not one is described as Dead. Subscriptions are told when the group is
 *             stable.
 * Versions:  1 throttle time, 3 authorized operations (KIP-430), 4 static members (KIP-345), 5 flexible,
 *            6 GROUP_ID_NOT_FOUND with a message for what is not there (KIP-1043; before: no error).
 */
export const describeGroups = handler(
  DescribeGroups,
  async ({ groups }: { readonly groups: GroupCoordinator }, request, { apiVersion }) => {
    const described = await groups.describe(request.groups)
    return {
      groups: described.map(({ missing, errorCode: failure, ...group }) => {
        const isNotFound = apiVersion >= 6 && missing !== null
        const errorCode = isNotFound ? ErrorCode.GROUP_ID_NOT_FOUND : failure
        const isTold = request.includeAuthorizedOperations && errorCode === ErrorCode.NONE
        return {
          ...group,
          errorCode,
          errorMessage: isNotFound ? missing : null,
          authorizedOperations: isTold ? GROUP_OPERATIONS : NOT_TOLD,
        }
      }),
    }
  },
)
