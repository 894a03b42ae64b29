import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import type { Clock, Logger, Millis, Network, Timer } from '../runtime/ports.js'
import { PeerError } from './peer.js'
import { UnsupportedVersionError, VersionedPeer } from './versioned-peer.js'

/** The way of a broker or controller to the active controller, wherever that is. */
export interface ControllerChannel {
  /**
   * Sends a request to the active controller and resolves with what it answers, errors of the request included. While
   * no controller is known, when it cannot be reached, or says NOT_CONTROLLER, it is tried again, until `deadline`;
   * after that nothing is sent. Rejects with ApiError: REQUEST_TIMED_OUT when the deadline has come or too many calls
   * wait, UNSUPPORTED_VERSION when the controller does not serve the API, BROKER_NOT_AVAILABLE when this node stops;
   * and with whatever is wrong with the request itself. `deadline`: a point of time of `Clock.now()`, ms.
   *
   * So a request whose connection breaks before the answer is sent a second time, though the first may have been
   * carried out: CreateTopics may then say TOPIC_ALREADY_EXISTS of a topic that it made. Kafka does the same for all
   * that it sends to its controller (NodeToControllerRequestThread puts a request whose connection was cut in front of
   * its queue again, until the retry timeout; ForwardingManager adds nothing to that). Mostly the second time has no
   * effect of its own: requests name what is to be, as a number of partitions, add what is not there yet (APPEND of a
   * value that is there does nothing), or leave a gap (a second block of producer ids). But what somebody else changed
   * between the two is changed back.
   */
  call<Q extends Fields, R extends Fields>(api: Api<Q, R>, request: Encodable<Q>, deadline: Millis): Promise<Decoded<R>>
}

/** Where the active controller is. */
export type ControllerPlace =
  /** In this very process. */
  | { readonly kind: 'local' }
  | { readonly kind: 'remote'; readonly nodeId: number; readonly host: string; readonly port: number }

/** Requests to the controller in this process, answered as over the network: errors stand in the response. */
export interface LocalRequests {
  call<Q extends Fields, R extends Fields>(api: Api<Q, R>, request: Encodable<Q>): Promise<Decoded<R>>
}

export interface QuorumControllerChannelParts {
  /** The active controller by what the quorum knows at this moment; null when nobody is known. */
  readonly find: () => ControllerPlace | null
  readonly local: LocalRequests
  readonly network: Network
  readonly clock: Clock
  readonly logger: Logger
  readonly clientId: string
  readonly connectTimeoutMs: Millis
  /** How long the controller may take for one answer before its connection is given up. */
  readonly requestTimeoutMs: Millis
  /** Calls that may wait at a time. */
  readonly callsMax: number
}

const RETRY_MS_MIN: Millis = 10
const RETRY_MS_MAX: Millis = 200
/** How long a controller that leads no more has for answers that are on their way, ms. */
const LAST_ANSWERS_MS: Millis = 100

interface Way {
  readonly place: ControllerPlace & { readonly kind: 'remote' }
  readonly peer: Promise<VersionedPeer>
}

/**
 * A ControllerChannel that finds the controller by the leader of the quorum. It has one connection, which comes about
 * when something is sent, and is given up when another node leads.
 */
export class QuorumControllerChannel implements ControllerChannel {
  readonly #parts: QuorumControllerChannelParts
  #way: Way | null = null
  /** Connections to controllers of before, that are about to be closed. */
  readonly #retired = new Map<Way, Timer>()
  /** Those who wait for a controller, or for another try. */
  readonly #pausing = new Set<() => void>()
  #calls = 0
  #closed = false
  /** Since the last answer a request has failed for want of a connection, and that was said. */
  #isCutOff = false

  constructor(parts: QuorumControllerChannelParts) {
    this.#parts = parts
  }

