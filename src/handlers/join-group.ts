import { JoinGroup } from '#protocol/messages/join-group.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { clientHostOf } from '../coordinator/group/member-id.js'
import { handler } from './handler.js'

/**
 * JoinGroup 0-9.
 * Behaviour: parked until all members of the group have joined, or time is up; the leader alone learns who is in it.
 * Versions:  1 rebalance timeout (before: the session timeout), 2 throttle time, 4 MEMBER_ID_REQUIRED (KIP-394), 5
 *            static members (KIP-345), 6 flexible, 7 protocol type and nullable protocol name in the answer, 8 reason
 *            (KIP-800), 9 SkipAssignment (KIP-814).
 */
export const joinGroup = handler(
  JoinGroup,
  async ({ groups }: { readonly groups: GroupCoordinator }, request, context) => {
    const { apiVersion } = context
    const answer = await groups.join({
      groupId: request.groupId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: context.clientId ?? '',
      clientHost: clientHostOf(context.clientAddress),
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: apiVersion === 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs,
      protocolType: request.protocolType,
      protocols: request.protocols,
      reason: request.reason === null || request.reason === '' ? 'not provided' : request.reason,
      mustKnowMemberId: apiVersion >= 4,
      canSkipAssignment: apiVersion >= 9,
    })
    return { ...answer, protocolName: apiVersion < 7 ? (answer.protocolName ?? '') : answer.protocolName }
  },
)
