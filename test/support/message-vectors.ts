import { messageCodec } from '#protocol/codec.js'
import { Reader } from '#protocol/reader.js'
import type { FieldSpec, Fields } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import { ALL_MESSAGES } from './all-messages.js'

/** One line of a file of message vectors: a message as Kafka's own codecs print it and write it. */
export interface MessageVector {
  readonly name: string
  readonly version: number
  readonly json: Record<string, unknown>
  readonly hex: string
}

/** Encodes the JSON form and decodes the bytes; null if both agree with the vector, else the first difference. */
export function checkMessageVector(vector: MessageVector): string | null {
  const message = ALL_MESSAGES.get(vector.name)
  if (message === undefined) return 'no such message'
  try {
    const codec = messageCodec(message, vector.version)
    const fromJson = new Writer()
    codec.write(fromJson, fromJsonFields(vector.json, message.fields) as never)
    const written = fromJson.toBuffer().toString('hex')
    if (written !== vector.hex) return difference('written from JSON', written, vector.hex)

    const reader = new Reader(Buffer.from(vector.hex, 'hex'))
    const decoded = codec.read(reader)
    reader.finish()
    const again = new Writer()
    codec.write(again, decoded as never)
    const rewritten = again.toBuffer().toString('hex')
    if (rewritten !== vector.hex) return difference('read and written', rewritten, vector.hex)
    return missing(vector.json, decoded as Record<string, unknown>, message.fields, '')
  } catch (error) {
    return String(error)
  }
}

function difference(what: string, ours: string, theirs: string): string {
  let at = 0
  while (at < ours.length && ours[at] === theirs[at]) at++
  const byte = at >> 1
  const from = Math.max(0, byte * 2 - 16)
  return `${what}: differs at byte ${byte}: ..${ours.slice(from, from + 64)} instead of ..${theirs.slice(from, from + 64)}`
}

function fromJsonFields(json: Record<string, unknown>, fields: Fields): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(json)) {
    const field = fields[name]
    if (field === undefined) throw new Error(`no field ${name}`)
    value[name] = fromJsonValue(given, field.spec)
  }
  return value
}

function fromJsonValue(given: unknown, spec: FieldSpec): unknown {
  if (given === null) return null
  switch (spec.kind) {
    case 'bytes':
    case 'records':
      return Buffer.from(given as string, 'base64')
    case 'array':
      return (given as unknown[]).map(item => fromJsonValue(item, spec.element!))
    case 'struct':
      return fromJsonFields(given as Record<string, unknown>, spec.fields!)
    case 'int64Unbounded':
      return (given as number) > Number.MAX_SAFE_INTEGER ? Infinity : given
    default:
      return given
  }
}

/** The path of the first value of the JSON form that decoding did not yield. */
function missing(
  json: Record<string, unknown>,
  value: Record<string, unknown>,
  fields: Fields,
  path: string,
): string | null {
  if (value.unknownTaggedFields !== undefined) return `${path}: unknown tagged fields`
  for (const [name, given] of Object.entries(json)) {
    const difference = missingValue(given, value[name], fields[name]!.spec, `${path}/${name}`)
    if (difference !== null) return difference
  }
  return null
}

function missingValue(given: unknown, value: unknown, spec: FieldSpec, path: string): string | null {
  if (given !== null && spec.kind === 'struct') {
    return missing(given as Record<string, unknown>, value as Record<string, unknown>, spec.fields!, path)
  }
  if (given !== null && spec.kind === 'array') {
    const items = given as unknown[]
    const values = value as unknown[]
    if (items.length !== values.length) return `${path}: ${values.length} elements instead of ${items.length}`
    for (let i = 0; i < items.length; i++) {
      const difference = missingValue(items[i], values[i], spec.element!, `${path}/${i}`)
      if (difference !== null) return difference
    }
    return null
  }
  const expected = fromJsonValue(given, spec)
  const same = Buffer.isBuffer(expected) ? expected.equals(value as Buffer) : expected === value
  return same ? null : `${path}: ${String(value)} instead of ${String(given)}`
}
