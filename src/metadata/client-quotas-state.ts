import type { ClientQuotaEntry, ClientQuotasImage, QuotaEntityPart } from './image.js'
import type { MetadataRecordValues } from './record.js'

/** Client quotas as replayed records. */
export class ClientQuotasState implements ClientQuotasImage {
  readonly #byEntity = new Map<string, ClientQuotaEntry>()
  #changed = false

  all(): IterableIterator<ClientQuotaEntry> {
    return this.#byEntity.values()
  }

  replayClientQuota({ entity, key, value, remove }: MetadataRecordValues['ClientQuotaRecord']): void {
    const parts = entity.map(({ entityType, entityName }) => ({ entityType, entityName }))
    const entityKey = keyOf(parts)
    const before = this.#byEntity.get(entityKey)
    const quotas = new Map(before?.quotas)
    if (remove) quotas.delete(key)
    else quotas.set(key, value)
    if (quotas.size === 0) this.#byEntity.delete(entityKey)
    else this.#byEntity.set(entityKey, { entity: before?.entity ?? parts, quotas })
    this.#changed = true
  }

  takeChanged(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  copyFrom(other: ClientQuotasImage): void {
    this.#byEntity.clear()
    for (const entry of other.all()) this.#byEntity.set(keyOf(entry.entity), entry)
  }
}

/** The same for the same parts in any order. */
function keyOf(parts: readonly QuotaEntityPart[]): string {
  return JSON.stringify(parts.map(part => [part.entityType, part.entityName]).sort((a, b) => (a[0]! < b[0]! ? -1 : 1)))
}
