import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { AssignReplicasToDirs } from '#protocol/messages/assign-replicas-to-dirs.js'
import type { ControllerChannel } from '../client/controller-channel.js'
import type { Clock, Logger, Timer } from '../runtime/ports.js'
import { type AssignmentEvent, type DirectoryAssignment, DirectoryAssignments } from './directory-assignments.js'

export interface DirectoryReporterParts {
  readonly nodeId: number
  readonly brokerEpoch: () => number
  readonly controller: ControllerChannel
  readonly clock: Clock
  readonly logger: Logger
}

/** The driver of DirectoryAssignments. */
export class DirectoryReporter {
  readonly #parts: DirectoryReporterParts
  readonly #machine = new DirectoryAssignments()
  readonly #callbacks = new Map<DirectoryAssignment, () => void>()
  #timer: Timer | null = null
  #isClosed = false

  constructor(parts: DirectoryReporterParts) {
    this.#parts = parts
  }

  /** Says where a replica is; `done` is called when the controller knows, not if it never does. */
  report(assignment: DirectoryAssignment, done?: () => void): void {
    if (done !== undefined) this.#callbacks.set(assignment, done)
    this.#run({ type: 'assign', assignment })
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
    this.#callbacks.clear()
  }

  #run(event: AssignmentEvent): void {
    if (this.#isClosed) return
    const { clock, controller, logger, nodeId, brokerEpoch } = this.#parts
    for (const effect of this.#machine.step(event, clock.now())) {
      switch (effect.type) {
        case 'send': {
          const epoch = brokerEpoch()
          // Nobody takes it from a broker that is not registered yet.
          if (epoch < 0) {
            this.#run({ type: 'failure' })
            break
          }
          const request = { ...effect.request, brokerId: nodeId, brokerEpoch: epoch }
          controller.call(AssignReplicasToDirs, request, Infinity).then(
            response => this.#run({ type: 'answer', response }),
            error => {
              if (!(error instanceof ApiError) || error.code !== ErrorCode.BROKER_NOT_AVAILABLE) {
                logger.error({ err: error }, 'AssignReplicasToDirs could not be sent: it is tried again')
              }
              this.#run({ type: 'failure' })
            },
          )
          break
        }
        case 'settled': {
          const done = this.#callbacks.get(effect.assignment)
          this.#callbacks.delete(effect.assignment)
          done?.()
          break
        }
        case 'dropped':
          this.#callbacks.delete(effect.assignment)
          break
        case 'failed': {
          const { assignment, errorCode } = effect
          const code = errorCode === null ? null : errorName(errorCode as ErrorCode)
          logger.error({ ...assignment, code }, 'the controller does not take where a replica is: it is told again')
          break
        }
        case 'report': {
          const code = errorName(effect.errorCode as ErrorCode)
          logger.error({ code }, 'the controller refuses AssignReplicasToDirs')
        }
      }
    }
    this.#watch()
  }

  #watch(): void {
    const { deadline } = this.#machine
    if (deadline === Infinity || this.#timer !== null) return
    this.#timer = this.#parts.clock.at(deadline, () => {
      this.#timer = null
      this.#run({ type: 'tick' })
    })
  }
}
