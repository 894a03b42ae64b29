import { type ConfigResource, type ConfigsImage, ResourceType } from './image.js'
import type { MetadataRecordValues } from './record.js'

const noConfig: ReadonlyMap<string, string> = new Map()
const resourceTypes: readonly number[] = Object.values(ResourceType)

/** Dynamic configuration as replayed records; the map of a resource is replaced by a step that changes it. */
export class ConfigsState implements ConfigsImage {
  readonly #byType = new Map<number, Map<string, ReadonlyMap<string, string>>>()
  /** Resources that this step has touched, by type and name, with the map that it may change. */
  #touched = new Map<string, { readonly resource: ConfigResource; readonly config: Map<string, string> }>()

  of(type: number, name: string): ReadonlyMap<string, string> {
    return this.#byType.get(type)?.get(name) ?? noConfig
  }

  resourceNames(type: number): readonly string[] {
    return [...(this.#byType.get(type)?.keys() ?? [])]
  }

  resources(): readonly ConfigResource[] {
    const resources: ConfigResource[] = []
    for (const [type, names] of this.#byType) for (const name of names.keys()) resources.push({ type, name })
    return resources
  }

  replayConfig({ resourceType: type, resourceName, name, value }: MetadataRecordValues['ConfigRecord']): void {
    if (!resourceTypes.includes(type)) throw new Error(`ConfigRecord for a resource of unknown type ${type}`)
    const config = this.#touch(type, resourceName)
    if (value === null) config.delete(name)
    else config.set(name, value)
    let ofType = this.#byType.get(type)
    if (config.size === 0) ofType?.delete(resourceName)
    else {
      if (ofType === undefined) this.#byType.set(type, (ofType = new Map()))
      ofType.set(resourceName, config)
    }
  }

  /** A deleted topic takes its configuration along. */
  removeTopic(name: string): void {
    if (!this.#byType.get(ResourceType.TOPIC)?.has(name)) return
    this.#touch(ResourceType.TOPIC, name).clear()
    this.#byType.get(ResourceType.TOPIC)!.delete(name)
  }

  takeChanges(): readonly ConfigResource[] {
    const touched = this.#touched
    if (touched.size === 0) return []
    this.#touched = new Map()
    return [...touched.values()].map(({ resource }) => resource)
  }

  copyFrom(other: ConfigsImage): void {
    this.#byType.clear()
    for (const type of resourceTypes) {
      const names = other.resourceNames(type)
      if (names.length > 0) this.#byType.set(type, new Map(names.map(name => [name, other.of(type, name)])))
    }
  }

  #touch(type: number, name: string): Map<string, string> {
    const key = `${type}:${name}`
    let touched = this.#touched.get(key)
    if (touched === undefined) {
      touched = { resource: { type, name }, config: new Map(this.of(type, name)) }
      this.#touched.set(key, touched)
    }
    return touched.config
  }
}
