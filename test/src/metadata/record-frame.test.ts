import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageCodec } from '#protocol/codec.js'
import { METADATA_RECORDS } from '#protocol/internal/metadata-records.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import type { Message } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import { decodeFrame, encodeFrame } from '#src/metadata/record-frame.js'

test('a frame is version, type, version of the record and body, as Kafka writes it', () => {
  const record: MetadataRecord = {
    type: 'FeatureLevelRecord',
    version: 0,
    value: { name: 'group.version', featureLevel: 1 },
  }
  const bytes = Buffer.from('010c000e67726f75702e76657273696f6e000100', 'hex')
  assert.deepEqual(encodeFrame(record), bytes)
  assert.deepEqual(decodeFrame(bytes), record)
})

test('every record in every version comes back as it was', () => {
  for (const schema of METADATA_RECORDS as readonly Message[]) {
    for (let version = schema.versions.from; version <= schema.versions.to; version++) {
      const writer = new Writer()
      messageCodec(schema, version).write(writer, {})
      const frame = Buffer.concat([Buffer.from([1, schema.key, version]), writer.toBuffer()])
      const record = decodeFrame(frame)
      assert.equal(record.type, schema.name)
      assert.equal(record.version, version)
      assert.deepEqual(encodeFrame(record), frame)
    }
  }
})

test('a part of a larger buffer is enough', () => {
  const frame = Buffer.from('010c000e67726f75702e76657273696f6e000100', 'hex')
  const buffer = Buffer.concat([Buffer.from([255]), frame, Buffer.from([255])])
  assert.equal(decodeFrame(buffer, 1, 1 + frame.length).type, 'FeatureLevelRecord')
})

for (const [what, hex] of [
  ['frame version 0', '000c000e67726f75702e76657273696f6e000100'],
  ['frame version 2', '020c000e67726f75702e76657273696f6e000100'],
  ['a type that nobody has had', '0106000000'],
  ['a type of a later version', '016300'],
  ['a version of a later version', '010c010e67726f75702e76657273696f6e000100'],
  ['bytes left over', '010c000e67726f75702e76657273696f6e00010000'],
  ['bytes missing', '010c000e67726f75702e7665727369'],
  ['nothing', ''],
] as const) {
  test(`a frame with ${what} is refused`, () => {
    assert.throws(() => decodeFrame(Buffer.from(hex, 'hex')), ProtocolError)
  })
}
