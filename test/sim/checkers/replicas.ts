import { type MetadataDelta, partitionChange } from '#src/metadata/delta.js'
import { isOnlineDirectory } from '#src/metadata/directory-id.js'
import type { PartitionImage } from '#src/metadata/image.js'
import type { World } from '../world.js'
import { type PartitionHistory, Violation } from './history.js'

/** Why a node may not have what it had. */
interface Doubt {
  /** Of the process that ran when the power failed. */
  readonly brokerEpoch: number
  /** From this offset on nothing was synced. */
  readonly from: number
}

/**
 * Who may lead, and what it must have.
 *
 * - Every member of the ISR has all that is committed: all that a consumer saw, and all that was acknowledged with
 *   acks=all.
 * - A leader that is elected cleanly (from the ISR, or from the ELR when that is empty) has it too.
 * - Who lost power may have lost the end of its log. It leads again only if no other eligible replica is there.
 * - Another replica leads only where the topic allows unclean elections, or when neither ISR nor ELR has anyone left.
 */
export class ReplicaChecker {
  readonly #world: World
  /** Nodes that lost power since they last were in sync, by partition. */
  readonly #doubtful = new Map<string, Map<number, Doubt>>()
  /**
   * Who registers as another process in the change that is looked at. Nobody knows that it went down cleanly (a process
   * that is killed has no time to say so), so it is not eligible any more.
   */
  readonly #newProcesses = new Set<number>()
  /** Somebody has asked for unclean elections by hand. */
  allowsUnclean = false

  constructor(world: World) {
    this.#world = world
  }

  /** A node is about to lose what it has not synced. */
  powerLost(nodeId: number, isDiskGone: boolean): void {
    const { logs, coverage, plan } = this.#world
    for (const [partition, log] of logs.partitionsOf(nodeId)) {
      if (!isDiskGone && (log.syncedEnd === log.end || plan.isFlushed)) continue
      coverage.count('power lost with records that were not synced')
      const doubtful = this.#doubtfulOf(partition)
      const from = Math.min(doubtful.get(nodeId)?.from ?? Infinity, isDiskGone ? 0 : log.syncedEnd)
      doubtful.set(nodeId, { brokerEpoch: this.#brokerEpoch(nodeId), from })
    }
  }

  #doubtfulOf(partition: string): Map<number, Doubt> {
    let found = this.#doubtful.get(partition)
    if (found === undefined) this.#doubtful.set(partition, (found = new Map()))
    return found
  }

  #brokerEpoch(nodeId: number): number {
    return this.#world.truth.image.cluster.broker(nodeId)?.epoch ?? -1
  }

  /** The committed metadata has changed. */
  changed(delta: MetadataDelta): void {
    this.#newProcesses.clear()
    for (const [nodeId, { before, after }] of delta.brokers) {
      if (before !== null && after !== null && before.epoch !== after.epoch) this.#newProcesses.add(nodeId)
    }
    for (const change of delta.topics.values()) {
      for (const number of change.partitions) {
        const { before, after } = partitionChange(change, number)
        if (before !== null && after !== null) this.#partitionChanged(`${change.name}-${number}`, before, after)
      }
    }
    for (const { before, after } of delta.brokers.values()) {
      const { coverage } = this.#world
      if (after?.fenced === true && before?.fenced === false) coverage.count('broker fenced')
      if (before !== null && after !== null && before.epoch === after.epoch) {
        coverage.count('directory of a broker offline', before.directories.length - after.directories.length)
      }
    }
  }

