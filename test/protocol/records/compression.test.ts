import assert from 'node:assert/strict'
import { test } from 'node:test'
import { constants, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { compressSync, uncompressSync } from 'snappy'
import {
  type CompressionType,
  compress,
  compressionCodeOf,
  compressionTypeOf,
  compressionTypes,
  decompress,
  decompressTransient,
  isCompressionLoaded,
  loadCompression,
} from '#protocol/records/compression.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { SeededRandom } from '../../support/random.js'

await loadCompression('zstd')

const codecs = compressionTypes.filter(type => type !== 'none')
const generous = 16 * 1024 * 1024

/** Text that compresses as that of applications does. */
function jsonLines(random: SeededRandom, bytes: number): Buffer {
  let text = ''
  for (let id = 0; text.length < bytes; id++) {
    text += `${JSON.stringify({ id, user: `user-${random.below(1000)}`, time: 1_700_000_000_000 + id * 13, score: random.next() })}\n`
  }
  return Buffer.from(text.slice(0, bytes))
}

const lengths = [
  0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 60, 61, 64, 65, 255, 256, 1000, 32_767, 32_768, 32_769, 65_536, 65_537,
]

function* samples(seed: number): Generator<readonly [string, Buffer]> {
  const random = new SeededRandom(seed)
  for (const length of [...lengths, 200_000]) {
    yield [`${length} zeros`, Buffer.alloc(length)]
    yield [`${length} bytes of noise`, random.bytes(length)]
    yield [`${length} bytes of lines`, jsonLines(random, length)]
    yield [`${length} bytes of a short period`, Buffer.alloc(length, random.bytes(1 + random.below(20)))]
  }
}

function refuses(action: () => unknown, kind: InvalidRecordError['kind'], pattern = /./): void {
  assert.throws(action, error => {
    if (!(error instanceof InvalidRecordError)) throw error
    assert.equal(error.kind, kind, error.message)
    assert.match(error.message, pattern)
    return true
  })
}

for (const type of codecs) {
  test(`${type} gives back what it took`, () => {
    for (const [name, plain] of samples(1)) {
      const deflated = compress(type, plain)
      assert.ok(decompress(type, deflated, generous).equals(plain), name)
      assert.ok(
        Buffer.from(decompressTransient(type, deflated, plain.length)).equals(plain),
        `${name}, no byte to spare`,
      )
    }
  })

  test(`${type} refuses to inflate beyond the limit, and says so`, () => {
    for (const [name, plain] of samples(2)) {
      if (plain.length < 2) continue
      const deflated = compress(type, plain)
      refuses(() => decompress(type, deflated, plain.length - 1), 'MESSAGE_TOO_LARGE', /inflates to more than the/)
      refuses(() => decompress(type, deflated, Math.floor(plain.length / 2)), 'MESSAGE_TOO_LARGE', new RegExp(type))
      assert.ok(name)
    }
  })

  test(`${type} does not grow memory for a bomb`, () => {
    const bomb = compress(type, Buffer.alloc(24 * 1024 * 1024))
    const before = process.memoryUsage().arrayBuffers
    for (let round = 0; round < 5; round++) refuses(() => decompress(type, bomb, 1_000_000), 'MESSAGE_TOO_LARGE')
    const grown = process.memoryUsage().arrayBuffers - before
    assert.ok(grown < 12 * 1024 * 1024, `${type}: ${bomb.length} bytes made array buffers grow by ${grown}`)
  })

  test(`${type} raises nothing but InvalidRecordError for damaged data`, t => {
    const random = new SeededRandom(Number(process.env.SEED ?? 40_000 + compressionCodeOf(type)))
    t.diagnostic(`SEED=${random.seed}`)
    const plain = jsonLines(random, 5000)
    for (let round = 0; round < 600; round++) {
      const bytes = Buffer.from(compress(type, plain.subarray(0, random.pick([10, 100, 1000, 5000]))))
      const damaged = random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes
      for (let damages = random.below(4); damages > 0 && damaged.length > 0; damages--) {
        damaged[random.below(damaged.length)] = random.pick([0, 0xff, random.below(256)])
      }
      try {
        assert.ok(decompress(type, damaged, 100_000).length <= 100_000)
      } catch (error) {
        if (!(error instanceof InvalidRecordError)) throw error
      }
    }
  })
}

test('what is inflated transiently may be overwritten, what is decompressed stays', () => {
  const [first, second] = [compress('snappy', Buffer.alloc(100, 1)), compress('snappy', Buffer.alloc(100, 2))]
  const kept = decompress('snappy', first, 100)
  const passing = decompressTransient('snappy', first, 100)
  decompressTransient('snappy', second, 100)
  assert.equal(kept[50], 1)
  assert.equal(passing[50], 2)
  const again = decompressTransient('snappy', first, 100)
  assert.ok(decompress('lz4', compress('lz4', again), 100).equals(Buffer.alloc(100, 1)), 'it may be deflated at once')
})

test('codecs have the codes of the format, and the other codes belong to nobody', () => {
  assert.deepEqual([0, 1, 2, 3, 4].map(compressionTypeOf), ['none', 'gzip', 'snappy', 'lz4', 'zstd'])
  assert.deepEqual(compressionTypes.map(compressionCodeOf), [0, 1, 2, 3, 4])
  for (const code of [5, 6, 7]) {
    refuses(() => compressionTypeOf(code), 'UNSUPPORTED_COMPRESSION_TYPE', /Unknown compression type id/)
  }
})

test('all codecs are there, zstd once it is loaded; loading again is harmless', async () => {
  for (const type of compressionTypes) {
    await loadCompression(type)
    assert.ok(isCompressionLoaded(type))
  }
})

test('levels are obeyed or clamped, and always read the same', () => {
  const plain = jsonLines(new SeededRandom(3), 60_000)
  const sizeOf = (type: CompressionType, level?: number) => {
    const deflated = compress(type, plain, level)
    assert.ok(decompress(type, deflated, generous).equals(plain), `${type} level ${level}`)
    return deflated.length
  }
  assert.ok(sizeOf('gzip', 9) < sizeOf('gzip', 1))
  assert.equal(sizeOf('gzip', 99), sizeOf('gzip', 9))
  assert.equal(sizeOf('gzip', -1), sizeOf('gzip'))
  assert.ok(sizeOf('zstd', 19) < sizeOf('zstd', 3))
  assert.ok(sizeOf('zstd', 3) < sizeOf('zstd', -50))
  assert.equal(sizeOf('zstd', 3), sizeOf('zstd'))
  assert.equal(sizeOf('zstd', 1000), sizeOf('zstd', 22))
  assert.equal(sizeOf('lz4', 17), sizeOf('lz4'))
})

test('snappy reads and writes what the snappy library does, raw and in streams', () => {
  for (const [name, plain] of samples(4)) {
    if (plain.length > 0) assert.ok(decompress('snappy', compressSync(plain), generous).equals(plain), `raw: ${name}`)
    const stream = Buffer.from(compress('snappy', plain))
    assert.equal(stream.toString('hex', 0, 16), '82534e41505059000000000100000001')
    const blocks = []
    for (let at = 16; at < stream.length; at += 4 + stream.readInt32BE(at)) {
      const block = Buffer.from(stream.subarray(at + 4, at + 4 + stream.readInt32BE(at)))
      blocks.push(uncompressSync(block, { asBuffer: true }) as Buffer)
    }
    assert.ok(blocks.every(({ length }) => length <= 32 * 1024))
    assert.ok(Buffer.concat(blocks).equals(plain), `stream: ${name}`)
  }
})

test('snappy streams may follow one another', () => {
  const both = Buffer.concat([compress('snappy', Buffer.from('one ')), compress('snappy', Buffer.from('two'))])
  assert.equal(decompress('snappy', both, 7).toString(), 'one two')
})

test('snappy data that lies is refused before memory is spent on it', () => {
  const claims = (length: string) => Buffer.from(`${length}00`, 'hex')
  refuses(() => decompress('snappy', claims('ffffffff0f'), generous), 'MESSAGE_TOO_LARGE')
  refuses(() => decompress('snappy', claims('80808004'), generous), 'CORRUPT_MESSAGE', /over the end/)
  refuses(() => decompress('snappy', claims('ffffffffffff'), generous), 'CORRUPT_MESSAGE', /does not end/)
  refuses(() => decompress('snappy', Buffer.alloc(0), generous), 'CORRUPT_MESSAGE', /empty/)
  const stream = Buffer.from(compress('snappy', Buffer.from('abcdefgh')))
  stream.writeInt32BE(0x7fff_ffff, 16)
  refuses(() => decompress('snappy', stream, generous), 'CORRUPT_MESSAGE')
  stream.writeInt32BE(2, 12)
  refuses(() => decompress('snappy', stream, generous), 'CORRUPT_MESSAGE', /version 2/)
})

test('lz4 reads and writes what the lz4 library does, with checksums and large blocks', () => {
  for (const [name, plain] of samples(5)) {
    for (const options of [{}, { contentChecksum: true }, { blockChecksums: true }]) {
      assert.ok(decompress('lz4', compressFrameSync(plain, options), generous).equals(plain), name)
    }
    assert.ok(decompressFrameSync(Buffer.from(compress('lz4', plain))).equals(plain), name)
  }
})

test('lz4 checks what Kafka checks, and ignores what it ignores', () => {
  const plain = Buffer.from('some text, some more text, and some text again')
  const frame = Buffer.from(compressFrameSync(plain, { blockChecksums: true }))
  const changed = (at: number, value: number) => {
    const bytes = Buffer.from(frame)
    bytes[at] = value
    return () => decompress('lz4', bytes, generous)
  }
  refuses(changed(0, 5), 'CORRUPT_MESSAGE', /invalid magic bytes/)
  refuses(changed(4, frame[4]! & ~0x20), 'CORRUPT_MESSAGE', /Dependent block stream is unsupported/)
  refuses(changed(4, frame[4]! ^ 0x40), 'CORRUPT_MESSAGE', /descriptor corrupted/)
  refuses(changed(5, 0x30), 'CORRUPT_MESSAGE', /descriptor corrupted/)
  refuses(changed(6, frame[6]! ^ 1), 'CORRUPT_MESSAGE', /descriptor corrupted/)
  refuses(changed(13, frame[13]! ^ 1), 'CORRUPT_MESSAGE', /Block checksum mismatch/)
  refuses(() => decompress('lz4', frame.subarray(0, -5), generous), 'CORRUPT_MESSAGE', /ended prematurely/)
  const brokenHeader = Buffer.from(frame)
  brokenHeader[6] = brokenHeader[6]! ^ 1
  assert.ok(decompress('lz4', brokenHeader, generous, true).equals(plain), 'old clients of magic 0 computed it wrongly')
  assert.ok(decompress('lz4', Buffer.concat([frame, Buffer.from('junk')]), generous).equals(plain))
})

test('a block of lz4 larger than the frame allows is refused', () => {
  const frame = Buffer.from(compress('lz4', Buffer.alloc(65_536)))
  const twice = Buffer.concat([frame.subarray(0, -4), frame.subarray(7)])
  assert.equal(decompress('lz4', twice, generous).length, 131_072, 'two blocks are well')
  const noise = new SeededRandom(6).bytes(70_000)
  const stored = Buffer.concat([frame.subarray(0, 7), Buffer.from('70110180', 'hex'), noise, Buffer.alloc(4)])
  refuses(() => decompress('lz4', stored, generous), 'CORRUPT_MESSAGE', /exceeded max: 65536/)
})

test('gzip members may follow one another', () => {
  const both = Buffer.concat([gzipSync('one '), gzipSync('two')])
  assert.equal(decompress('gzip', both, 7).toString(), 'one two')
  refuses(() => decompress('gzip', both, 6), 'MESSAGE_TOO_LARGE')
  assert.equal(gunzipSync(compress('gzip', Buffer.from('x'))).toString(), 'x')
})

test('gzip that promises much or ends early is refused', () => {
  const member = Buffer.from(gzipSync('some text'))
  refuses(() => decompress('gzip', member.subarray(0, -3), generous), 'CORRUPT_MESSAGE', /Invalid gzip data/)
  member.writeUInt32LE(0xffff_fff0, member.length - 4)
  refuses(() => decompress('gzip', member, generous), 'CORRUPT_MESSAGE', /incorrect length check/)
  refuses(() => decompress('gzip', deflateRawSync('raw'), generous), 'CORRUPT_MESSAGE')
  assert.equal(constants.Z_OK, 0)
})

test('zstd frames may follow one another, with skippable ones between them', () => {
  const skippable = Buffer.from('502a4d1803000000abcdef', 'hex')
  const frames = [
    compress('zstd', Buffer.from('one ')),
    skippable,
    compress('zstd', Buffer.from('two '), 19),
    skippable,
  ]
  const all = Buffer.concat([...frames, compress('zstd', Buffer.alloc(100_000, 'x'))])
  const plain = decompress('zstd', all, generous)
  assert.equal(plain.length, 100_008)
  assert.equal(plain.toString('utf8', 0, 10), 'one two xx')
  refuses(() => decompress('zstd', all, 100_007), 'MESSAGE_TOO_LARGE')
  assert.equal(decompress('zstd', skippable, 0).length, 0)
})

test('a zstd frame without content size, as streams write it, is inflated within the limit', () => {
  // "hello" in a raw block, then 300 times "a" in a block of one repeated byte; window of 1 KiB, no size, no checksum.
  const frame = Buffer.from('28b52ffd0000280000' + '68656c6c6f' + '630900' + '61', 'hex')
  assert.equal(decompress('zstd', frame, generous).toString(), `hello${'a'.repeat(300)}`)
  refuses(() => decompress('zstd', frame, 304), 'MESSAGE_TOO_LARGE')
})

test('zstd headers that lie are refused before memory is spent on them', () => {
  // A size of 2^40 bytes for one raw block of five.
  const giant = Buffer.from('28b52ffde00000000000010000' + '290000' + '68656c6c6f', 'hex')
  refuses(() => decompress('zstd', giant, generous), 'CORRUPT_MESSAGE', /cannot become as long as it says/)
  refuses(() => decompress('zstd', Buffer.from('junkjunk'), generous), 'CORRUPT_MESSAGE', /no frame begins/)
  const frame = Buffer.from(compress('zstd', Buffer.from('hello hello hello hello')))
  refuses(() => decompress('zstd', frame.subarray(0, -1), generous), 'CORRUPT_MESSAGE')
  refuses(() => decompress('zstd', Buffer.concat([frame, Buffer.from([1])]), generous), 'CORRUPT_MESSAGE')
  const dictionary = Buffer.from(frame)
  dictionary[4] = dictionary[4]! | 1
  refuses(() => decompress('zstd', dictionary, generous), 'CORRUPT_MESSAGE')
})
