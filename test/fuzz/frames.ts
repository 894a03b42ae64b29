import type { MessageVector } from '../support/message-vectors.js'
import type { SeededRandom } from '../support/random.js'

/** A request vector with the key of its API. */
export type RequestVector = MessageVector & { readonly key: number; readonly kind: string }

const INTERESTING_BYTES = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff]
const INTERESTING_INT32 = [0, 1, -1, 2, 61, 0x7fffffff, -0x80000000, 0x10000, 1_000_000, 100_000_000]
const UNKNOWN_KEYS = [-1, 4, 7, 95, 1000, 32767, -32768]
const FLEXIBLE_HEADER_CHANCE = 2

/**
 * Makes one frame that is wrong in some way, or in none: a mutated body, a wrong version or key, a size that lies, half a
 * frame, garbage, a size of 2 GiB.
 */
export function makeFrame(random: SeededRandom, vectors: readonly RequestVector[]): Buffer {
  const kind = random.below(100)
  if (kind < 2) return random.bytes(1 + random.below(200))
  if (kind < 3) return sized(INTERESTING_INT32[random.below(INTERESTING_INT32.length)]!, random.bytes(random.below(40)))
  const vector = random.pick(vectors)
  const version = kind < 8 ? random.below(40) - 5 : vector.version
  const key = kind >= 8 && kind < 11 ? random.pick(UNKNOWN_KEYS) : vector.key
  const body = mutate(random, Buffer.from(vector.hex, 'hex'))
  const header = requestHeader(random, key, version)
  const frame = Buffer.concat([header, body])
  if (kind < 14) return sized(frame.length + random.below(64) - 32, frame)
  if (kind < 17) return sized(frame.length, frame.subarray(0, random.below(frame.length)))
  return sized(frame.length, kind < 30 ? mutate(random, frame) : frame)
}

function sized(size: number, frame: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(4 + frame.length)
  whole.writeInt32BE(size, 0)
  frame.copy(whole, 4)
  return whole
}

function requestHeader(random: SeededRandom, key: number, version: number): Buffer {
  const clientId = Buffer.from(random.below(4) === 0 ? '' : 'fuzz')
  const flexible = random.below(FLEXIBLE_HEADER_CHANCE) === 0 ? 1 : 0
  const header = Buffer.alloc(10 + clientId.length + flexible)
  header.writeInt16BE(key, 0)
  header.writeInt16BE(version, 2)
  header.writeInt32BE(random.below(1 << 30), 4)
  header.writeInt16BE(clientId.length, 8)
  clientId.copy(header, 10)
  return header
}

function mutate(random: SeededRandom, bytes: Buffer): Buffer {
  const changes = random.below(5)
  for (let i = 0; i < changes && bytes.length > 0; i++) {
    const at = random.below(bytes.length)
    const how = random.below(4)
    if (how === 0 && at + 4 <= bytes.length) bytes.writeInt32BE(random.pick(INTERESTING_INT32), at)
    else if (how === 1) bytes[at] = random.pick(INTERESTING_BYTES)
    else if (how === 2) bytes[at] = bytes[at]! ^ (1 << random.below(8))
    else bytes[at] = random.below(256)
  }
  const cut = random.below(20)
  if (cut === 0) return bytes.subarray(0, random.below(bytes.length + 1))
  if (cut === 1) return Buffer.concat([bytes, random.bytes(random.below(32))])
  return bytes
}
