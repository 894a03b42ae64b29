/** A world for coordinators: time that stands until it is moved, and a log in memory that can fail. */
import { ApiError, type ErrorCode } from '#protocol/errors.js'
import { lastOffset, lastOffsetDelta, sizeInBytes, stamp } from '#protocol/records/batch.js'
import type { ShardLog } from '#src/coordinator/shard-log.js'
import type { Clock, Logger, LogLevel, Millis, Random, Timer } from '#src/runtime/ports.js'

export class VirtualClock implements Clock {
  #now: Millis = 0
  readonly #wallStart: Millis
  #soon: (() => void)[] = []
  #timers: { readonly at: Millis; readonly wake: () => void; readonly order: number }[] = []
  #order = 0

  constructor(wallStart: Millis = 1_700_000_000_000) {
    this.#wallStart = wallStart
  }

  now(): Millis {
    return this.#now
  }

  wallTime(): Millis {
    return this.#wallStart + this.#now
  }

  at(deadline: Millis, wake: () => void): Timer {
    const timer = { at: deadline, wake, order: this.#order++ }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter(other => other !== timer)) }
  }

  soon(wake: () => void): void {
    this.#soon.push(wake)
  }

  get timers(): number {
    return this.#timers.length
  }

  /** Lets everything happen that does not wait for time. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      const due = this.#soon.splice(0)
      for (const wake of due) wake()
      quiet = due.length > 0 ? 0 : quiet + 1
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  /** Moves time on, from one deadline to the next. */
  async advance(ms: Millis): Promise<void> {
    const end = this.#now + ms
    await this.settle()
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at || a.order - b.order)[0]
      if (next === undefined || next.at > end) break
      this.#now = Math.max(this.#now, next.at)
      this.#timers = this.#timers.filter(timer => timer !== next)
      next.wake()
      await this.settle()
    }
    this.#now = end
    await this.settle()
  }
}

/** A log in memory. Its high watermark follows its end, or is moved by hand. */
export class MemoryLog implements ShardLog {
  startOffset = 0
  batchBytesMax = 1_048_588
  /** What the next append throws. */
  failure: ErrorCode | null = null
  /** What the next read throws. */
  readFailure: Error | null = null
  appends = 0
  reads = 0
  #batches: Buffer[] = []
  #endOffset = 0
  #committedOffset = 0
  #waiting: { readonly endOffset: number; readonly done: () => void }[] = []
  readonly #isCommittedAtOnce: boolean

  constructor(isCommittedAtOnce = true) {
    this.#isCommittedAtOnce = isCommittedAtOnce
  }

  get endOffset(): number {
    return this.#endOffset
  }

  get batches(): readonly Buffer[] {
    return this.#batches
  }

  /** A log with the same records, as another broker would have it. */
  copy(): MemoryLog {
    const copy = new MemoryLog()
    for (const batch of this.#batches) copy.append(Buffer.from(batch))
    return copy
  }

  read(offset: number, bytesMax: number): Promise<Uint8Array> {
    this.reads++
    if (this.readFailure !== null) {
      const error = this.readFailure
      this.readFailure = null
      return Promise.reject(error)
    }
    const first = this.#batches.findIndex(batch => lastOffset(batch, 0) >= offset)
    if (first === -1) return Promise.resolve(Buffer.alloc(0))
    let bytes = 0
    const taken = this.#batches.slice(first).filter((batch, index) => {
      bytes += batch.length
      return index === 0 || bytes <= bytesMax
    })
    return Promise.resolve(Buffer.concat(taken))
  }

  append(batch: Buffer): { baseOffset: number; lastOffset: number } {
    this.appends++
    if (this.failure !== null) {
      const code = this.failure
      this.failure = null
      throw new ApiError(code)
    }
    const baseOffset = this.#endOffset
    stamp(batch, 0, baseOffset, 0)
    this.#batches.push(batch.subarray(0, sizeInBytes(batch, 0)))
    this.#endOffset += lastOffsetDelta(batch, 0) + 1
    if (this.#isCommittedAtOnce) this.commit()
    return { baseOffset, lastOffset: this.#endOffset - 1 }
  }

  whenCommitted(endOffset: number, done: () => void): void {
    if (endOffset <= this.#committedOffset) done()
    else this.#waiting.push({ endOffset, done })
  }

  /** The high watermark moves, to the end of the log unless told otherwise. */
  commit(offset = this.#endOffset): void {
    this.#committedOffset = offset
    const due = this.#waiting.filter(({ endOffset }) => endOffset <= offset)
    this.#waiting = this.#waiting.filter(({ endOffset }) => endOffset > offset)
    for (const { done } of due) done()
  }
}

/** Uuids that count: readable in transcripts. */
export class CountingRandom implements Random {
  #count = 0

  below(bound: number): number {
    return this.#count++ % bound
  }

  uuid(): string {
    const bytes = Buffer.alloc(16)
    bytes.writeUInt32BE(++this.#count, 12)
    return bytes.toString('base64url')
  }
}

export interface LogLine {
  readonly level: LogLevel
  readonly message: string
}

/** Keeps what was logged. */
export function memoryLogger(lines: LogLine[] = []): Logger {
  const at = (level: LogLevel) => (_fields: object, message: string) => void lines.push({ level, message })
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: () => memoryLogger(lines),
  }
}
