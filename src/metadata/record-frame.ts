/**
 * The frame around a record of the metadata log, which is the value of a log record (whose key is null):
 *
 *   frame version (uvarint, always 1) | record type (uvarint) | version of the record (uvarint) | body
 */
import { messageCodec } from '#protocol/codec.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader } from '#protocol/reader.js'
import { inRange } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import { type MetadataRecord, metadataRecordSchema, metadataRecordSchemaOf } from './record.js'

const frameVersion = 1
/** Few records are longer: thousands of them may be under way at once. */
const usualBytes = 128

/**
 * The frame of a record: the value of its log record. Throws RangeError for a version that the record does not have.
 */
export function encodeFrame(record: MetadataRecord): Buffer {
  const schema = metadataRecordSchemaOf(record.type)
  const writer = new Writer(Buffer.allocUnsafe(usualBytes))
  writer.unsignedVarint(frameVersion)
  writer.unsignedVarint(schema.key)
  writer.unsignedVarint(record.version)
  messageCodec(schema, record.version).write(writer, record.value)
  return writer.toBuffer()
}

/**
 * The record in a frame; bytes in it are views into `buffer`. Throws ProtocolError for an unknown frame version, an
 * unknown record type or version, and bytes left over: a node that cannot read a record must not go on without it.
 */
export function decodeFrame(buffer: Buffer, start = 0, end: number = buffer.length): MetadataRecord {
  const reader = new Reader(buffer, start, end)
  const frame = reader.unsignedVarint()
  if (frame !== frameVersion) {
    throw new ProtocolError(`metadata record with frame version ${frame}, known is ${frameVersion}`)
  }
  const key = reader.unsignedVarint()
  const schema = metadataRecordSchema(key)
  if (schema === undefined) throw new ProtocolError(`metadata record of unknown type ${key}`)
  const version = reader.unsignedVarint()
  if (!inRange(schema.versions, version)) {
    const { from, to } = schema.versions
    throw new ProtocolError(`${schema.name} of version ${version}, known are ${from} to ${to}`)
  }
  const value = messageCodec(schema, version).read(reader)
  reader.finish()
  return { type: schema.name, version, value } as unknown as MetadataRecord
}
