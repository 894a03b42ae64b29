/**
 * What happens at the end of a piece of work of the event loop (a read callback, a timer, a settled promise), in this
 * order:
 *
 *   write   records that were gathered go to their logs, with one system call for each log
 *   reply   answers that are ready go out, with one system call for each connection
 *   wake    requests that waited for what was written are tried again
 *   input   connections that had to hold bytes back take them up
 *
 * and again from the top while a stage asked for more. So a producer is answered before the consumers that its records
 * wake up, and both before the loop goes back to sleep.
 */
export type TurnStage = 'write' | 'reply' | 'wake' | 'input'

const STAGES: readonly TurnStage[] = ['write', 'reply', 'wake', 'input']

/** Rounds after which something is taken to ask for ever. */
const ROUNDS_MAX = 100_000

export class Turn {
  readonly #tasks: Record<TurnStage, (() => void)[]> = { write: [], reply: [], wake: [], input: [] }
  #inOrder: (() => void)[] = []
  #depth = 0
  #requested = false
  #scheduled = false
  /** Another number in every turn: what was looked up in this turn (the time, say) need not be looked up again. */
  number = 0

  /** Adds what a stage does; for wiring. The task must not throw. */
  add(stage: TurnStage, task: () => void): void {
    this.#tasks[stage].push(task)
    this.#inOrder = STAGES.flatMap(each => this.#tasks[each])
  }

  /** A piece of work begins that will end with `leave`. May be nested. */
  enter(): void {
    if (this.#depth++ === 0) this.number++
  }

  /** It ends: the stages run if anyone asked for them. */
  leave(): void {
    if (this.#depth === 1 && this.#requested) this.#settle()
    else this.#depth--
  }

  /** There is something for a stage to do: at the end of this piece of work, or very soon if none was announced. */
  request(): void {
    this.#requested = true
    if (this.#depth > 0 || this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      if (this.#requested && this.#depth === 0) this.#settle()
    })
  }

  #settle(): void {
    if (this.#depth === 0) this.number++
    this.#depth = 1
    for (let round = 0; this.#requested; round++) {
      if (round === ROUNDS_MAX) throw new Error('the end of a turn does not come to an end')
      this.#requested = false
      for (const task of this.#inOrder) task()
    }
    this.#depth = 0
  }
}
