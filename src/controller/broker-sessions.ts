import type { MetadataImage } from '../metadata/image.js'
import type { Millis } from '../runtime/ports.js'

/** What the active controller knows of a broker beyond its registration. None of it is in the log. */
export interface BrokerSession {
  readonly id: number
  /** The epoch of the registration that the session belongs to. */
  readonly epoch: number
  /** Last heard of; Infinity for a broker that lives in this process, which cannot be alive without it. */
  lastContact: Millis
  /** The highest offset that it has said it has replayed. */
  metadataOffset: number
  /** Where its RegisterBrokerRecord stands: before it has replayed that, it is not unfenced. */
  readonly registrationOffset: number
  /** It may stop when every active broker has replayed up to here; -1 when it is not about to stop. */
  shutdownOffset: number
}

/** Sessions of brokers: who is alive, and how far the brokers are. */
export class BrokerSessions {
  readonly #sessions = new Map<number, BrokerSession>()

  /** At the beginning of an epoch every unfenced broker has as much time as if it had just been heard of. */
  constructor(image: MetadataImage, now: Millis) {
    for (const broker of image.cluster.brokers.values()) {
      this.#sessions.set(broker.id, {
        id: broker.id,
        epoch: broker.epoch,
        lastContact: broker.fenced ? Number.NEGATIVE_INFINITY : now,
        metadataOffset: -1,
        // The offset of its record is not known any more; the end of what was there then is late enough.
        registrationOffset: image.offset,
        shutdownOffset: -1,
      })
    }
  }

  get(brokerId: number): BrokerSession | undefined {
    return this.#sessions.get(brokerId)
  }

  /** A broker registered anew. */
  begin(session: BrokerSession): void {
    this.#sessions.set(session.id, session)
  }

  end(brokerId: number): void {
    this.#sessions.delete(brokerId)
  }

  /** It is taken for dead: its session is over at once, and with it the wish to stop. */
  expire(brokerId: number): void {
    const session = this.#sessions.get(brokerId)
    if (session === undefined) return
    session.lastContact = Number.NEGATIVE_INFINITY
    session.shutdownOffset = -1
  }

  /**
   * Those of unfenced brokers go on for so much longer, because in that time nobody could be heard of, and in any case
   * as if they had been heard of at `leastContact`.
   */
  prolong(image: MetadataImage, ms: Millis, leastContact: Millis): void {
    for (const session of this.#sessions.values()) {
      if (image.cluster.broker(session.id)?.fenced !== false || session.lastContact === Number.NEGATIVE_INFINITY)
        continue
      session.lastContact = Math.max(session.lastContact + ms, leastContact)
    }
  }

  isValid(brokerId: number, now: Millis, timeoutMs: Millis): boolean {
    const session = this.#sessions.get(brokerId)
    return session !== undefined && session.lastContact + timeoutMs > now
  }

  /** Unfenced brokers of the image whose session is over, longest silent first. */
  expired(image: MetadataImage, now: Millis, timeoutMs: Millis): readonly number[] {
    const late: BrokerSession[] = []
    for (const session of this.#sessions.values()) {
      if (session.lastContact + timeoutMs > now) continue
      if (image.cluster.broker(session.id)?.fenced === false) late.push(session)
    }
    return late.sort((a, b) => a.lastContact - b.lastContact || a.id - b.id).map(session => session.id)
  }

  /** When the first session of an unfenced broker will be over. */
  firstExpiry(image: MetadataImage, timeoutMs: Millis): Millis {
    let first = Number.POSITIVE_INFINITY
    for (const session of this.#sessions.values()) {
      if (image.cluster.broker(session.id)?.fenced === false) first = Math.min(first, session.lastContact + timeoutMs)
    }
    return first
  }

  /** The lowest offset that any active broker has replayed; Infinity when there is none. */
  lowestActiveOffset(image: MetadataImage): number {
    let lowest = Number.POSITIVE_INFINITY
    for (const session of this.#sessions.values()) {
      const broker = image.cluster.broker(session.id)
      if (broker === undefined || broker.fenced || broker.inControlledShutdown || session.shutdownOffset >= 0) continue
      lowest = Math.min(lowest, session.metadataOffset)
    }
    return lowest
  }
}
