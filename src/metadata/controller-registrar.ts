import { ErrorCode, errorName } from '#protocol/errors.js'
import type {
  ControllerRegistrationRequest,
  ControllerRegistrationResponse,
} from '#protocol/messages/controller-registration.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'
import type { MetadataDelta, MetadataSubscriber } from './delta.js'
import type { MetadataImage, SupportedFeature } from './image.js'
import { METADATA_VERSION, metadataAllows } from './metadata-version.js'
import { registrationRange, supportedFeatures } from './supported-features.js'

export interface ControllerRegistrarParts {
  readonly controllerId: number
  /** A fresh one for each process. */
  readonly incarnationId: string
  /** Known when they are open. */
  readonly listeners: () => ControllerRegistrationRequest['listeners']
  /** Sends to the active controller; rejects with ApiError when there is no answer. */
  readonly register: (request: ControllerRegistrationRequest) => Promise<ControllerRegistrationResponse>
  readonly clock: Clock
  readonly logger: Logger
}

const retryMsMin: Millis = 100
const retryMsMax: Millis = 120_000

/** Keeps a controller registered: whenever the image does not have this process of it, it registers. */
export class ControllerRegistrar implements MetadataSubscriber {
  readonly name = 'controller registrar'
  readonly #parts: ControllerRegistrarParts
  #image: MetadataImage | null = null
  #inFlight = false
  #timer: Timer | null = null
  #retryMs = retryMsMin
  #closed = false

  constructor(parts: ControllerRegistrarParts) {
    this.#parts = parts
  }

  onMetadata(delta: MetadataDelta, image: MetadataImage): void {
    this.#image = image
    if (delta.fromSnapshot || delta.controllers.size > 0 || delta.features.has(METADATA_VERSION)) this.#check()
  }

  /** There is another active controller, or one again. */
  controllerChanged(): void {
    this.#retryMs = retryMsMin
    this.#check()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #check(): void {
    const { controllerId, incarnationId, clock } = this.#parts
    const image = this.#image
    if (this.#closed || this.#inFlight || image === null || !image.features.hasMetadataVersion) return
    if (!metadataAllows(image.features.metadataVersion, 'controllerRegistration')) return
    if (image.cluster.controllers.get(controllerId)?.incarnationId === incarnationId) return
    this.#timer?.cancel()
    this.#timer = null
    this.#inFlight = true
    this.#register(image).then(registered => {
      this.#inFlight = false
      if (this.#closed) return
      // Once it is appended, the image will show it; if it never does, ask again.
      this.#timer = clock.at(clock.now() + (registered ? retryMsMax : this.#retryMs), () => this.#check())
      if (!registered) this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax)
    })
  }

  async #register(image: MetadataImage): Promise<boolean> {
    const { controllerId, incarnationId, listeners, register, logger } = this.#parts
    try {
      const features = registrationFeatures(image)
      const request = {
        controllerId,
        incarnationId,
        zkMigrationReady: false,
        listeners: listeners(),
        features: [...features],
      }
      const { errorCode, errorMessage } = await register(request)
      if (errorCode === ErrorCode.NONE) return true
      const fields = { code: errorName(errorCode as ErrorCode), errorMessage }
      logger.warn(fields, 'the registration of this controller was refused and is tried again')
      return false
    } catch (error) {
      logger.warn({ err: error }, 'the registration of this controller failed and is tried again')
      return false
    }
  }
}

/**
 * The feature ranges that this node registers with, as broker and as controller, in a cluster that stands at `image`.
 */
export function registrationFeatures(image: MetadataImage): readonly SupportedFeature[] {
  return supportedFeatures.map(feature => {
    const { min, max } = registrationRange(feature, image.features.level(feature.name))
    return { name: feature.name, minSupportedVersion: min, maxSupportedVersion: max }
  })
}
