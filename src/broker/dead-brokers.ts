import { isConnectionRefused } from '../client/versioned-peer.js'
import type { HeartbeatWatch } from '../handlers/broker-heartbeat.js'
import type { RequestContext } from '../handlers/handler.js'
import type { BrokerRegistration, MetadataImage } from '../metadata/image.js'
import type { Clock, Logger, Millis, Network, Timer } from '../runtime/ports.js'

export interface DeadBrokersParts {
  readonly network: Network
  readonly clock: Clock
  readonly logger: Logger
  /** The cluster as it is committed. */
  readonly image: () => MetadataImage
  /** The broker's process is dead: it is fenced now, unless it was heard of after `silentSince`. Whether it was. */
  readonly fence: (brokerId: number, brokerEpoch: number, silentSince?: Millis) => Promise<boolean>
  /** The broker in this process, which is as alive as the controller; -1 for none. */
  readonly localId: number
}

/** When a broker is tried after its connection closed, ms after one another: a process may close its listener last. */
const RETRIES_MS: readonly Millis[] = [0, 10, 20, 50, 100, 200, 300, 400]
/** How often those are tried who are not connected at all, ms. */
const SWEEP_MS: Millis = 1000
/** How long a listener may take to accept a connection, ms. */
const CONNECT_MS_MAX: Millis = 1000
/** How long a broker without a connection must have been silent for another process to take its place, ms. */
const SILENT_MS: Millis = 500
/** Tries under way. */
const TRIES_MAX = 50

interface Contact {
  readonly epoch: number
  readonly connectionId: number
  readonly forget: () => void
}

/**
 * Finds out which brokers are dead without waiting for the end of their sessions: a broker whose heartbeat connection
 * has closed, or that has not come to this controller yet, is tried; where its host refuses the connection, nothing
 * listens there any more, and it is fenced. That costs a broker which is alive after all a moment, and no data.
 */
export class DeadBrokers implements HeartbeatWatch {
  readonly #parts: DeadBrokersParts
  readonly #contacts = new Map<number, Contact>()
  /** Brokers that are being tried, and when again. */
  readonly #trying = new Map<number, Timer | null>()
  #sweepTimer: Timer | null = null
  #closed = false

  constructor(parts: DeadBrokersParts) {
    this.#parts = parts
  }

  /** A heartbeat came, on a connection. */
  heard(
    brokerId: number,
    epoch: number,
    { connectionId, onClose }: Pick<RequestContext, 'connectionId' | 'onClose'>,
  ): void {
    if (brokerId === this.#parts.localId) return
    const known = this.#contacts.get(brokerId)
    if (known?.connectionId === connectionId && known.epoch === epoch) return
    if (this.#parts.image().cluster.broker(brokerId)?.epoch !== epoch) return
    known?.forget()
    const contact = { epoch, connectionId, forget: () => {} }
    this.#contacts.set(brokerId, contact)
    // A connection that has closed meanwhile says so at once.
    contact.forget = onClose(() => {
      if (this.#contacts.get(brokerId) !== contact) return
      this.#contacts.delete(brokerId)
      this.#try(brokerId, 0)
    })
  }

  /**
   * Another process wants to be this broker. One that is alive has a connection here, or makes one as soon as it hears
   * of this controller.
   */
  async registering(brokerId: number, incarnationId: string): Promise<void> {
    const { image, clock } = this.#parts
    const broker = image().cluster.broker(brokerId)
    if (broker === undefined || broker.incarnationId === incarnationId || this.#contacts.has(brokerId)) return
    await this.#fence(broker, 'another process comes as broker', clock.now() - SILENT_MS)
  }

  /** The active controller is another one, or this one now. */
  controllerChanged(leads: boolean): void {
    this.#sweepTimer?.cancel()
    this.#sweepTimer = null
    if (leads && !this.#closed) this.#sweep()
  }

  close(): void {
    this.#closed = true
    this.#sweepTimer?.cancel()
    for (const timer of this.#trying.values()) timer?.cancel()
    this.#trying.clear()
    for (const { forget } of this.#contacts.values()) forget()
    this.#contacts.clear()
  }

  #sweep(): void {
    const { clock, image } = this.#parts
    for (const broker of image().cluster.brokers.values()) {
      if (!this.#contacts.has(broker.id)) this.#try(broker.id, RETRIES_MS.length - 1)
    }
    this.#sweepTimer = clock.at(clock.now() + SWEEP_MS, () => this.#sweep())
  }

  /** The broker, if it is one that may have to be fenced and is not known to be alive. */
  #suspect(brokerId: number): BrokerRegistration | null {
    const broker = this.#parts.image().cluster.broker(brokerId)
    const isSuspect = broker !== undefined && !broker.fenced && !this.#contacts.has(brokerId)
    return isSuspect && brokerId !== this.#parts.localId && !this.#closed ? broker : null
  }

  #try(brokerId: number, attempt: number): void {
    const broker = this.#suspect(brokerId)
    if (broker === null || this.#trying.has(brokerId) || this.#trying.size >= TRIES_MAX) return
    this.#trying.set(brokerId, null)
    this.#isRefused(broker)
      .then(isRefused => {
        const isStill = this.#suspect(brokerId)?.epoch === broker.epoch
        return isStill && isRefused ? this.#fence(broker, 'nothing listens where there was broker') : !isStill
      })
      .then(isOver => {
        this.#trying.delete(brokerId)
        if (!isOver && attempt + 1 < RETRIES_MS.length) this.#tryLater(brokerId, attempt + 1)
      })
  }

  async #fence(
    { id, epoch: brokerEpoch, fenced }: BrokerRegistration,
    why: string,
    silentSince?: Millis,
  ): Promise<boolean> {
    const { logger, fence } = this.#parts
    try {
      const isFenced = await fence(id, brokerEpoch, silentSince)
      if (isFenced && !fenced) logger.info({ brokerId: id, brokerEpoch }, `${why} ${id}: the registered one is fenced`)
      return isFenced
    } catch (error) {
      // It is fenced all the same, when its session is over.
      logger.debug({ brokerId: id, error: String(error) }, 'a broker that seems dead could not be fenced')
      return false
    }
  }

  #tryLater(brokerId: number, attempt: number): void {
    const { clock } = this.#parts
    const timer = clock.at(clock.now() + RETRIES_MS[attempt]!, () => {
      this.#trying.delete(brokerId)
      this.#try(brokerId, attempt)
    })
    this.#trying.set(brokerId, timer)
  }

  async #isRefused({ endpoints }: BrokerRegistration): Promise<boolean> {
    const endpoint = endpoints[0]
    if (endpoint === undefined) return false
    const { host, port } = endpoint
    try {
      const connection = await this.#parts.network.connect({ host, port, timeoutMs: CONNECT_MS_MAX })
      connection.destroy()
      return false
    } catch (error) {
      return isConnectionRefused(error)
    }
  }
}