  async call<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    request: Encodable<Q>,
    deadline: Millis,
  ): Promise<Decoded<R>> {
    if (this.#calls >= this.#parts.callsMax) {
      throw new ApiError(ErrorCode.REQUEST_TIMED_OUT, 'too many requests wait for the controller')
    }
    this.#calls++
    try {
      return await this.#callUntil(api, request, deadline)
    } finally {
      this.#calls--
    }
  }

  /**
   * Another node is the active controller, or none: what waits for the old one is sent to the new one. But one that
   * went in order may have its last answers on the way.
   */
  controllerChanged(): void {
    const way = this.#way
    const place = this.#parts.find()
    if (way !== null && !(place?.kind === 'remote' && isSame(place, way.place))) this.#retire(way)
    this.#wake()
  }

  close(): void {
    this.#closed = true
    if (this.#way !== null) this.#drop(this.#way)
    for (const [way, timer] of this.#retired) {
      timer.cancel()
      this.#drop(way)
    }
    this.#retired.clear()
    this.#wake()
  }

  #retire(way: Way): void {
    const { clock } = this.#parts
    this.#way = null
    const end = (): void => {
      this.#retired.delete(way)
      this.#drop(way)
    }
    this.#retired.set(way, clock.at(clock.now() + LAST_ANSWERS_MS, end))
  }

  async #callUntil<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    request: Encodable<Q>,
    deadline: Millis,
  ): Promise<Decoded<R>> {
    const { find, clock } = this.#parts
    let retryMs = RETRY_MS_MIN
    for (;;) {
      if (this.#closed) throw new ApiError(ErrorCode.BROKER_NOT_AVAILABLE, 'the node is stopping')
      if (clock.now() >= deadline) throw new ApiError(ErrorCode.REQUEST_TIMED_OUT)
      const place = find()
      if (place !== null) {
        try {
          const response = await this.#within(deadline, this.#send(place, api, request, deadline))
          this.#isCutOff = false
          if (!isNotController(response)) return response
        } catch (error) {
          if (error instanceof TimeIsUp) throw new ApiError(ErrorCode.REQUEST_TIMED_OUT)
          if (error instanceof UnsupportedVersionError) throw new ApiError(ErrorCode.UNSUPPORTED_VERSION, error.message)
          if (error instanceof PeerError) this.#report(place, api.name, error)
          // What this node itself refuses is no matter of the way.
          else if (!(error instanceof ApiError && error.code === ErrorCode.NOT_CONTROLLER)) throw error
        }
      }
      await this.#pause(Math.min(deadline, clock.now() + retryMs))
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)
    }
  }

  /** The first failure after an answer is told to everyone, the tries after it to who looks closer. */
  #report(place: ControllerPlace, api: string, error: PeerError): void {
    const fields = { controllerId: place.kind === 'remote' ? place.nodeId : null, api, error: error.message }
    const text = 'the controller gave no answer, for the connection failed: the request is sent again'
    if (this.#isCutOff || this.#closed) this.#parts.logger.debug(fields, text)
    else this.#parts.logger.warn(fields, text)
    this.#isCutOff = true
  }

  async #send<Q extends Fields, R extends Fields>(
    place: ControllerPlace,
    api: Api<Q, R>,
    request: Encodable<Q>,
    deadline: Millis,
  ): Promise<Decoded<R>> {
    if (place.kind === 'local') return this.#parts.local.call(api, request)
    let way = this.#wayTo(place)
    try {
      let peer = await way.peer
      if (peer.isClosed && this.#way === way) {
        // It broke while nothing was asked.
        this.#drop(way)
        way = this.#wayTo(place)
        peer = await way.peer
      }
      // Whoever asked was told that time is up: what is sent now would be done behind their back.
      if (this.#parts.clock.now() >= deadline) throw new TimeIsUp()
      return await peer.send(api, 0, request)
    } catch (error) {
      if (error instanceof PeerError) this.#drop(way)
      throw error
    }
  }

  #wayTo(place: ControllerPlace & { readonly kind: 'remote' }): Way {
    const known = this.#way
    if (known !== null && isSame(known.place, place)) return known
    if (known !== null) this.#drop(known)
    const { network, clock, clientId, connectTimeoutMs, requestTimeoutMs } = this.#parts
    const { host, port } = place
    const peer = VersionedPeer.connect(network, clock, { host, port, clientId, connectTimeoutMs, requestTimeoutMs })
    const way = { place, peer }
    this.#way = way
    return way
  }

  #drop(way: Way): void {
    if (this.#way === way) this.#way = null
    way.peer.then(
      peer => peer.close(),
      () => {},
    )
  }

  /** Waits until `until`, or for another controller. */
  #pause(until: Millis): Promise<void> {
    if (this.#closed) return Promise.resolve()
    return new Promise(resolve => {
      let timer: Timer | null = null
      const wake = (): void => {
        timer?.cancel()
        this.#pausing.delete(wake)
        resolve()
      }
      this.#pausing.add(wake)
      timer = this.#parts.clock.at(until, wake)
    })
  }

  #wake(): void {
    for (const wake of [...this.#pausing]) wake()
  }

  /** Rejects with TimeIsUp when `work` is not done by then; what comes of it later is passed over. */
  #within<T>(deadline: Millis, work: Promise<T>): Promise<T> {
    if (deadline === Number.POSITIVE_INFINITY) return work
    return new Promise((resolve, reject) => {
      const timer = this.#parts.clock.at(deadline, () => reject(new TimeIsUp()))
      work.then(
        value => {
          timer.cancel()
          resolve(value)
        },
        (error: unknown) => {
          timer.cancel()
          reject(error)
        },
      )
    })
  }
}

class TimeIsUp extends Error {}

function isSame(a: ControllerPlace & { readonly kind: 'remote' }, b: ControllerPlace): boolean {
  return b.kind === 'remote' && a.nodeId === b.nodeId && a.host === b.host && a.port === b.port
}

function isNotController(response: unknown): boolean {
  return (response as { readonly errorCode?: number }).errorCode === ErrorCode.NOT_CONTROLLER
}
