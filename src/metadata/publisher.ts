import type { CommittedBatch, LoadedSnapshot, MetadataLogListener } from '../raft/metadata-log.js'
import { isEmptyDelta, type MetadataDelta, type MetadataSubscriber, type PublishedMetadata } from './delta.js'
import type { MetadataImage } from './image.js'
import { imageDifference } from './image-difference.js'
import { MetadataState } from './metadata-state.js'

interface Loaded {
  readonly state: MetadataState
  readonly offset: number
  readonly epoch: number
}

interface Waiter {
  readonly offset: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Somebody waits for an offset to be published. */
export interface PublishedWait {
  /** Resolves when it is; rejects when the publisher ends before. */
  readonly reached: Promise<void>
  /** Nobody waits any more: `reached` stays open for ever if it is, and nothing is left of it here. */
  cancel(): void
}

/**
 * Turns the committed metadata log into the image that this node serves, and tells those who act on it:
 *
 *   committed batches -> one step: replay, delta -> subscriber, subscriber, … -> whoever waits for the offset
 *
 * Batches that are handed in together make one step. The next step begins when the last subscriber is done with this
 * one, so a subscriber must not wait for the controller, whose answers wait for steps.
 */
export class MetadataPublisher implements MetadataLogListener, PublishedMetadata {
  readonly #state = new MetadataState()
  readonly #subscribers: MetadataSubscriber[] = []
  readonly #onFault: (error: Error) => void
  #waiting: (CommittedBatch | Loaded)[] = []
  /** As many as the requests that wait: who gives up before their offset is published says so. */
  readonly #waiters = new Set<Waiter>()
  #publishedOffset = -1
  /** The last control batch that came. */
  #controlOffset = -1
  #scheduled = false
  #busy = false
  #closed: Error | null = null
  #isHeld: boolean

  /**
   * `onFault` is told once when the image cannot be kept up or a subscriber fails: the node must stop. With
   * `waitsToCatchUp`, nothing is published before all that is committed is here: the snapshot and the log of this node
   * alone, which may be old, must not make anyone think that what came after is not there. The first step is all that
   * is known by then.
   */
  constructor(onFault: (error: Error) => void, options: { readonly waitsToCatchUp?: boolean } = {}) {
    this.#onFault = onFault
    this.#isHeld = options.waitsToCatchUp ?? false
  }

  /** Within a metadata transaction: the image does not show what was replayed last. */
  get inTransaction(): boolean {
    return this.#state.inTransaction
  }

  get image(): MetadataImage {
    return this.#state
  }

  /** Offset of the last record that all subscribers have acted on, the quorum's own included; -1 before the first. */
  get publishedOffset(): number {
    return this.#publishedOffset
  }

