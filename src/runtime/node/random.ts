import { randomBytes, randomFillSync } from 'node:crypto'
import type { Random } from '../ports.js'

const TWO_53 = 2 ** 53
const TWO_26 = 2 ** 26

/** Randomness of the operating system. */
export function createNodeRandom(): Random {
  const pool = Buffer.alloc(2048)
  let used = pool.length
  /** 53 uniform bits. */
  const bits53 = (): number => {
    if (used + 8 > pool.length) {
      randomFillSync(pool)
      used = 0
    }
    const high = pool.readUInt32LE(used) >>> 5
    const low = pool.readUInt32LE(used + 4) >>> 6
    used += 8
    return high * TWO_26 + low
  }
  return {
    below: bound => {
      if (!Number.isSafeInteger(bound) || bound <= 0) throw new RangeError(`not a bound of random numbers: ${bound}`)
      // What lies past the last whole multiple of `bound` is drawn again, or small numbers would come more often.
      const limit = TWO_53 - (TWO_53 % bound)
      let value = bits53()
      while (value >= limit) value = bits53()
      return value % bound
    },
    uuid: () => {
      for (;;) {
        const bytes = randomBytes(16)
        bytes[6] = (bytes[6]! & 0x0f) | 0x40
        bytes[8] = (bytes[8]! & 0x3f) | 0x80
        const text = bytes.toString('base64url')
        // Kafka does not hand these out either: on a command line they look like options.
        if (!text.startsWith('-')) return text
      }
    },
  }
}
