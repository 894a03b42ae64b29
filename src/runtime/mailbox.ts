import type { Clock } from './ports.js'

/**
 * A bounded queue in front of one who works on batches: what is posted in one turn of the loop is handed over together,
 * in the order in which it came, in a later turn. So what a batch costs (one append, one sync) is shared by all in it.
 */
export class Mailbox<Message> {
  readonly #clock: Clock
  readonly #capacity: number
  readonly #deliver: (messages: readonly Message[]) => void
  #messages: Message[] = []
  #scheduled = false
  #closed = false

  /** `capacity`: how many messages may wait. `deliver` must not throw. */
  constructor(clock: Clock, capacity: number, deliver: (messages: readonly Message[]) => void) {
    this.#clock = clock
    this.#capacity = capacity
    this.#deliver = deliver
  }

  get length(): number {
    return this.#messages.length
  }

  /** Queues a message; false when the box is full or closed, and then nobody will ever see the message. */
  post(message: Message): boolean {
    if (this.#closed || this.#messages.length >= this.#capacity) return false
    this.#messages.push(message)
    if (!this.#scheduled) {
      this.#scheduled = true
      this.#clock.soon(() => this.#drain())
    }
    return true
  }

  /** Takes nothing more, and returns what nobody has seen. */
  close(): readonly Message[] {
    this.#closed = true
    const left = this.#messages
    this.#messages = []
    return left
  }

  #drain(): void {
    this.#scheduled = false
    if (this.#messages.length === 0) return
    const messages = this.#messages
    this.#messages = []
    this.#deliver(messages)
  }
}
