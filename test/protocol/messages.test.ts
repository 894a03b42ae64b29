import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { messageCodec } from '#protocol/codec.js'
import { APIS, REMOVED_APIS } from '#protocol/messages/index.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader } from '#protocol/reader.js'
import { inRange } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import { ALL_MESSAGES } from '../support/all-messages.js'
import { checkMessageVector, type MessageVector } from '../support/message-vectors.js'
import { SeededRandom, testSeed } from '../support/random.js'

const vectors: MessageVector[] = gunzipSync(readFileSync('test/vectors/messages.jsonl.gz'))
  .toString('utf8')
  .split('\n')
  .filter(line => line !== '')
  .map(line => JSON.parse(line))

interface KafkaMessage {
  readonly name: string
  readonly apiKey?: number
  readonly validVersions: string
  readonly flexibleVersions?: string
  readonly listeners?: string[]
  readonly latestVersionUnstable?: boolean
}
const kafka: Record<string, KafkaMessage[]> = JSON.parse(readFileSync('test/vectors/messages.json', 'utf8'))

function rangeText(range: { from: number; to: number }): string {
  if (range.from > range.to) return 'none'
  if (range.to === 32767) return `${range.from}+`
  return range.from === range.to ? String(range.from) : `${range.from}-${range.to}`
}

test('every message that Kafka declares is declared with the same versions', () => {
  let declared = 0
  for (const message of Object.values(kafka).flat()) {
    if (message.validVersions === 'none') {
      assert.ok(
        REMOVED_APIS.some(api => api.key === message.apiKey),
        message.name,
      )
      continue
    }
    const ours = ALL_MESSAGES.get(message.name)
    assert.ok(ours !== undefined, `${message.name} is missing`)
    assert.equal(rangeText(ours.versions), message.validVersions, message.name)
    assert.equal(rangeText(ours.flexible), message.flexibleVersions, message.name)
    if (message.apiKey !== undefined) assert.equal(ours.key, message.apiKey, message.name)
    declared++
  }
  assert.equal(ALL_MESSAGES.size, declared)
})

test('every API knows its listeners and whether its latest version is unstable', () => {
  for (const api of APIS) {
    const request = kafka.rpc!.find(message => message.name === `${api.name}Request`)!
    assert.deepEqual(api.listeners, request.listeners, api.name)
    assert.equal(api.latestVersionUnstable, request.latestVersionUnstable ?? false, api.name)
  }
})

test('every message in every version is read and written as Kafka does it, to the byte', () => {
  const failures = vectors.flatMap(vector => {
    const difference = checkMessageVector(vector)
    return difference === null ? [] : [`${vector.name} v${vector.version}: ${difference}`]
  })
  assert.deepEqual(failures, [])
  assert.equal(vectors.length, 4464)
})

test('unknown tagged fields survive a round trip in every flexible message', () => {
  for (const message of ALL_MESSAGES.values()) {
    const version = message.versions.to
    if (!inRange(message.flexible, version)) continue
    const vector = vectors.find(candidate => candidate.name === message.name && candidate.version === version)!
    const codec = messageCodec(message, version)
    const value = codec.read(new Reader(Buffer.from(vector.hex, 'hex'))) as { unknownTaggedFields?: unknown }
    value.unknownTaggedFields = [
      { tag: 1000, data: Buffer.from('a') },
      { tag: 2_000_000, data: Buffer.alloc(0) },
    ]
    const writer = new Writer()
    codec.write(writer, value as never)
    const written = writer.toBuffer()
    const again = new Writer()
    codec.write(again, codec.read(new Reader(written)) as never)
    assert.ok(again.toBuffer().equals(written), message.name)
    assert.ok(written.length > vector.hex.length / 2, message.name)
  }
})

/** Reads and expects either a value or a ProtocolError. */
function survives(name: string, version: number, frame: Buffer): void {
  try {
    const reader = new Reader(frame)
    messageCodec(ALL_MESSAGES.get(name)!, version).read(reader)
    reader.finish()
  } catch (error) {
    if (!(error instanceof ProtocolError))
      throw new Error(`${name} v${version} ${frame.toString('hex')}`, { cause: error })
  }
}

test('truncated messages raise only ProtocolError', () => {
  for (const { name, version, hex } of vectors) {
    const whole = Buffer.from(hex, 'hex')
    const step = Math.max(1, whole.length >> 4)
    for (let length = 0; length < whole.length; length += step) survives(name, version, whole.subarray(0, length))
  }
})

test('mutated and random bytes raise only ProtocolError', () => {
  const random = new SeededRandom(testSeed())
  console.log(`seed ${random.seed}`)
  for (let i = 0; i < 40_000; i++) {
    const { name, version, hex } = random.pick(vectors)
    const bytes = Buffer.from(hex, 'hex')
    for (let changes = 1 + random.below(4); changes > 0; changes--) {
      if (bytes.length > 0) bytes[random.below(bytes.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)])
    }
    survives(name, version, bytes)
    survives(name, version, random.bytes(random.below(64)))
  }
})

test('a text that is no UTF-8 is read if it can be written again, and refused if it has become too long for that', () => {
  const codec = messageCodec(ALL_MESSAGES.get('FindCoordinatorRequest')!, 0)
  const frame = (length: number) => Buffer.concat([Buffer.from([length >> 8, length]), Buffer.alloc(length, 0xff)])
  const longest = codec.read(new Reader(frame(10_922))) as { key: string }
  assert.equal(longest.key, '\ufffd'.repeat(10_922))
  codec.write(new Writer(), longest as never)
  assert.throws(() => codec.read(new Reader(frame(10_923))), ProtocolError)
  const sound = Buffer.concat([Buffer.from([0x7f, 0xff]), Buffer.alloc(32_767, 'x')])
  assert.equal((codec.read(new Reader(sound)) as { key: string }).key.length, 32_767)
})

test('a count that the bytes cannot hold is refused before anything is allocated', () => {
  const metadata = ALL_MESSAGES.get('MetadataRequest')!
  const frame = Buffer.from('7fffffff', 'hex')
  assert.throws(() => messageCodec(metadata, 1).read(new Reader(frame)), ProtocolError)
})
