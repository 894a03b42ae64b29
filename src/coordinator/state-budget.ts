/**
 * How much memory the state of all shards of a kind may take, roughly. What a client asks for is refused when it is
 * used up; what the log says is taken in whatever it costs.
 */
export class StateBudget {
  readonly bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Opens the account of one shard. */
  open(): StateAccount {
    let own = 0
    const move = (bytes: number) => {
      own += bytes
      this.#bytes += bytes
    }
    return {
      get bytes() {
        return own
      },
      hasRoomFor: bytes => this.#bytes + bytes <= this.bytesMax,
      take: move,
      give: bytes => move(-bytes),
      close: () => move(-own),
    }
  }
}

/** The part of one shard in the budget. */
export interface StateAccount {
  readonly bytes: number
  hasRoomFor(bytes: number): boolean
  /** Bytes come into use, whether there is room or not. */
  take(bytes: number): void
  give(bytes: number): void
  /** Gives back all that is left. */
  close(): void
}
