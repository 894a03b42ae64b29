import { createHash } from 'node:crypto'

const hashWords = 4
/** Bytes of memory for a key: its hash and its offset. */
const slotBytes = hashWords * 4 + 8
const slotsFirst = 1024
/** An empty slot: no offset is negative. */
const empty = -1

/**
 * For each key the last offset at which it was seen, in a bounded amount of memory: a key is known by 128 bits of a
 * cryptographic hash. Memory is taken as keys come.
 */
export class OffsetMap {
  /** Everything up to here was taken into account, -1 if nothing was. */
  latestOffset = -1
  readonly #slotsMax: number
  readonly #loadFactor: number
  #hashes = new Uint32Array(slotsFirst * hashWords)
  #offsets = new Float64Array(slotsFirst).fill(empty)
  #count = 0
  readonly #algorithm = hashAlgorithm()

  /** `bytesMax` is what it may take at most, of which the part `loadFactor` is used (Kafka's 0.9). */
  constructor(bytesMax: number, loadFactor: number) {
    this.#slotsMax = Math.max(slotsFirst, Math.floor(bytesMax / slotBytes))
    this.#loadFactor = loadFactor
  }

  get count(): number {
    return this.#count
  }

  /** No other key can be taken in. */
  get isFull(): boolean {
    return this.#count >= Math.floor(this.#slotsMax * this.#loadFactor)
  }

  put(key: Uint8Array, offset: number): void {
    if (this.#count >= this.#offsets.length * 0.7) this.#grow()
    const hash = this.#hash(key)
    const slot = this.#slotOf(this.#hashes, this.#offsets, hash, 0)
    if (this.#offsets[slot] === empty) {
      this.#hashes.set(hash, slot * hashWords)
      this.#count++
    }
    this.#offsets[slot] = offset
  }

  /** -1 for a key that was not seen. */
  get(key: Uint8Array): number {
    return this.#offsets[this.#slotOf(this.#hashes, this.#offsets, this.#hash(key), 0)]!
  }

  #hash(key: Uint8Array): Uint32Array {
    const digest = createHash(this.#algorithm).update(key).digest()
    return new Uint32Array([
      digest.readUInt32LE(0),
      digest.readUInt32LE(4),
      digest.readUInt32LE(8),
      digest.readUInt32LE(12),
    ])
  }

  /** The slot of a hash (four words of `hash` from `at` on), or the empty one where it belongs. */
  #slotOf(hashes: Uint32Array, offsets: Float64Array, hash: Uint32Array, at: number): number {
    const slots = offsets.length
    for (let slot = hash[at]! % slots; ; slot = slot + 1 === slots ? 0 : slot + 1) {
      if (offsets[slot] === empty) return slot
      const own = slot * hashWords
      if (
        hashes[own] === hash[at] &&
        hashes[own + 1] === hash[at + 1] &&
        hashes[own + 2] === hash[at + 2] &&
        hashes[own + 3] === hash[at + 3]
      ) {
        return slot
      }
    }
  }

  #grow(): void {
    const slots = Math.min(this.#slotsMax, this.#offsets.length * 2)
    if (slots === this.#offsets.length) return
    const hashes = new Uint32Array(slots * hashWords)
    const offsets = new Float64Array(slots).fill(empty)
    this.#offsets.forEach((offset, old) => {
      if (offset === empty) return
      const slot = this.#slotOf(hashes, offsets, this.#hashes, old * hashWords)
      hashes.set(this.#hashes.subarray(old * hashWords, (old + 1) * hashWords), slot * hashWords)
      offsets[slot] = offset
    })
    this.#hashes = hashes
    this.#offsets = offsets
  }
}

/** The fast one, unless the system allows only approved algorithms. */
function hashAlgorithm(): string {
  try {
    createHash('md5')
    return 'md5'
  } catch {
    return 'sha256'
  }
}
