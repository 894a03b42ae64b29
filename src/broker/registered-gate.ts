import type { MetadataDelta, MetadataSubscriber } from '../metadata/delta.js'
import type { MetadataImage } from '../metadata/image.js'
import { imageDifference } from '../metadata/image-difference.js'
import { MetadataState } from '../metadata/metadata-state.js'

/**
 * Keeps metadata from those who act on partitions until it shows the registration of this very process. What came
 * before speaks of the process that ran here earlier: it may still be named as leader, in an epoch in which it has
 * written what this one, after a crash, does not have. The controller takes the leaderships of the old process away
 * before it registers the new one, so none of them is seen here.
 *
 *   ... leader 3, epoch 0 | broker 3 registers anew: leader 2, epoch 1 | ...
 *   kept back ------------> first thing that they are told of
 */
export class RegisteredGate {
  readonly #nodeId: number
  readonly #incarnationId: string
  readonly #subscribers: readonly MetadataSubscriber[]

  /** `incarnationId`: with which this process registers. */
  constructor(nodeId: number, incarnationId: string, subscribers: readonly MetadataSubscriber[]) {
    this.#nodeId = nodeId
    this.#incarnationId = incarnationId
    this.#subscribers = subscribers
  }

  /** The subscribers as they are to be given to the publisher, in the same order. */
  get subscribers(): readonly MetadataSubscriber[] {
    return this.#subscribers.map(subscriber => {
      let isOpen = false
      return {
        name: subscriber.name,
        onMetadata: (delta: MetadataDelta, image: MetadataImage) => {
          if (isOpen) return subscriber.onMetadata(delta, image)
          if (image.cluster.broker(this.#nodeId)?.incarnationId !== this.#incarnationId) return
          isOpen = true
          return subscriber.onMetadata(imageDifference(new MetadataState(), image), image)
        },
      }
    })
  }
}
