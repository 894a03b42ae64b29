import { type GroupRecord, type GroupRecordContent, type OtherGroupType, otherTombstone } from './records.js'

type OtherContent = GroupRecordContent & { readonly type: 'other' }

interface OtherGroup {
  readonly type: OtherGroupType
  /** The keys of its records that are not tombstones, by their bytes. */
  readonly records: Map<string, { readonly key: Uint8Array; readonly content: OtherContent }>
}

/** The record types that say who is a member. */
const MEMBER_TYPES: ReadonlySet<number> = new Set([5, 10, 19])

/** In this order a group is taken apart; the record that the group hangs on comes last. */
const REMOVAL_ORDER: Record<'consumer' | 'streams', readonly number[]> = {
  consumer: [8, 7, 6, 5, 16, 4, 3],
  streams: [22, 21, 20, 19, 23, 17],
}

/**
 * The consumer, share and streams groups (KIP-848, KIP-932, KIP-1071) that another broker has left in the log. They are
 * not served here; it is known of them that they are there, so that nobody joins a classic group of the same name,
 * which the other broker could then no longer load.
 */
export class OtherGroups {
  readonly #groups = new Map<string, OtherGroup>()

  get size(): number {
    return this.#groups.size
  }

  typeOf(groupId: string): OtherGroupType | null {
    return this.#groups.get(groupId)?.type ?? null
  }

  /** Whether the group has no members; true if there is no group. */
  isEmpty(groupId: string): boolean {
    for (const { content } of this.#groups.get(groupId)?.records.values() ?? []) {
      if (MEMBER_TYPES.has(content.recordType)) return false
    }
    return true
  }

  *[Symbol.iterator](): Generator<{ groupId: string; type: OtherGroupType }, void, void> {
    for (const [groupId, { type }] of this.#groups) yield { groupId, type }
  }

  replay(key: Uint8Array, content: OtherContent): void {
    const { groupId } = content
    const id = Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
    let group = this.#groups.get(groupId)
    if (content.isTombstone) {
      group?.records.delete(id)
      if (group?.records.size === 0) this.#groups.delete(groupId)
      return
    }
    if (group === undefined || group.type !== content.groupType) {
      group = { type: content.groupType, records: new Map() }
      this.#groups.set(groupId, group)
    }
    group.records.set(id, { key, content })
  }

  /** The group has been made a classic one. */
  forget(groupId: string): void {
    this.#groups.delete(groupId)
  }

  /** What takes the group out of the log; null for a share group, which has state elsewhere too. */
  tombstones(groupId: string): GroupRecord[] | null {
    const group = this.#groups.get(groupId)
    if (group === undefined || group.type === 'share') return null
    const order = REMOVAL_ORDER[group.type]
    return [...group.records.values()]
      .sort((a, b) => order.indexOf(a.content.recordType) - order.indexOf(b.content.recordType))
      .map(({ key, content }) => otherTombstone(key, content))
  }
}