  /**
   * Adds one who acts on changes, after those that were added before; for wiring, before the log is registered. It gets
   * everything from here on.
   */
  subscribe(subscriber: MetadataSubscriber): void {
    if (this.#state.changeNumber > 0) throw new Error(`${subscriber.name} subscribes to metadata too late`)
    this.#subscribers.push(subscriber)
  }

  onSnapshot({ id, batches }: LoadedSnapshot): void {
    const state = new MetadataState()
    for (const batch of batches) for (const record of batch) state.replay(record)
    if (state.inTransaction)
      throw new Error(`the snapshot ${id.endOffset}-${id.epoch} ends within a metadata transaction`)
    state.takeDelta()
    this.#add({ state, offset: id.endOffset - 1, epoch: id.epoch })
  }

  onCommitted(batch: CommittedBatch): void {
    this.#add(batch)
  }

  onControlBatch(lastOffset: number): void {
    this.#controlOffset = lastOffset
    if (!this.#isHeld && !this.#busy) this.#passControlBatches()
  }

  onLeaderChange(): void {}

  onCaughtUp(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#mergeIntoSnapshot()
    if (this.#waiting.length > 0) this.#schedule()
    else this.#passControlBatches()
  }

  /** Once nothing before it waits, a control batch counts as published. */
  #passControlBatches(): void {
    if (this.#waiting.length > 0 || this.#controlOffset <= this.#publishedOffset) return
    this.#publishedOffset = this.#controlOffset
    this.#wake()
  }

  /** The batches after the last snapshot that waits become part of it: one step, one delta. */
  #mergeIntoSnapshot(): void {
    const at = this.#waiting.findLastIndex(step => 'state' in step)
    const last = this.#waiting[at]
    if (last === undefined || !('state' in last)) return
    let { offset, epoch } = last
    for (const step of this.#waiting.slice(at + 1) as CommittedBatch[]) {
      for (const record of step.records) last.state.replay(record)
      offset = step.lastOffset
      epoch = step.epoch
    }
    last.state.takeDelta()
    this.#waiting = [{ state: last.state, offset, epoch }]
  }

  waitFor(offset: number): Promise<void> {
    return this.beginWait(offset).reached
  }

  /** As `waitFor`, for those who may give up before. */
  beginWait(offset: number): PublishedWait {
    if (offset <= this.#publishedOffset) return { reached: Promise.resolve(), cancel: () => {} }
    if (this.#closed !== null) return { reached: Promise.reject(this.#closed), cancel: () => {} }
    let cancel = (): void => {}
    const reached = new Promise<void>((resolve, reject) => {
      const waiter = { offset, resolve, reject }
      this.#waiters.add(waiter)
      cancel = () => this.#waiters.delete(waiter)
    })
    return { reached, cancel }
  }

  /** How many wait for an offset. */
  get waiterCount(): number {
    return this.#waiters.size
  }

  /** An own instance of the image for the controller, once it holds the record at `offset`. */
  async copyAt(offset: number): Promise<MetadataState> {
    await this.waitFor(offset)
    return this.#state.copy()
  }

  /** Ends publishing; whoever waits is told so. */
  close(reason = new Error('the node is stopping')): void {
    if (this.#closed !== null) return
    this.#closed = reason
    this.#waiting = []
    for (const { reject } of this.#waiters) reject(reason)
    this.#waiters.clear()
  }

  #add(step: CommittedBatch | Loaded): void {
    if (this.#closed !== null) return
    this.#waiting.push(step)
    if (!this.#isHeld) this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#busy) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#run().catch((error: unknown) => this.#fail(error))
    })
  }

  async #run(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) {
      const delta = this.#replayNext()
      if (!isEmptyDelta(delta)) {
        for (const subscriber of this.#subscribers) {
          const pending = subscriber.onMetadata(delta, this.#state)
          if (pending !== undefined) await pending
          if (this.#closed !== null) return
        }
      }
      this.#publishedOffset = this.#state.offset
      this.#wake()
      this.#passControlBatches()
    }
    this.#busy = false
  }

  /** Replays the batches that wait, up to the next snapshot; or, if one comes first, the snapshot. */
  #replayNext(): MetadataDelta {
    const steps = this.#waiting
    const first = steps[0]!
    if ('state' in first) {
      steps.shift()
      const delta = imageDifference(this.#state, first.state)
      this.#state.replaceWith(first.state)
      this.#state.setPosition(first.offset, first.epoch)
      return delta
    }
    let count = 0
    for (const step of steps) {
      if ('state' in step) break
      for (const record of step.records) this.#state.replay(record)
      this.#state.setPosition(step.lastOffset, step.epoch)
      count++
    }
    this.#waiting = steps.slice(count)
    return this.#state.takeDelta()
  }

  #wake(): void {
    for (const waiter of this.#waiters) {
      if (waiter.offset > this.#publishedOffset) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }

  #fail(error: unknown): void {
    const fault = error instanceof Error ? error : new Error(String(error))
    this.close(fault)
    this.#onFault(fault)
  }
}
