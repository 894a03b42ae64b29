import { ProtocolError } from './protocol-error.js'
import type { Reader } from './reader.js'
import {
  type Api,
  type Decoded,
  type Encodable,
  type FieldSpec,
  type Fields,
  inRange,
  type Message,
  type UnknownTaggedField,
  ZERO_UUID,
} from './schema.js'
import { Writer } from './writer.js'

/** Reads and writes one message in one version. */
export interface Codec<Out, In> {
  read(reader: Reader): Out
  write(writer: Writer, value: In): void
}

type ReadValue = (reader: Reader) => unknown
type WriteValue = (writer: Writer, value: unknown) => void
type Struct = Record<string, unknown> & { unknownTaggedFields?: UnknownTaggedField[] }

interface ValueCodec {
  readonly read: ReadValue
  readonly write: WriteValue
}

interface CompiledField extends ValueCodec {
  readonly name: string
  readonly tag: number
  readonly makeDefault: () => unknown
  readonly isDefault: (value: unknown) => boolean
}

const cache = new WeakMap<Message, Codec<unknown, unknown>[]>()

/** The codec of a stand-alone message; compiled at first use. `version` must be one that the message has. */
export function messageCodec<F extends Fields>(message: Message<F>, version: number): Codec<Decoded<F>, Encodable<F>> {
  let versions = cache.get(message as unknown as Message)
  if (versions === undefined) {
    versions = []
    cache.set(message as unknown as Message, versions)
  }
  let codec = versions[version]
  if (codec === undefined) {
    if (!inRange(message.versions, version)) throw new RangeError(`${message.name} has no version ${version}`)
    codec = compileStruct(message.fields, version, inRange(message.flexible, version), message.name)
    versions[version] = codec
  }
  return codec as Codec<Decoded<F>, Encodable<F>>
}

/** The codec of the request side of an API. */
export function requestCodec<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  version: number,
): Codec<Decoded<Q>, Encodable<Q>> {
  return messageCodec(api.request, version)
}

/** The codec of the response side of an API. */
export function responseCodec<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  version: number,
): Codec<Decoded<R>, Encodable<R>> {
  return messageCodec(api.response, version)
}

/** Encodes a stand-alone message into one buffer. */
export function encodeMessage<F extends Fields>(message: Message<F>, version: number, value: Encodable<F>): Buffer {
  const writer = new Writer()
  messageCodec(message, version).write(writer, value)
  return writer.toBuffer()
}

function compileStruct(fields: Fields, version: number, flexible: boolean, path: string): ValueCodec {
  const plain: CompiledField[] = []
  const tagged: CompiledField[] = []
  const absent: CompiledField[] = []
  for (const [name, { spec }] of Object.entries(fields)) {
    const value = compileValue(spec, version, flexible, `${path}.${name}`)
    const makeDefault = defaultOf(spec, version)
    const compiled = { name, tag: spec.tag, makeDefault, isDefault: isDefaultOf(spec, makeDefault), ...value }
    if (!inRange(spec.versions, version)) absent.push(compiled)
    else if (flexible && inRange(spec.taggedVersions, version)) tagged.push(compiled)
    else plain.push(compiled)
  }
  tagged.sort((a, b) => a.tag - b.tag)
  const unset = [...tagged, ...absent]
  const read = (reader: Reader): Struct => {
    const value: Struct = {}
    for (const field of plain) value[field.name] = field.read(reader)
    for (const field of unset) value[field.name] = field.makeDefault()
    if (flexible) readTagged(reader, value, tagged)
    return value
  }
  const write = (writer: Writer, value: unknown): void => {
    const given = value as Struct
    for (const field of plain) {
      const item = given[field.name]
      field.write(writer, item === undefined ? field.makeDefault() : item)
    }
    if (flexible) writeTagged(writer, given, tagged)
  }
  return { read, write }
}

function readTagged(reader: Reader, value: Struct, known: readonly CompiledField[]): void {
  const count = reader.count(reader.unsignedVarint())
  let previous = -1
  for (let i = 0; i < count; i++) {
    const tag = reader.unsignedVarint()
    const size = reader.unsignedVarint()
    if (tag <= previous) throw new ProtocolError(`tag ${tag} after tag ${previous}`)
    previous = tag
    if (size > reader.remaining) throw new ProtocolError(`tag ${tag} of ${size} bytes, ${reader.remaining} left`)
    const field = known.find(candidate => candidate.tag === tag)
    if (field === undefined) {
      value.unknownTaggedFields ??= []
      value.unknownTaggedFields.push({ tag, data: Buffer.from(reader.bytes(size)) })
      continue
    }
    const end = reader.position + size
    value[field.name] = field.read(reader)
    if (reader.position !== end) throw new ProtocolError(`tag ${tag} does not have the ${size} bytes it announces`)
  }
}

