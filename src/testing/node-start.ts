/** A start of a node, which may be ended before it is over. */
export class NodeStart {
  readonly ready: Promise<void>
  readonly #ended: Promise<never>
  #reject: (error: Error) => void = () => {}
  #error: Error | null = null

  constructor(run: (own: NodeStart) => Promise<void>) {
    this.#ended = new Promise((_resolve, reject) => {
      this.#reject = reject
    })
    // Most are never ended, or nobody waits any more.
    this.#ended.catch(() => {})
    this.ready = Promise.resolve().then(() => run(this))
  }

  end(error: Error): void {
    this.#error = error
    this.#reject(error)
  }

  expectNotEnded(): void {
    if (this.#error !== null) throw this.#error
  }

  unlessEnded(step: Promise<void>): Promise<void> {
    return Promise.race([step, this.#ended])
  }
}
