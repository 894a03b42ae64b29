import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { AlterPartition, type AlterPartitionRequest } from '#protocol/messages/alter-partition.js'
import type { ControllerChannel } from '../client/controller-channel.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'
import { type AlterPartitionEvent, AlterPartitionQueue, type IsrChange } from './alter-partition-queue.js'
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
}

/** Pause before a proposal is made again that the controller could not judge, ms. */
const RETRY_MS: Millis = 50

/** Looks after the in-sync replicas of partitions that are led here: proposes, and takes what the controller says. */
export class IsrManager {
  readonly #parts: IsrManagerParts
  readonly #queue = new AlterPartitionQueue()
  readonly #proposed = new Map<IsrChange, Proposed>()
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
    this.#proposed.clear()
  }

  #log(partition: Partition, { isr }: IsrProposal, message: string): void {
    const fields = { partition: partition.name, from: partition.isr, to: isr, highWatermark: partition.highWatermark }
    this.#parts.logger.info(fields, message)
  }

  #submit(partition: Partition, proposal: IsrProposal): void {
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
    this.#proposed.set(change, { partition, proposal })
    this.#run({ type: 'submit', change })
  }

  #run(event: AlterPartitionEvent): void {
    if (this.#isClosed) return
    const { clock, logger } = this.#parts
    for (const effect of this.#queue.step(event, clock.now())) {
      switch (effect.type) {
        case 'send':
          this.#send(effect.request)
          break
        case 'settle':
          this.#settle(effect.change, effect.answer)
          break
        case 'report':
          logger.warn({ code: errorName(effect.errorCode as ErrorCode) }, 'the controller refuses AlterPartition')
      }
    }
    this.#watch()
  }

  #send(request: Omit<AlterPartitionRequest, 'brokerId' | 'brokerEpoch'>): void {
    const { controller, nodeId, brokerEpoch, logger } = this.#parts
    const whole = { ...request, brokerId: nodeId, brokerEpoch: brokerEpoch() }
    controller.call(AlterPartition, whole, Infinity).then(
      response => this.#run({ type: 'answer', response }),
      error => {
        if (!(error instanceof ApiError) || error.code !== ErrorCode.BROKER_NOT_AVAILABLE) {
          logger.warn({ err: error }, 'AlterPartition was not answered')
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
    const { logger, clock, onSettled } = this.#parts
    const before = partition.isr.length
    const outcome = partition.settleIsr(proposal, answer)
    const fields = { partition: partition.name, isr: partition.isr, code: errorName(answer.errorCode as ErrorCode) }
    switch (outcome) {
      case 'committed':
        if (partition.isr.length > before) this.expands++
        else this.shrinks++
        logger.debug(fields, 'the in-sync replicas have changed')
        onSettled(partition)
        break
      case 'rolled back':
      case 'waiting':
        this.failedUpdates++
        logger.info(fields, 'the controller did not change the in-sync replicas')
        onSettled(partition)
        break
      case 'retry':
        this.failedUpdates++
        clock.at(clock.now() + RETRY_MS, () => {
          const { leader } = partition
          if (!this.#isClosed && leader?.isr.pending === proposal) this.#submit(partition, proposal)
        })
    }
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