const NO_FIELDS: readonly UnknownTaggedField[] = []

function writeTagged(writer: Writer, value: Struct, known: readonly CompiledField[]): void {
  const unknown = value.unknownTaggedFields ?? NO_FIELDS
  if (known.length + unknown.length === 0) {
    writer.unsignedVarint(0)
    return
  }
  const present = known.filter(field => isPresent(value, field))
  writer.unsignedVarint(present.length + unknown.length)
  if (unknown.length === 0) {
    for (const field of present) writeField(writer, value, field)
    return
  }
  const all = [...present, ...unknown].sort((a, b) => a.tag - b.tag)
  for (const each of all) {
    if ('data' in each) writeUnknown(writer, each)
    else writeField(writer, value, each)
  }
}

function isPresent(value: Struct, { name, isDefault }: CompiledField): boolean {
  const item = value[name]
  return item !== undefined && !isDefault(item)
}

function writeField(writer: Writer, value: Struct, { name, tag, write }: CompiledField): void {
  writer.unsignedVarint(tag)
  writer.sized(() => write(writer, value[name]))
}

function writeUnknown(writer: Writer, { tag, data }: UnknownTaggedField): void {
  writer.unsignedVarint(tag)
  writer.unsignedVarint(data.length)
  writer.bytes(data)
}

function compileValue(spec: FieldSpec, version: number, flexible: boolean, path: string): ValueCodec {
  const nullable = inRange(spec.nullableVersions, version)
  const compact = flexible && inRange(spec.compactVersions, version)
  switch (spec.kind) {
    case 'string':
      return compact ? compactString(nullable, path) : plainString(nullable, path)
    case 'bytes':
    case 'records':
      return compact ? compactBytes(nullable, path) : plainBytes(nullable, path)
    case 'array':
      return compileArray(compileValue(spec.element!, version, flexible, path), compact, nullable, path)
    case 'struct': {
      const struct = compileStruct(spec.fields!, version, flexible, path)
      return nullable ? nullableStruct(struct) : struct
    }
    default:
      return SCALARS[spec.kind]
  }
}

const SCALARS: Record<Exclude<FieldSpec['kind'], 'string' | 'bytes' | 'records' | 'array' | 'struct'>, ValueCodec> = {
  bool: { read: r => r.bool(), write: (w, v) => w.bool(v as boolean) },
  int8: { read: r => r.int8(), write: (w, v) => w.int8(v as number) },
  int16: { read: r => r.int16(), write: (w, v) => w.int16(v as number) },
  uint16: { read: r => r.uint16(), write: (w, v) => w.uint16(v as number) },
  int32: { read: r => r.int32(), write: (w, v) => w.int32(v as number) },
  uint32: { read: r => r.uint32(), write: (w, v) => w.uint32(v as number) },
  int64: { read: r => r.int64(), write: (w, v) => w.int64(v as number) },
  int64Unbounded: { read: r => r.int64Unbounded(), write: (w, v) => w.int64Unbounded(v as number) },
  int64Clamped: { read: r => r.int64Clamped(), write: (w, v) => w.int64(v as number) },
  float64: { read: r => r.float64(), write: (w, v) => w.float64(v as number) },
  uuid: { read: r => r.uuid(), write: (w, v) => w.uuid(v as string) },
}

function nullFor(nullable: boolean, path: string): null {
  if (!nullable) throw new ProtocolError(`${path} is null, which this version does not allow`)
  return null
}

function plainString(nullable: boolean, path: string): ValueCodec {
  return {
    read: reader => {
      const length = reader.int16()
      if (length >= 0) return reader.string(length)
      if (length !== -1) throw new ProtocolError(`${path} has length ${length}`)
      return nullFor(nullable, path)
    },
    write: (writer, value) => {
      if (value === null) {
        nullFor(nullable, path)
        writer.int16(-1)
        return
      }
      const length = Buffer.byteLength(value as string)
      if (length > 32767) throw new RangeError(`${path} has ${length} bytes, more than 32767`)
      writer.int16(length)
      writer.utf8(value as string, length)
    },
  }
}

