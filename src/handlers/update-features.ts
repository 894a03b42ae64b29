import { UpdateFeatures } from '#protocol/messages/update-features.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { updateFeatures as updateFeaturesCommand } from '../controller/update-features.js'
import { KRAFT_VERSION } from '../metadata/supported-features.js'
import { handler } from './handler.js'

export interface UpdateFeaturesServices {
  readonly controller: ControllerRequests
  /** Raises kraft.version, which the quorum itself keeps. Rejects with ApiError when that cannot be. */
  readonly upgradeKRaftVersion: (level: number, validateOnly: boolean) => Promise<void>
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
    if (request.featureUpdates.some(({ feature }) => feature === KRAFT_VERSION)) {
      // The quorum may refuse its part: it is asked before anything changes.
      const { newKRaftVersion } = await controller.run(updateFeaturesCommand({ ...request, validateOnly: true }))
      if (newKRaftVersion !== null) await upgradeKRaftVersion(newKRaftVersion, true)
    }
    const { response, newKRaftVersion } = await controller.run(updateFeaturesCommand(request), { untilPublished: true })
    if (newKRaftVersion !== null && !request.validateOnly) await upgradeKRaftVersion(newKRaftVersion, false)
    return response
  },
)
