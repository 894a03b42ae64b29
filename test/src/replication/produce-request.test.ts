import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestCodec } from '#protocol/codec.js'
import { Produce } from '#protocol/messages/produce.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader } from '#protocol/reader.js'
import { Writer } from '#protocol/writer.js'
import { ProduceRequestReader } from '#src/replication/produce-request.js'
import { SeededRandom, testSeed } from '../../support/random.js'

function randomRequest(random: SeededRandom) {
  return {
    transactionalId: random.pick([null, '', 'a transaction', 'x'.repeat(300)]),
    acks: random.pick([-1, 0, 1, 7, -300]),
    timeoutMs: random.pick([0, 30_000, 2147483647, -1]),
    topicData: Array.from({ length: random.below(5) }, () => ({
      name: random.pick(['t', 'a-topic', 'naïve ☃', 'x'.repeat(249), '']),
      topicId: random.uuid(),
      partitionData: Array.from({ length: random.below(5) }, () => ({
        index: random.pick([0, 1, 1000, -1]),
        records: random.below(5) === 0 ? null : random.bytes(random.below(300)),
      })),
      ...(random.below(4) === 0 ? { unknownTaggedFields: [{ tag: 3, data: random.bytes(random.below(20)) }] } : {}),
    })),
    ...(random.below(4) === 0 ? { unknownTaggedFields: [{ tag: 9, data: random.bytes(200) }] } : {}),
  }
}

/** What the reader found, as the codec would say it. */
function found(reader: ProduceRequestReader, buffer: Buffer, version: number) {
  const text = (at: number, bytes: number): string => buffer.utf8Slice(at, at + bytes)
  return {
    transactionalId:
      reader.transactionalIdBytes < 0 ? null : text(reader.transactionalIdAt, reader.transactionalIdBytes),
    acks: reader.acks,
    timeoutMs: reader.timeoutMs,
    topics: Array.from({ length: reader.topicCount }, (_, topic) => {
      const at = reader.topicAt[topic]!
      const bytes = reader.topicBytes[topic]!
      const end = topic + 1 < reader.topicCount ? reader.topicFirst[topic + 1]! : reader.partitionCount
      return {
        key: version >= 13 ? buffer.base64urlSlice(at, at + 16) : text(at, bytes),
        partitions: Array.from({ length: end - reader.topicFirst[topic]! }, (_, i) => {
          const partition = reader.topicFirst[topic]! + i
          assert.equal(reader.partitionTopic[partition], topic)
          const from = reader.recordsAt[partition]!
          const length = reader.recordsBytes[partition]!
          return {
            index: reader.partitionIndex[partition],
            records: length < 0 ? null : buffer.subarray(from, from + length).toString('hex'),
          }
        }),
      }
    }),
  }
}

test('reads what the codec reads, in every version', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const reader = new ProduceRequestReader()
  for (let round = 0; round < 2000; round++) {
    const version = 3 + random.below(11)
    const codec = requestCodec(Produce, version)
    const writer = new Writer(random.bytes(17))
    codec.write(writer, randomRequest(random))
    // It lies somewhere in a larger buffer.
    const body = writer.toBuffer()
    const start = random.below(50)
    const buffer = Buffer.concat([random.bytes(start), body, random.bytes(20)])
    const decoded = codec.read(new Reader(buffer, start, start + body.length))
    reader.read(buffer, start, start + body.length, version)
    const expected = {
      transactionalId: decoded.transactionalId,
      acks: decoded.acks,
      timeoutMs: decoded.timeoutMs,
      topics: decoded.topicData.map(({ name, topicId, partitionData }) => ({
        key: version >= 13 ? topicId : name,
        partitions: partitionData.map(({ index, records }) => ({
          index,
          records: records === null ? null : Buffer.from(records).toString('hex'),
        })),
      })),
    }
    assert.deepEqual(found(reader, buffer, version), expected, `version ${version}, seed ${seed}`)
  }
})

test('takes and refuses what the codec takes and refuses: cut, changed and random bytes raise only ProtocolError', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const reader = new ProduceRequestReader()
  for (let round = 0; round < 5000; round++) {
    const version = 3 + random.below(11)
    const codec = requestCodec(Produce, version)
    const writer = new Writer()
    codec.write(writer, randomRequest(random))
    let body: Buffer = Buffer.from(writer.toBuffer())
    switch (random.below(4)) {
      case 0:
        body = body.subarray(0, random.below(body.length + 1))
        break
      case 1:
        for (let i = 0; i < 3; i++) body[random.below(body.length)] = random.below(256)
        break
      case 2:
        body = random.bytes(random.below(60))
        break
      default:
        body = Buffer.concat([body, random.bytes(random.below(3))])
    }
    const accepts = (read: () => void): boolean => {
      try {
        read()
        return true
      } catch (error) {
        assert.ok(error instanceof ProtocolError, `${error}, version ${version}, seed ${seed}`)
        return false
      }
    }
    const ours = accepts(() => reader.read(body, 0, body.length, version))
    const codecs = accepts(() => {
      const cursor = new Reader(body)
      codec.read(cursor)
    })
    // The codec bounds all elements of a message together; ours are told apart.
    assert.equal(ours, codecs, `version ${version}, seed ${seed}: ${body.toString('hex')}`)
  }
})

test('more partitions than a request may have are refused', () => {
  const head = Buffer.from('ffff0001000003e80000000100017400', 'hex').subarray(0, 15)
  const count = Buffer.alloc(4)
  count.writeInt32BE(600_000)
  const body = Buffer.concat([head, count, Buffer.alloc(600_000 * 8)])
  assert.throws(() => new ProduceRequestReader().read(body, 0, body.length, 3), ProtocolError)
})