function compactString(nullable: boolean, path: string): ValueCodec {
  return {
    read: reader => {
      const length = reader.unsignedVarint() - 1
      if (length === -1) return nullFor(nullable, path)
      if (length > 32767) throw new ProtocolError(`${path} has ${length} bytes, more than 32767`)
      return reader.string(length)
    },
    write: (writer, value) => {
      if (value === null) {
        nullFor(nullable, path)
        writer.unsignedVarint(0)
        return
      }
      const length = Buffer.byteLength(value as string)
      if (length > 32767) throw new RangeError(`${path} has ${length} bytes, more than 32767`)
      writer.unsignedVarint(length + 1)
      writer.utf8(value as string, length)
    },
  }
}

function plainBytes(nullable: boolean, path: string): ValueCodec {
  return {
    read: reader => {
      const length = reader.int32()
      if (length >= 0) return reader.bytes(length)
      if (length !== -1) throw new ProtocolError(`${path} has length ${length}`)
      return nullFor(nullable, path)
    },
    write: (writer, value) => {
      if (value === null) {
        nullFor(nullable, path)
        writer.int32(-1)
        return
      }
      writer.int32((value as Uint8Array).length)
      writer.bytes(value as Uint8Array)
    },
  }
}

function compactBytes(nullable: boolean, path: string): ValueCodec {
  return {
    read: reader => {
      const length = reader.unsignedVarint() - 1
      return length === -1 ? nullFor(nullable, path) : reader.bytes(length)
    },
    write: (writer, value) => {
      if (value === null) {
        nullFor(nullable, path)
        writer.unsignedVarint(0)
        return
      }
      writer.unsignedVarint((value as Uint8Array).length + 1)
      writer.bytes(value as Uint8Array)
    },
  }
}

function compileArray(element: ValueCodec, compact: boolean, nullable: boolean, path: string): ValueCodec {
  return {
    read: reader => {
      const count = compact ? reader.unsignedVarint() - 1 : reader.int32()
      if (count === -1) return nullFor(nullable, path)
      if (count < -1) throw new ProtocolError(`${path} has ${count} elements`)
      reader.count(count)
      const values: unknown[] = []
      for (let i = 0; i < count; i++) values.push(element.read(reader))
      return values
    },
    write: (writer, value) => {
      if (value === null) nullFor(nullable, path)
      const values = value as readonly unknown[] | null
      const count = values === null ? -1 : values.length
      if (compact) writer.unsignedVarint(count + 1)
      else writer.int32(count)
      if (values !== null) for (const item of values) element.write(writer, item)
    },
  }
}

function nullableStruct(struct: ValueCodec): ValueCodec {
  return {
    read: reader => (reader.int8() < 0 ? null : struct.read(reader)),
    write: (writer, value) => {
      writer.int8(value === null ? -1 : 1)
      if (value !== null) struct.write(writer, value)
    },
  }
}

const NO_BYTES = Buffer.alloc(0)

/** Makes the value that a field has where it is not on the wire; arrays and structs are fresh ones each time. */
function defaultOf(spec: FieldSpec, version: number): () => unknown {
  if (spec.defaultValue !== undefined) {
    const value = spec.defaultValue
    return () => value
  }
  switch (spec.kind) {
    case 'bool':
      return () => false
    case 'string':
      return () => ''
    case 'bytes':
    case 'records':
      return () => NO_BYTES
    case 'uuid':
      return () => ZERO_UUID
    case 'array':
      return () => []
    case 'struct': {
      const entries = Object.entries(spec.fields!).map(
        ([name, field]) => [name, defaultOf(field.spec, version)] as const,
      )
      return () => {
        const value: Struct = {}
        for (const [name, make] of entries) value[name] = make()
        return value
      }
    }
    default:
      return () => 0
  }
}

function isDefaultOf(spec: FieldSpec, makeDefault: () => unknown): (value: unknown) => boolean {
  if (spec.defaultValue !== undefined) {
    const expected = spec.defaultValue
    return value => value === expected
  }
  switch (spec.kind) {
    case 'array':
    case 'bytes':
    case 'records':
      return value => value !== null && (value as ArrayLike<unknown>).length === 0
    case 'struct': {
      const entries = Object.entries(spec.fields!).map(
        ([name, field]) => [name, isDefaultOf(field.spec, defaultOf(field.spec, 0))] as const,
      )
      return value =>
        value !== null &&
        entries.every(([name, same]) => (value as Struct)[name] === undefined || same((value as Struct)[name]))
    }
    default: {
      const expected = makeDefault()
      return value => value === expected
    }
  }
}
