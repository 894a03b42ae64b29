import type { ListenerKind } from '#protocol/schema.js'

/** How many connections there may be. */
export interface ConnectionCountLimits {
  /** `max.connections`, of all listeners of a kind together: more than this wait, unread, until others close. */
  readonly connectionsMax: number
  /** `listener.name.<listener>.max.connections`, for the listeners that have it. */
  readonly connectionsMaxByListener: ReadonlyMap<string, number>
  /**
   * The listener of brokers among themselves, where clients have others: who comes there does not wait for those that
   * came elsewhere, but takes the place of one of them.
   */
  readonly protectedListener: string | null
  /** `max.connections.per.ip` and its overrides by address: more than this are closed. */
  readonly connectionsPerIpMax: number
  readonly connectionsPerIpOverrides: ReadonlyMap<string, number>
}

/** What counts of a connection. */
export interface CountedConnection {
  readonly kind: ListenerKind
  readonly listener: string
  readonly address: string
}

/**
 * Counts connections as Kafka does: those of clients and brokers apart from those of controllers, so that no client
 * can keep the quorum from its work.
 */
export class ConnectionCounts {
  readonly #ofKind: Record<ListenerKind, number> = { broker: 0, controller: 0 }
  readonly #ofListener = new Map<string, number>()
  readonly #ofAddress: Record<ListenerKind, Map<string, number>> = { broker: new Map(), controller: new Map() }

  /** Whether the address may have one more. */
  mayHave({ kind, address }: CountedConnection, limits: ConnectionCountLimits): boolean {
    return (this.#ofAddress[kind].get(address) ?? 0) < addressLimit(limits, address)
  }

  /** Whether there is a place for one more, or it has to wait for one. */
  hasPlace({ kind, listener }: CountedConnection, limits: ConnectionCountLimits): boolean {
    const { connectionsMax, connectionsMaxByListener, protectedListener } = limits
    const ofListener = this.#ofListener.get(listener) ?? 0
    if (ofListener >= (connectionsMaxByListener.get(listener) ?? connectionsMax)) return false
    return listener === protectedListener || this.#ofKind[kind] < connectionsMax
  }

  /** How many of a kind there are too many. */
  excess(kind: ListenerKind, { connectionsMax }: ConnectionCountLimits): number {
    return Math.max(0, this.#ofKind[kind] - connectionsMax)
  }

  add(connection: CountedConnection): void {
    this.#change(connection, 1)
  }

  remove(connection: CountedConnection): void {
    this.#change(connection, -1)
  }

  #change({ kind, listener, address }: CountedConnection, by: number): void {
    this.#ofKind[kind] += by
    change(this.#ofListener, listener, by)
    change(this.#ofAddress[kind], address, by)
  }
}

/** How many connections an address may have. */
export function addressLimit(limits: ConnectionCountLimits, address: string): number {
  // Whatever interface it came by.
  return limits.connectionsPerIpOverrides.get(address.replace(/%.*$/, '')) ?? limits.connectionsPerIpMax
}

function change(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
