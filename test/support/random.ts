/** A small seeded generator of random numbers for tests (mulberry32): the same seed gives the same test. */
export class SeededRandom {
  readonly seed: number
  #state: number

  constructor(seed: number) {
    this.seed = seed
    this.#state = seed >>> 0
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** A uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  bytes(length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length)
    for (let i = 0; i < length; i++) buffer[i] = this.below(256)
    return buffer
  }

  /** A uuid in Kafka's text form. */
  uuid(): string {
    const id = this.bytes(16)
    id[0] = id[0]! & 0x7f
    return id.toString('base64url')
  }
}

/** The seed of a random test: SEED of the environment, or a new one; print it with the test's failure. */
export function testSeed(): number {
  const given = process.env.SEED
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
}
