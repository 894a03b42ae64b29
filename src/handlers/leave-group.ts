import { ErrorCode } from '#protocol/errors.js'
import { LeaveGroup } from '#protocol/messages/leave-group.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'

/**
 * LeaveGroup 0-5.
 * Behaviour: removes members at once; a static one also by its instance id alone, with an empty member id.
 * Versions:  1 throttle time, 3 several members, each with its own error (KIP-345), 4 flexible, 5 reason (KIP-800).
 */
export const leaveGroup = handler(
  LeaveGroup,
  async ({ groups }: { readonly groups: GroupCoordinator }, request, context) => {
    const isBatch = context.apiVersion >= 3
    const given = isBatch
      ? request.members
      : [{ memberId: request.memberId, groupInstanceId: null, reason: null as string | null }]
    const members = given.map(({ memberId, groupInstanceId, reason }) => ({
      memberId,
      groupInstanceId,
      reason: reason ?? 'not provided',
    }))
    const answer = await groups.leave({ groupId: request.groupId, members })
    if (isBatch) return answer
    const errorCode = answer.errorCode === ErrorCode.NONE ? answer.members[0]!.errorCode : answer.errorCode
    return { errorCode, members: [] }
  },
)