  #partitionChanged(name: string, before: PartitionImage, after: PartitionImage): void {
    const { coverage } = this.#world
    const doubtful = this.#doubtfulOf(name)
    if (after.isr.length < before.isr.length) coverage.count('ISR shrunk')
    if (after.isr.length > before.isr.length) coverage.count('ISR grown')
    if (after.elr.length > before.elr.length) coverage.count('replica went from the ISR to the ELR')
    if (after.addingReplicas.length > 0 && before.addingReplicas.length === 0) coverage.count('reassignment begun')
    if (after.addingReplicas.length === 0 && before.addingReplicas.length > 0) coverage.count('reassignment ended')
    if (after.leader >= 0 && after.leaderEpoch !== before.leaderEpoch) this.#elected(name, before, after)
    else if (after.leader < 0 && before.leader >= 0) coverage.count('partition without a leader')
    // Only the process that came after the loss can have caught up: the change may be older than the loss.
    for (const nodeId of after.isr) {
      const isBack = doubtful.get(nodeId)?.brokerEpoch !== this.#brokerEpoch(nodeId)
      if (!before.isr.includes(nodeId) && isBack) doubtful.delete(nodeId)
    }
  }

  #elected(name: string, before: PartitionImage, after: PartitionImage): void {
    const { coverage, logs } = this.#world
    const { leader } = after
    const doubtful = this.#doubtfulOf(name)
    const end = logs.log(leader, name)?.end ?? 0
    // Nobody has noticed yet that it is gone: it is elected, and will never know.
    if (doubtful.get(leader)?.brokerEpoch === this.#brokerEpoch(leader)) return
    // What was cut off and never synced may be there again, in place of what came after it.
    const soundEnd = Math.min(end, doubtful.get(leader)?.from ?? Infinity)
    const eligible = [...before.isr, ...before.elr].filter(nodeId => !this.#newProcesses.has(nodeId))
    const others = eligible.filter(nodeId => {
      return nodeId !== leader && !doubtful.has(nodeId) && this.#isThere(nodeId, before)
    })
    const fromElr = !before.isr.includes(leader) && before.elr.includes(leader)
    // The change that ends a reassignment takes the new replica into the ISR and makes it leader in one.
    const isReassigned = String(after.replicas) !== String(before.replicas) && after.leaderRecoveryState === 0
    // So does a controller that has more than one change in a batch: who is elected uncleanly has to recover.
    const isJoined = after.partitionEpoch > before.partitionEpoch + 1 && after.leaderRecoveryState === 0
    const isClean = before.isr.includes(leader) || fromElr || isReassigned || isJoined
    if ((isReassigned || isJoined) && !before.isr.includes(leader)) doubtful.delete(leader)
    coverage.count(leader === before.leader ? 'leader elected again' : 'leader elected')
    if (fromElr) coverage.count('leader elected from the ELR')
    const isLastKnown = eligible.length === 0 && before.lastKnownElr.includes(leader)
    if (isLastKnown) coverage.count('last known leader elected')
    // The last leader has what it had, if its power did not fail.
    if (!isClean && !(isLastKnown && !doubtful.has(leader))) {
      coverage.count('leader elected uncleanly')
      if (eligible.length > 0 && !this.#allowsUnclean(name)) {
        const change = JSON.stringify([before, after])
        throw new Violation(
          `the ISR has all that is committed: ${leader} leads ${name}, which was not eligible: ${change}`,
        )
      }
      this.#world.weaken(name, Math.min(soundEnd, this.#partsFrom(name, leader, before)), after.leaderEpoch)
    } else if (doubtful.has(leader)) {
      if (others.length > 0) {
        const text = `node ${leader}, which lost power, leads ${name} though ${others} are there`
        throw new Violation(`the ISR has all that is committed: ${text}`)
      }
      this.#world.weaken(name, soundEnd, after.leaderEpoch)
    } else {
      const history = this.#world.history.partitions.get(name)
      if (history !== undefined && end < history.firmEnd) {
        const text = `node ${leader} leads ${name} with ${end} of ${history.firmEnd} records`
        throw new Violation(`the ISR has all that is committed: ${text}`)
      }
    }
    doubtful.delete(leader)
  }

  /** Whether a replica could lead: its broker is let in, and has its directory. */
  #isThere(nodeId: number, { replicas, directories }: PartitionImage): boolean {
    const broker = this.#world.truth.image.cluster.broker(nodeId)
    if (broker?.fenced !== false) return false
    const directory = directories[replicas.indexOf(nodeId)]
    return directory === undefined || isOnlineDirectory(directory, broker.directories)
  }

  /** From where on a leader that was not eligible has another history than those who were, or may have been. */
  #partsFrom(name: string, leader: number, { isr, elr, lastKnownElr, replicas }: PartitionImage): number {
    const { logs } = this.#world
    const eligible = [...isr, ...elr, ...lastKnownElr].filter(nodeId => nodeId !== leader)
    const own = logs.log(leader, name)
    const ends = (eligible.length > 0 ? eligible : replicas).map(nodeId => {
      const other = logs.log(nodeId, name)
      return own === undefined || other === undefined ? Infinity : own.partsFrom(other)
    })
    return Math.min(...ends)
  }

  #allowsUnclean(name: string): boolean {
    const topic = name.slice(0, name.lastIndexOf('-'))
    const { plan } = this.#world
    return this.allowsUnclean || plan.topics.find(each => each.name === topic)?.allowsUnclean === true
  }

  /** A client knows that all below `end` is committed. */
  committed(history: PartitionHistory, end: number): void {
    const { truth, logs } = this.#world
    const image = truth.image.topics.partition(history.topic, history.partition)
    if (image === undefined) return
    const doubtful = this.#doubtful.get(history.name)
    for (const nodeId of image.isr) {
      if (doubtful?.has(nodeId) === true || truth.image.cluster.broker(nodeId)?.fenced !== false) continue
      const has = logs.log(nodeId, history.name)?.end ?? 0
      if (has >= end) continue
      const text = `${history.name} has ${end}, node ${nodeId} has ${has} of them`
      throw new Violation(`the ISR has all that is committed: ${text}`)
    }
  }

  /** All replicas are in sync: their logs must be the same. */
  expectSameLogs(): string | null {
    const { truth, logs, history } = this.#world
    for (const topic of truth.image.topics.all()) {
      for (const [number, partition] of topic.partitions.entries()) {
        const name = `${topic.name}-${number}`
        if (partition.isr.length < partition.replicas.length) return `${name} is not in sync everywhere`
        const found = partition.replicas.map(nodeId => logs.log(nodeId, name))
        const ends = new Set(found.map(log => log?.end ?? 0))
        if (ends.size > 1) return `${name} ends at ${[...ends]}`
        if (name.startsWith('__consumer_offsets')) continue
        // What is deleted goes by whole files, whose bounds differ.
        const isWhole = (history.partitions.get(name)?.deletedEnd ?? 0) === 0
        const from = isWhole ? 0 : Math.max(...found.map(log => log?.start ?? 0))
        const texts = found.map(log => {
          const batches = (log?.batches() ?? []).filter(({ baseOffset }) => baseOffset >= from)
          return batches.map(each => `${each.baseOffset}/${each.leaderEpoch}/${each.crc}`).join(' ')
        })
        if (new Set(texts).size > 1) throw new Violation(`log matching: ${name} differs among ${partition.replicas}`)
      }
    }
    return null
  }
}
