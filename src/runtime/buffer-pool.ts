/** Room beyond the power of two: for what stands before and after a payload of a round size. */
const SLACK_BYTES = 4096
const SMALLEST_LOG2 = 14
const LARGEST_LOG2 = 22
const CLASSES = LARGEST_LOG2 - SMALLEST_LOG2 + 1

/** How much of one size is kept for later use. */
const KEPT_MAX = 32
const KEPT_BYTES_MAX = 16 * 1048576

/**
 * Buffers that are used again. A fresh buffer of 128 KiB or more comes from the operating system page by page, which
 * costs more than reading the bytes into it does.
 */
export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: CLASSES }, () => [])
  /** The fewest that lay idle in each class since the last `trim`. */
  readonly #idle: number[] = new Array<number>(CLASSES).fill(0)

  /** A buffer of at least `bytes`; its content is arbitrary. Give it back when done. */
  take(bytes: number): Buffer {
    const index = classOf(bytes)
    if (index >= CLASSES) return Buffer.allocUnsafeSlow(bytes)
    const free = this.#free[index]!
    const buffer = free.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(capacityOf(index))
    if (free.length < this.#idle[index]!) this.#idle[index] = free.length
    return buffer
  }

  /** Takes back what `take` gave. Nobody else may hold it. */
  give(buffer: Buffer): void {
    const index = classOf(buffer.length)
    if (index >= CLASSES || buffer.length !== capacityOf(index)) return
    const free = this.#free[index]!
    if (free.length < KEPT_MAX && (free.length + 1) * buffer.length <= KEPT_BYTES_MAX) free.push(buffer)
  }

  /** Lets go of the half of what was not needed since the last call; for a slow timer. */
  trim(): void {
    for (let index = 0; index < CLASSES; index++) {
      const free = this.#free[index]!
      const drop = Math.ceil(Math.min(this.#idle[index]!, free.length) / 2)
      if (drop > 0) free.length -= drop
      this.#idle[index] = free.length
    }
  }

  /** Bytes that lie idle. */
  get idleBytes(): number {
    return this.#free.reduce((sum, free) => sum + free.reduce((bytes, buffer) => bytes + buffer.length, 0), 0)
  }
}

function capacityOf(index: number): number {
  return (1 << (SMALLEST_LOG2 + index)) + SLACK_BYTES
}

function classOf(bytes: number): number {
  const payload = bytes - SLACK_BYTES
  if (payload <= 1 << SMALLEST_LOG2) return 0
  return 32 - Math.clz32(payload - 1) - SMALLEST_LOG2
}
