import type { VoteRequest } from '#protocol/messages/vote.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import type { CommittedBatch, LeaderAndEpoch, LoadedSnapshot, MetadataLogListener } from '#src/raft/metadata-log.js'

/**
 * What a cluster has agreed on, as its listeners were told: the same records at the same offsets for all of them, none
 * left out, and one leader an epoch.
 */
export class Ledger {
  /** Names of topics in the order of the log, and where they stand. */
  readonly names: string[] = []
  readonly offsets: number[] = []
  readonly #leaders = new Map<number, number>()
  readonly #candidates = new Map<string, { readonly epoch: number; readonly offset: number }>()
  /** The first thing that must not be. */
  violation: string | null = null

  /** Record `index` of a listener. */
  delivered(nodeId: number, index: number, name: string, offset: number): void {
    if (index < this.names.length) {
      const isSame = this.names[index] === name && this.offsets[index] === offset
      if (!isSame) {
        const known = `${this.names[index]} at ${this.offsets[index]}`
        this.refuse(`node ${nodeId} was handed ${name} at ${offset}, another one ${known}`)
      }
    } else {
      if (offset <= (this.offsets.at(-1) ?? -1)) this.refuse(`node ${nodeId} was handed ${name} at ${offset} again`)
      this.names.push(name)
      this.offsets.push(offset)
    }
  }

  /** The whole state up to `endOffset`. */
  restored(nodeId: number, names: readonly string[], endOffset: number): void {
    const next = this.offsets.findIndex(offset => offset >= endOffset)
    const expected = next === -1 ? this.names : this.names.slice(0, next)
    const isSame = names.length === expected.length && names.every((name, index) => name === expected[index])
    if (!isSame) this.refuse(`node ${nodeId} was handed a snapshot of ${endOffset} with ${names}, not ${expected}`)
  }

  leads(nodeId: number, leader: LeaderAndEpoch): void {
    const { leaderId, epoch } = leader
    if (leaderId === -1) return
    const known = this.#leaders.get(epoch)
    if (known !== undefined && known !== leaderId) {
      this.refuse(`node ${nodeId} is told that ${leaderId} leads epoch ${epoch}, which ${known} leads`)
    }
    this.#leaders.set(epoch, leaderId)
  }

  /** Who has granted its vote grants it again: a candidate must not come back with less and ask in the same epoch. */
  asksForVotes({ topics }: VoteRequest): void {
    for (const asked of topics.flatMap(topic => topic.partitions)) {
      if (asked.preVote) continue
      const { replicaId, replicaDirectoryId, replicaEpoch, lastOffsetEpoch, lastOffset } = asked
      const key = `${replicaId}-${replicaDirectoryId} in epoch ${replicaEpoch}`
      const before = this.#candidates.get(key)
      const isLess =
        before !== undefined &&
        (lastOffsetEpoch < before.epoch || (lastOffsetEpoch === before.epoch && lastOffset < before.offset))
      if (isLess) this.refuse(`${key} asks for votes with ${lastOffset}, and has asked with ${before.offset}`)
      this.#candidates.set(key, { epoch: lastOffsetEpoch, offset: Number(lastOffset) })
    }
  }

  get elections(): number {
    return this.#leaders.size
  }

  refuse(what: string): void {
    this.violation ??= what
  }
}

function namesOf(records: readonly MetadataRecord[]): string[] {
  return records.flatMap(record => (record.type === 'TopicRecord' ? [record.value.name] : []))
}

/** Holds what it is told against what the listeners of other nodes were told. */
export class LedgerListener implements MetadataLogListener {
  readonly #nodeId: number
  readonly #ledger: Ledger
  /** How many records it has had. */
  count = 0
  snapshots = 0

  constructor(nodeId: number, ledger: Ledger) {
    this.#nodeId = nodeId
    this.#ledger = ledger
  }

  onSnapshot({ id, batches }: LoadedSnapshot): void {
    const names = namesOf([...batches].flat())
    this.snapshots++
    this.count = names.length
    this.#ledger.restored(this.#nodeId, names, id.endOffset)
  }

  onCommitted({ baseOffset, records }: CommittedBatch): void {
    for (const [index, name] of namesOf(records).entries()) {
      this.#ledger.delivered(this.#nodeId, this.count++, name, baseOffset + index)
    }
  }

  onLeaderChange(leader: LeaderAndEpoch): void {
    this.#ledger.leads(this.#nodeId, leader)
  }
}
