import { AssignReplicasToDirs } from '#protocol/messages/assign-replicas-to-dirs.js'
import { assignReplicasToDirs as assignReplicasToDirsCommand } from '../controller/assign-replicas-to-dirs.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { handler } from './handler.js'

/**
 * AssignReplicasToDirs 0.
 * Behaviour: on controllers: a broker tells in which of its log directories its replicas are (KIP-858).
 */
export const assignReplicasToDirs = handler(
  AssignReplicasToDirs,
  ({ controller }: { readonly controller: ControllerRequests }, request) =>
    controller.run(assignReplicasToDirsCommand(request)),
)
