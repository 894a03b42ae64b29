import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32, crc32ByTables } from '#protocol/records/crc32.js'
import { crc32c, crc32cImplementations } from '#protocol/records/crc32c.js'
import { xxhash32 } from '#protocol/records/xxhash32.js'
import { SeededRandom } from '../../support/random.js'

/** The known answers of RFC 3720, appendix B.4, and the usual check value. */
const knownAnswers: [string, Buffer, number][] = [
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
  ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
]

for (const implementation of crc32cImplementations()) {
  test(`CRC-32C by ${implementation.name} gives the known answers`, () => {
    for (const [name, bytes, expected] of knownAnswers) {
      assert.equal(implementation.crc32c(bytes, 0, bytes.length), expected, name)
    }
  })
}

test('all implementations of CRC-32C agree at every length around their thresholds and at any place', t => {
  const random = new SeededRandom(20_240_817)
  t.diagnostic(`seed ${random.seed}`)
  const implementations = crc32cImplementations()
  assert.equal(implementations.at(-1)?.name, 'tables', 'plain JavaScript is always there')
  assert.ok(
    implementations.some(({ name }) => name === 'wasm'),
    'WebAssembly with SIMD works here',
  )
  const bytes = random.bytes(200_000)
  const around = (...places: number[]) => places.flatMap(place => [place - 1, place, place + 1])
  const lengths = [
    ...[0, ...around(16, 256, 512, 576, 4096, 10_240, 16_384)],
    // One chunk of 24 KiB that is folded at once, and several, whose last may be as short as the taps reach.
    ...around(24_576, 24_576 + 5275, 24_576 + 5280, 24_576 + 5280 + 64, 2 * 24_576, 65_536, 150_000),
    ...Array.from({ length: 200 }, () => random.below(3000)),
    ...Array.from({ length: 100 }, () => random.below(150_000)),
    ...Array.from({ length: 130 }, (_, index) => 2 * 24_576 + 5200 + index),
  ]
  for (const length of lengths) {
    const start = random.below(64)
    const results = implementations.map(({ crc32c: compute }) => compute(bytes, start, start + length))
    assert.deepEqual(new Set(results).size, 1, `length ${length} at ${start}: ${results}`)
    assert.equal(crc32c(bytes, start, start + length), results[0])
  }
})

test('CRC-32 is the IEEE one, by node:zlib and by tables', () => {
  const bytes = Buffer.from('..123456789..')
  assert.equal(crc32(bytes, 2, 11), 0xcbf43926)
  assert.equal(crc32ByTables(bytes, 2, 11), 0xcbf43926)
  assert.equal(crc32ByTables(bytes, 0, 0), 0)
})

test('xxHash32 gives the known answers', () => {
  const of = (text: string) => xxhash32(Buffer.from(text), 0, text.length)
  assert.equal(of(''), 0x02cc5d05)
  assert.equal(of('abc'), 0x32d153ff)
  assert.equal(of('Nobody inspects the spammish repetition'), 0xe2293b2f)
})
