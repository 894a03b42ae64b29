import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import type { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '#protocol/messages/broker-heartbeat.js'
import type { BrokerRegistrationRequest, BrokerRegistrationResponse } from '#protocol/messages/broker-registration.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'

/** The way to the active controller: by direct calls in its own process, over the network otherwise. */
export interface BrokerToController {
  /** Both reject with ApiError (NOT_CONTROLLER, …) when there is no answer. */
  register(request: BrokerRegistrationRequest): Promise<BrokerRegistrationResponse>
  heartbeat(request: BrokerHeartbeatRequest): Promise<BrokerHeartbeatResponse>
}

export interface BrokerLifecycleParts {
  /** What the broker says of itself; asked for anew at each attempt, because features may be finalized meanwhile. */
  readonly registration: () => BrokerRegistrationRequest
  readonly controller: BrokerToController
  /** The offset that this broker's image is at. */
  readonly metadataOffset: () => number
  readonly clock: Clock
  readonly logger: Logger
  /** `broker.heartbeat.interval.ms` */
  readonly heartbeatIntervalMs: Millis
  /** `initial.broker.registration.timeout.ms` */
  readonly registrationTimeoutMs: Millis
  /** It cannot take part in the cluster, and must stop. */
  readonly onFault: (error: Error) => void
}

/**
 *   idle --start--> registering --registered--> fenced --setReady, unfenced--> running
 *                                                  ^------fenced by the controller----'
 *   any --stop--> stopping --the controller lets go--> stopped
 *
 * A registration of an earlier process may have been on its way for long, and take the place of this one's: then it
 * registers again, as the same process. Kafka's broker would stay outside until somebody restarts it.
 */
export type LifecycleState = 'idle' | 'registering' | 'fenced' | 'running' | 'stopping' | 'stopped'

const retryMsMin: Millis = 10
const registrationRetryMsMax: Millis = 1000
/** The second heartbeat of a broker that stops comes after this; further ones after twice as long each time. */
const stopRetryMs: Millis = 20

/**
 * The broker's side of its life in the cluster: registers, heartbeats until it is unfenced and for ever after, and asks
 * to be let go when it stops, so that others lead before it is gone. One request is under way at a time; what changes
 * meanwhile (ready, stopping, a failed directory) goes out at once with the next one.
 */
export class BrokerLifecycle {
  readonly #parts: BrokerLifecycleParts
  #state: LifecycleState = 'idle'
  #epoch = -1
  /** The newest epoch in which another process was registered with this broker's id; -1: none is known. */
  #otherEpoch = -1
  #isReady = false
  #wantsStop = false
  #offlineDirectories: readonly string[] = []
  #cordonedDirectories: readonly string[] = []
  #inFlight = false
  /** Why the last exchange failed; null if it did not. */
  #lastFailure: string | null = null
  /** Something changed while a request was under way: the next one follows at once. */
  #again = false
  #timer: Timer | null = null
  #guard: Timer | null = null
  #retryMs: Millis = retryMsMin
  #stopAttempts = 0
  #giveUpAt: Millis = Number.POSITIVE_INFINITY
  #onRunning: (() => void)[] = []
  #onStopped: ((released: boolean) => void)[] = []

  constructor(parts: BrokerLifecycleParts) {
    this.#parts = parts
  }

  get state(): LifecycleState {
    return this.#state
  }

  /** The epoch of this broker's registration; -1 before it is registered. */
  get epoch(): number {
    return this.#epoch
  }

  /** Begins to register. */
  start(): void {
    if (this.#state !== 'idle') throw new Error('the broker is registering already')
    const { clock, registrationTimeoutMs } = this.#parts
    this.#state = 'registering'
    this.#giveUpAt = clock.now() + registrationTimeoutMs
    this.#communicate()
  }

  /** Logs are recovered and requests can be served: from now on it wants to be unfenced. Settles when it is. */
  setReady(): Promise<void> {
    this.#isReady = true
    if (this.#state === 'running') return Promise.resolve()
    const running = new Promise<void>(resolve => {
      this.#onRunning.push(resolve)
    })
    this.#hurry()
    return running
  }

  /** Log directories that failed; the controller takes their replicas out of the ISRs. */
  setOfflineDirectories(ids: readonly string[]): void {
    this.#offlineDirectories = ids
    this.#hurry()
  }

  /** Log directories that shall get no new replicas (`cordoned.log.dirs`). */
  setCordonedDirectories(ids: readonly string[]): void {
    this.#cordonedDirectories = ids
    this.#hurry()
  }

  /** This node's image shows it fenced: it has seen its registration, or somebody took it for dead. It wants in. */
  seenFenced(): void {
    if (this.#state === 'fenced' || this.#state === 'running') this.#hurry()
  }

  /** This node's image shows another process registered with its id, in this epoch. */
  seenOther(epoch: number): void {
    this.#otherEpoch = epoch
    if (this.#isReplaced()) this.#hurry()
  }

  /** Whether it has to register again, because another process has been registered since. */
  #isReplaced(): boolean {
    if ((this.#state !== 'fenced' && this.#state !== 'running') || this.#otherEpoch < this.#epoch) return false
    const fields = { brokerEpoch: this.#epoch, otherEpoch: this.#otherEpoch }
    this.#parts.logger.warn(fields, 'another process was registered in place of this one: registering again')
    this.#state = 'registering'
    return true
  }

  /** Another broker is on its way out: it is let go when the controller knows that all others have seen that. */
  otherStops(): void {
    if (this.#state === 'running') this.#hurry()
  }

  /** There is another active controller, or one again: do not wait for the end of a pause. */
  controllerChanged(): void {
    this.#retryMs = retryMsMin
    this.#hurry()
  }

  /**
   * Controlled shutdown: settles with true when the controller lets the broker go, because others lead what it led (or
   * nobody can), and with false when that has not come about in time.
   */
  stop(timeoutMs: Millis): Promise<boolean> {
    if (this.#state === 'stopped') return Promise.resolve(true)
    if (this.#epoch === -1 || this.#state === 'idle') {
      this.#end(true)
      return Promise.resolve(true)
    }
    const stopped = new Promise<boolean>(resolve => {
      this.#onStopped.push(resolve)
    })
    if (!this.#wantsStop) {
      this.#wantsStop = true
      this.#state = 'stopping'
      const { clock } = this.#parts
      this.#giveUpAt = clock.now() + timeoutMs
      // An answer may never come: the end of the wait does not depend on one.
      this.#guard = clock.at(this.#giveUpAt, () => this.#end(false))
      this.#hurry()
    }
    return stopped
  }

  /** Ends without a goodbye. */
  close(): void {
    this.#end(false)
  }

  #hurry(): void {
    if (this.#state === 'idle' || this.#state === 'stopped') return
    if (this.#inFlight) this.#again = true
    else this.#communicate()
  }

  #communicate(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#again = false
    this.#inFlight = true
    const exchange = this.#state === 'registering' ? this.#register() : this.#heartbeat()
    exchange
      .then(
        pauseMs => {
          this.#lastFailure = null
          return pauseMs
        },
        (error: unknown) => this.#failed(error),
      )
      .then(pauseMs => {
        this.#inFlight = false
        if (this.#state === 'stopped') return
        if (this.#again) this.#communicate()
        else this.#timer = this.#parts.clock.at(this.#nextAt(pauseMs), () => this.#next())
      })
  }

  #nextAt(pauseMs: Millis): Millis {
    const at = this.#parts.clock.now() + pauseMs
    return this.#state === 'registering' ? Math.min(at, this.#giveUpAt) : at
  }

  #next(): void {
    if (this.#state === 'registering' && this.#parts.clock.now() >= this.#giveUpAt) {
      this.#end(false)
      this.#parts.onFault(new Error('the broker could not register with a controller in time'))
      return
    }
    this.#communicate()
  }

  /** Each returns the pause until the next request. */
  async #register(): Promise<Millis> {
    const { controller, registration, logger } = this.#parts
    const request = registration()
    const { errorCode, brokerEpoch } = await controller.register(request)
    if (errorCode === ErrorCode.DUPLICATE_BROKER_REGISTRATION && this.#epoch !== -1) {
      this.#end(false)
      this.#parts.onFault(new Error('another process, which is alive, has taken the place of this broker'))
    }
    if (errorCode !== ErrorCode.NONE) throw new ApiError(errorCode as ErrorCode)
    if (this.#state !== 'registering') return this.#parts.heartbeatIntervalMs
    this.#epoch = brokerEpoch ?? -1
    this.#state = this.#wantsStop ? 'stopping' : 'fenced'
    this.#giveUpAt = Number.POSITIVE_INFINITY
    this.#retryMs = retryMsMin
    logger.info({ brokerEpoch, incarnationId: request.incarnationId }, 'the broker is registered')
    if (this.#isReplaced()) return this.#backOff(registrationRetryMsMax)
    this.#again = true
    return 0
  }

  async #heartbeat(): Promise<Millis> {
    const { controller, metadataOffset, heartbeatIntervalMs } = this.#parts
    const wantsIn = this.#isReady && !this.#wantsStop
    const response = await controller.heartbeat({
      brokerId: this.#parts.registration().brokerId,
      brokerEpoch: this.#epoch,
      currentMetadataOffset: metadataOffset(),
      wantFence: !this.#isReady,
      wantShutDown: this.#wantsStop,
      offlineLogDirs: [...this.#offlineDirectories],
      cordonedLogDirs: [...this.#cordonedDirectories],
    })
    if (response.errorCode !== ErrorCode.NONE) throw new ApiError(response.errorCode as ErrorCode)
    if (this.#state === 'stopping') {
      if (response.shouldShutDown) this.#end(true)
      return Math.min(stopRetryMs * 2 ** this.#stopAttempts++, heartbeatIntervalMs)
    }
    if (this.#state !== 'fenced' && this.#state !== 'running') return heartbeatIntervalMs
    if (!response.isFenced) {
      this.#becomeRunning()
      return heartbeatIntervalMs
    }
    this.#state = 'fenced'
    // It is let in when its image has caught up, which is a matter of moments.
    return wantsIn ? this.#backOff(heartbeatIntervalMs) : heartbeatIntervalMs
  }

  #becomeRunning(): void {
    this.#retryMs = retryMsMin
    if (this.#state === 'running') return
    this.#state = 'running'
    this.#parts.logger.info({ brokerEpoch: this.#epoch }, 'the broker is unfenced')
    const waiting = this.#onRunning
    this.#onRunning = []
    for (const resolve of waiting) resolve()
  }

  #failed(error: unknown): Millis {
    const { logger, heartbeatIntervalMs } = this.#parts
    if (this.#state === 'stopped') return heartbeatIntervalMs
    const reason = error instanceof ApiError ? errorName(error.code) : String(error)
    const what = this.#state === 'registering' ? 'registration' : 'heartbeat'
    const detail = error instanceof Error ? error.message : undefined
    // A controller that cannot be asked may be on its way; what it refuses is another matter.
    const isRefusal = what === 'heartbeat' && !(error instanceof ApiError && error.code === ErrorCode.REQUEST_TIMED_OUT)
    // Once a reason, at the levels of Kafka: it is tried again every moment.
    const level = this.#lastFailure === reason ? 'debug' : isRefusal ? 'warn' : 'info'
    this.#lastFailure = reason
    logger[level]({ reason, detail }, `the broker's ${what} failed and is tried again`)
    return this.#backOff(this.#state === 'registering' ? registrationRetryMsMax : heartbeatIntervalMs)
  }

  #backOff(longest: Millis): Millis {
    const pauseMs = Math.min(this.#retryMs, longest)
    this.#retryMs = Math.min(this.#retryMs * 2, longest)
    return pauseMs
  }

  #end(released: boolean): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#timer?.cancel()
    this.#guard?.cancel()
    const waiting = this.#onStopped
    this.#onStopped = []
    this.#onRunning = []
    for (const resolve of waiting) resolve(released)
  }
}
