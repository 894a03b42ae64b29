import { Heartbeat } from '#protocol/messages/heartbeat.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'

/**
 * Heartbeat 0-4.
 * Behaviour: answered by the coordinator of the group; REBALANCE_IN_PROGRESS asks the member to join again.
 * Versions:  1 throttle time, 3 static members (KIP-345), 4 flexible.
 */
export const heartbeat = handler(Heartbeat, async ({ groups }: { readonly groups: GroupCoordinator }, request) => {
  const { groupId, generationId, memberId, groupInstanceId } = request
  return { errorCode: await groups.heartbeat({ groupId, generationId, memberId, groupInstanceId }) }
})
