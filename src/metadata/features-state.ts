import type { FeaturesImage } from './image.js'
import { METADATA_VERSION, METADATA_VERSION_MIN } from './metadata-version.js'
import type { MetadataRecordValues } from './record.js'

/** Finalized features as replayed records. kraft.version is not among them: it lives in control records of the log. */
export class FeaturesState implements FeaturesImage {
  #metadataVersion: number | null = null
  readonly #levels = new Map<string, number>()
  #changed = new Map<string, number>()

  get metadataVersion(): number {
    return this.#metadataVersion ?? METADATA_VERSION_MIN
  }

  get hasMetadataVersion(): boolean {
    return this.#metadataVersion !== null
  }

  get levels(): ReadonlyMap<string, number> {
    return this.#levels
  }

  level(name: string): number {
    return name === METADATA_VERSION ? this.metadataVersion : (this.#levels.get(name) ?? 0)
  }

  replayFeatureLevel({ name, featureLevel }: MetadataRecordValues['FeatureLevelRecord']): void {
    if (name === METADATA_VERSION) {
      if (featureLevel < METADATA_VERSION_MIN) {
        throw new Error(
          `metadata.version ${featureLevel} is older than ${METADATA_VERSION_MIN}, the oldest that is known`,
        )
      }
      this.#metadataVersion = featureLevel
    } else if (featureLevel > 0) this.#levels.set(name, featureLevel)
    else this.#levels.delete(name)
    this.#changed.set(name, featureLevel)
  }

  /** What was replayed since the last call. */
  takeChanges(): ReadonlyMap<string, number> {
    const changed = this.#changed
    if (changed.size > 0) this.#changed = new Map()
    return changed
  }

  copyFrom(other: FeaturesImage): void {
    this.#metadataVersion = other.hasMetadataVersion ? other.metadataVersion : null
    this.#levels.clear()
    for (const [name, level] of other.levels) this.#levels.set(name, level)
  }
}
