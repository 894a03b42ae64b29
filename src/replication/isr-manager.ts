import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { AlterPartition, type AlterPartitionRequest } from '#protocol/messages/alter-partition.js'
import type { ControllerChannel } from '../client/controller-channel.js'
import type { Clock, Logger, Timer } from '../runtime/ports.js'
import {
  type AlterPartitionEvent,
  AlterPartitionQueue,
  type IsrChange,
  RETRY_MS_MAX,
  RETRY_MS_MIN,
} from './alter-partition-queue.js'
import type { IsrAnswer, IsrProposal } from './isr.js'
import type { Partition } from './partition.js'

export interface IsrManagerParts {
  readonly nodeId: number
  readonly brokerEpoch: () => number
  readonly controller: ControllerChannel
  readonly clock: Clock
  readonly logger: Logger
  /** The in-sync replicas of a partition are others now, or what was proposed does not hold. */
  readonly onSettled: (partition: Partition) => void
}

interface Proposed {
  readonly partition: Partition
  readonly proposal: IsrProposal
  /** How often it was made before. */
  readonly attempts: number
}

/** Looks after the in-sync replicas of partitions that are led here: proposes, and takes what the controller says. */
export class IsrManager {
  readonly #parts: IsrManagerParts
  readonly #queue = new AlterPartitionQueue()
  readonly #proposed = new Map<IsrChange, Proposed>()
  /** Of proposals that are about to be made again. */
  readonly #retries = new Set<Timer>()
  #timer: Timer | null = null
  #isClosed = false
  /** For metrics. */
  shrinks = 0
  expands = 0
  failedUpdates = 0

  constructor(parts: IsrManagerParts) {
    this.#parts = parts
  }

  /** A follower has fetched: it may join those that are in sync. */
  maybeExpand(partition: Partition, followerId: number): void {
    const { leader } = partition
    if (leader === null || this.#isClosed || leader.isr.has(followerId)) return
    const proposal = leader.expand(followerId, partition.highWatermark, partition.leaderEpochStartOffset)
    if (proposal === null) return
    this.#log(partition, proposal, 'a replica has caught up: proposing to count it as in sync')
    this.#submit(partition, proposal)
  }

  /** Looks for replicas that lag for too long. */
  maybeShrink(partition: Partition): void {
    const { leader } = partition
    if (leader === null || partition.isOffline || this.#isClosed) return
    const proposal = leader.shrink(partition.log.logEndOffset, this.#parts.clock.now())
    if (proposal === null) return
    this.#log(partition, proposal, 'replicas lag: proposing not to count them as in sync')
    this.#submit(partition, proposal)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
    for (const timer of this.#retries) timer.cancel()
    this.#retries.clear()
    this.#proposed.clear()
  }

  #log(partition: Partition, { isr }: IsrProposal, message: string): void {
    const fields = { partition: partition.name, from: partition.isr, to: isr, highWatermark: partition.highWatermark }
    this.#parts.logger.info(fields, message)
  }

  #submit(partition: Partition, proposal: IsrProposal, attempts = 0): void {
    const { nodeId, brokerEpoch } = this.#parts
    const change: IsrChange = {
      topicId: partition.topic.id,
      partition: partition.index,
      leaderEpoch: proposal.leaderEpoch,
      partitionEpoch: proposal.partitionEpoch,
      isr: proposal.isr.map(id => ({
        brokerId: id,
        brokerEpoch: id === nodeId ? brokerEpoch() : (partition.leader?.follower(id)?.brokerEpoch ?? -1),
      })),
    }
    this.#proposed.set(change, { partition, proposal, attempts })
    this.#run({ type: 'submit', change })
  }

  #run(event: AlterPartitionEvent): void {
    if (this.#isClosed) return
    for (const effect of this.#queue.step(event, this.#parts.clock.now())) {
      switch (effect.type) {
        case 'send':
          this.#send(effect.request)
          break
        case 'settle':
          this.#settle(effect.change, effect.answer)
          break
        case 'report':
          this.#reportRefusal(effect.errorCode as ErrorCode)
          break
        case 'missing':
          this.#reportMissing(effect.change)
      }
    }
    this.#watch()
  }

  /** What is tried again heals with the next registration; what has no right to ask needs an administrator. */
  #reportRefusal(code: ErrorCode): void {
    const { logger } = this.#parts
    const fields = { code: errorName(code) }
    const text = 'the controller refuses AlterPartition: it is sent again'
    if (code === ErrorCode.CLUSTER_AUTHORIZATION_FAILED) logger.error(fields, text)
    else logger.warn(fields, text)
  }

  #reportMissing(change: IsrChange): void {
    const fields = { partition: this.#proposed.get(change)?.partition.name }
    this.#parts.logger.warn(fields, 'the controller did not answer a part of AlterPartition: it is sent again')
  }

  #send(request: Omit<AlterPartitionRequest, 'brokerId' | 'brokerEpoch'>): void {
    const { controller, nodeId, brokerEpoch, logger } = this.#parts
    const whole = { ...request, brokerId: nodeId, brokerEpoch: brokerEpoch() }
    controller.call(AlterPartition, whole, Infinity).then(
      response => this.#run({ type: 'answer', response }),
      error => {
        if (!(error instanceof ApiError) || error.code !== ErrorCode.BROKER_NOT_AVAILABLE) {
          logger.error({ err: error }, 'AlterPartition could not be sent: it is tried again')
        }
        this.#run({ type: 'failure' })
      },
    )
  }

  #settle(change: IsrChange, answer: IsrAnswer): void {
    const proposed = this.#proposed.get(change)
    this.#proposed.delete(change)
    if (proposed === undefined) return
    const { partition, proposal } = proposed
    const { logger, onSettled } = this.#parts
    const before = partition.isr.length
    const outcome = partition.settleIsr(proposal, answer)
    const fields = { partition: partition.name, isr: partition.isr, code: errorName(answer.errorCode as ErrorCode) }
    switch (outcome) {
      case 'committed':
        if (partition.isr.length > before) this.expands++
        else this.shrinks++
        logger.info(fields, 'the in-sync replicas have changed')
        onSettled(partition)
        break
      case 'rolled back':
        this.failedUpdates++
        logger.info(fields, 'the controller did not change the in-sync replicas')
        onSettled(partition)
        break
      case 'waiting':
        this.failedUpdates++
        // A usual race, as with an election: the metadata that is on its way says what holds.
        logger.debug(fields, 'the controller did not change the in-sync replicas: waiting for the metadata')
        onSettled(partition)
        break
      case 'retry':
        this.failedUpdates++
        logger.warn(fields, 'the controller could not change the in-sync replicas: it is asked again')
        this.#retry(proposed)
    }
  }

  /** Kafka asks again at once. The pause keeps a controller that fails at this from doing nothing else. */
  #retry({ partition, proposal, attempts }: Proposed): void {
    const { clock } = this.#parts
    const pauseMs = Math.min(RETRY_MS_MIN * 2 ** attempts, RETRY_MS_MAX)
    const timer = clock.at(clock.now() + pauseMs, () => {
      this.#retries.delete(timer)
      if (partition.leader?.isr.pending === proposal) this.#submit(partition, proposal, attempts + 1)
    })
    this.#retries.add(timer)
  }

  #watch(): void {
    const { deadline } = this.#queue
    if (deadline === Infinity || this.#timer !== null) return
    this.#timer = this.#parts.clock.at(deadline, () => {
      this.#timer = null
      this.#run({ type: 'tick' })
    })
  }
}
