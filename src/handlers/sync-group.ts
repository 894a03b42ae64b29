import { ErrorCode } from '#protocol/errors.js'
import { SyncGroup } from '#protocol/messages/sync-group.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'

/**
 * SyncGroup 0-5.
 * Behaviour: the leader brings the assignment of all; the others are parked until it has been stored.
 * Versions:  1 throttle time, 3 static members (KIP-345), 4 flexible, 5 protocol type and name, which must then be
 *            there and be those of the group (KIP-559).
 */
export const syncGroup = handler(
  SyncGroup,
  async ({ groups }: { readonly groups: GroupCoordinator }, request, context) => {
    if (context.apiVersion >= 5 && (request.protocolType === null || request.protocolName === null)) {
      return { errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL, assignment: Buffer.alloc(0) }
    }
    return groups.sync({
      groupId: request.groupId,
      generationId: request.generationId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      protocolType: request.protocolType,
      protocolName: request.protocolName,
      assignments: new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment])),
    })
  },
)
