import { UpdateFeatures } from '#protocol/messages/update-features.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { updateFeatures as updateFeaturesCommand } from '../controller/update-features.js'
import { handler } from './handler.js'

export interface UpdateFeaturesServices {
  readonly controller: ControllerRequests
  /** Raises kraft.version, which the quorum itself keeps. Rejects with ApiError when that cannot be. */
  readonly upgradeKRaftVersion: (level: number) => Promise<void>
}

/**
 * UpdateFeatures 0-2.
 * Behaviour: answered by the controller: changes finalized levels, all of those asked for or none. The timeout is not
 *            looked at, nor is the leave to downgrade of version 0, as in Kafka.
 * Versions:  1 kinds of upgrade, validate only, 2 no result for each feature any more.
 */
export const updateFeatures = handler(
  UpdateFeatures,
  async ({ controller, upgradeKRaftVersion }: UpdateFeaturesServices, request) => {
    const { response, newKRaftVersion } = await controller.run(updateFeaturesCommand(request), { untilPublished: true })
    if (newKRaftVersion !== null) await upgradeKRaftVersion(newKRaftVersion)
    return response
  },
)
