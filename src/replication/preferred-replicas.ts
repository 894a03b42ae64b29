import type { MetadataImage } from '../metadata/image.js'
import type { Clock } from '../runtime/ports.js'
import type { Partition } from './partition.js'
import { type ReplicaChoice, selectorOf } from './replica-selector.js'
import type { ReplicationConfig } from './replication-config.js'

export interface PreferredReplicasParts {
  readonly nodeId: number
  readonly clock: Clock
  readonly config: ReplicationConfig
  readonly image: () => MetadataImage | null
}

/** Where a leader sends consumers that say in which rack they are (KIP-392). */
export class PreferredReplicas {
  readonly #parts: PreferredReplicasParts

  constructor(parts: PreferredReplicasParts) {
    this.#parts = parts
  }

  /** The in-sync replica that has `fetchOffset` and is to be read from; -1: this leader. */
  of(partition: Partition, fetchOffset: number, rackId: string, listenerName: string): number {
    const { nodeId, clock, config } = this.#parts
    const selector = selectorOf(config.replicaSelectorClass)
    const { leader } = partition
    if (selector === null || leader === null) return -1
    const own: ReplicaChoice = {
      brokerId: nodeId,
      rack: this.#rackOf(nodeId, listenerName),
      logEndOffset: partition.log.logEndOffset,
      sinceCaughtUpMs: 0,
    }
    const candidates = [own]
    for (const [brokerId, state] of leader.followers()) {
      if (!leader.isr.has(brokerId) || state.logEndOffset < fetchOffset || state.logStartOffset > fetchOffset) continue
      candidates.push({
        brokerId,
        rack: this.#rackOf(brokerId, listenerName),
        logEndOffset: state.logEndOffset,
        sinceCaughtUpMs: clock.now() - state.caughtUpAt,
      })
    }
    const chosen = selector(rackId, own, candidates)
    return chosen === null || chosen.brokerId === nodeId ? -1 : chosen.brokerId
  }

  /** Null also for a broker that a client of this listener cannot reach. */
  #rackOf(brokerId: number, listenerName: string): string | null {
    const broker = this.#parts.image()?.cluster.broker(brokerId)
    if (broker === undefined || broker.fenced) return null
    return broker.endpoints.some(({ name }) => name === listenerName) ? broker.rack : null
  }
}
