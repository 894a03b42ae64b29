/**
 * Messages as data. A message is declared once with these combinators; its TypeScript types are inferred from the
 * declaration and its codecs are compiled from it (codec.ts), once per version, at first use.
 *
 * Every field has three type parameters: `Out` is what decoding yields, `In` is what encoding takes (fields with a
 * default may be left out), `Optional` says whether the field itself may be left out when encoding.
 */

export type Kind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'int64Unbounded'
  | 'int64Clamped'
  | 'float64'
  | 'string'
  | 'bytes'
  | 'records'
  | 'uuid'
  | 'array'
  | 'struct'

/** An inclusive range of versions; `none` has `from` greater than `to`. */
export interface VersionRange {
  readonly from: number
  readonly to: number
}

/** What the codec compiler reads of a field. Ranges are absolute message versions. */
export interface FieldSpec {
  readonly kind: Kind
  readonly versions: VersionRange
  readonly nullableVersions: VersionRange
  /** Versions in which the field travels in the tagged section; with `tag`. */
  readonly taggedVersions: VersionRange
  readonly tag: number
  /** Versions in which a string, bytes or array has the compact form whenever the message is flexible. */
  readonly compactVersions: VersionRange
  /** `undefined` stands for the default of the kind: 0, false, '', no bytes, [], the zero uuid, a default struct. */
  readonly defaultValue: unknown
  readonly element: FieldSpec | null
  readonly fields: Fields | null
}

/** One field of a message. Immutable: every method yields a new field. */
export interface Field<Out, In = Out, Optional extends boolean = false> {
  readonly spec: FieldSpec
  /** The versions of the message that have the field ('3+', '0-12', '4'); elsewhere it reads as its default. */
  versions(range: string): Field<Out, In, true>
  /** Null is allowed in these versions (all of the field's, if not said). */
  nullable(range?: string): Field<Out | null, In | null, Optional>
  /** The field travels as a tagged field with this number; it is left out when it has its default value. */
  tagged(tag: number, range?: string): Field<Out, In, true>
  default(value: Out): Field<Out, In, true>
  /** Never compact, even in a flexible message (the client id of a request header). */
  neverCompact(): Field<Out, In, Optional>
  /** Types only. */
  readonly _out?: Out
  readonly _in?: In
  readonly _optional?: Optional
}

// biome-ignore lint/suspicious/noExplicitAny: the shape of any field at all
export type AnyField = Field<any, any, boolean>
export type Fields = { readonly [name: string]: AnyField }

type OutOfField<F> = F extends Field<infer Out, infer _In, infer _Optional> ? Out : never
type InOfField<F> = F extends Field<infer _Out, infer In, infer _Optional> ? In : never
type RequiredKeys<F extends Fields> = {
  // biome-ignore lint/suspicious/noExplicitAny: matches any value type
  [K in keyof F]: F[K] extends Field<any, any, false> ? K : never
}[keyof F]

/** A tagged field that the schema does not know; kept so that it survives a round trip. */
export interface UnknownTaggedField {
  readonly tag: number
  readonly data: Uint8Array
}

/** What decoding yields: every field of every version, absent ones with their defaults. */
export type Decoded<F extends Fields> = { -readonly [K in keyof F]: OutOfField<F[K]> } & {
  unknownTaggedFields?: UnknownTaggedField[]
}
/** What encoding takes: fields with a default, a tag or a version range may be left out. */
export type Encodable<F extends Fields> = { readonly [K in RequiredKeys<F>]: InOfField<F[K]> } & {
  readonly [K in Exclude<keyof F, RequiredKeys<F>>]?: InOfField<F[K]> | undefined
} & { readonly unknownTaggedFields?: UnknownTaggedField[] }

export const ALL_VERSIONS: VersionRange = { from: 0, to: 32767 }
export const NO_VERSIONS: VersionRange = { from: 1, to: 0 }

/** Parses '3+', '0-12', '4' or 'none'. */
export function versionRange(text: string): VersionRange {
  if (text === 'none') return NO_VERSIONS
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text)
  if (match === null) throw new Error(`not a version range: '${text}'; allowed: 'none', '4', '3+', '0-12'`)
  const from = Number(match[1])
  if (match[2] !== undefined) return { from, to: ALL_VERSIONS.to }
  return { from, to: match[3] === undefined ? from : Number(match[3]) }
}

export function inRange(range: VersionRange, version: number): boolean {
  return version >= range.from && version <= range.to
}

function field<Out, In, Optional extends boolean>(spec: FieldSpec): Field<Out, In, Optional> {
  return {
    spec,
    versions: range => field({ ...spec, versions: versionRange(range) }),
    nullable: range => field({ ...spec, nullableVersions: range === undefined ? ALL_VERSIONS : versionRange(range) }),
    tagged: (tag, range) =>
      field({ ...spec, tag, taggedVersions: range === undefined ? ALL_VERSIONS : versionRange(range) }),
    default: value => field({ ...spec, defaultValue: value }),
    neverCompact: () => field({ ...spec, compactVersions: NO_VERSIONS }),
  }
}

function plain(kind: Kind, element: FieldSpec | null, fields: Fields | null): FieldSpec {
  return {
    kind,
    versions: ALL_VERSIONS,
    nullableVersions: NO_VERSIONS,
    taggedVersions: NO_VERSIONS,
    tag: -1,
    compactVersions: ALL_VERSIONS,
    defaultValue: undefined,
    element,
    fields,
  }
}

export const bool: Field<boolean> = field(plain('bool', null, null))
export const int8: Field<number> = field(plain('int8', null, null))
export const int16: Field<number> = field(plain('int16', null, null))
export const uint16: Field<number> = field(plain('uint16', null, null))
export const int32: Field<number> = field(plain('int32', null, null))
export const uint32: Field<number> = field(plain('uint32', null, null))
/** A 64-bit integer as a number; the reader refuses what is not a safe integer. */
export const int64: Field<number> = field(plain('int64', null, null))
/** A 64-bit integer whose legal values include INT64_MAX, which stands as Infinity. */
export const int64Unbounded: Field<number> = field(plain('int64Unbounded', null, null))
/** A 64-bit integer that others may have written without bounds; past 2^53 it is read as the nearest safe integer. */
export const int64Clamped: Field<number> = field(plain('int64Clamped', null, null))
export const float64: Field<number> = field(plain('float64', null, null))
export const string: Field<string> = field(plain('string', null, null))
/** Bytes as a view into what was read: copy what outlives the frame. */
export const bytes: Field<Uint8Array> = field(plain('bytes', null, null))
/** Record batches, as a view into what was read: copy what outlives the frame. */
export const records: Field<Uint8Array> = field(plain('records', null, null))
/** 16 bytes, held in Kafka's text form: URL-safe base64 without padding, 22 characters. */
export const uuid: Field<string> = field(plain('uuid', null, null))

export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** A list of one kind of element. */
export function array<Out, In>(element: Field<Out, In, boolean>): Field<Out[], readonly In[]> {
  return field(plain('array', element.spec, null))
}

/** A group of fields. Nullable where `.nullable()` says so (INT8 marker: -1 null, 1 present). */
export function struct<const F extends Fields>(fields: F): Field<Decoded<F>, Encodable<F>> {
  return field(plain('struct', null, fields))
}

/** A message without a request or response side: a header, a record in a log, a consumer protocol structure. */
export interface Message<F extends Fields = Fields> {
  readonly name: string
  /** The key or record type that announces the message; -1 where it has none. */
  readonly key: number
  readonly versions: VersionRange
  readonly flexible: VersionRange
  readonly fields: F
}

export type ListenerKind = 'broker' | 'controller'

/** A request and its response. */
export interface Api<Q extends Fields = Fields, R extends Fields = Fields> {
  readonly key: number
  readonly name: string
  readonly versions: VersionRange
  readonly flexible: VersionRange
  /** On which kinds of listener Kafka serves it. */
  readonly listeners: readonly ListenerKind[]
  /** The highest version is not offered unless unstable versions are enabled. */
  readonly latestVersionUnstable: boolean
  readonly request: Message<Q>
  readonly response: Message<R>
}

/** What `request` of an API decodes to. */
export type RequestOf<A> = A extends Api<infer Q, infer _R> ? Decoded<Q> : never
/** What a handler returns for an API. */
export type ResponseOf<A> = A extends Api<infer _Q, infer R> ? Encodable<R> : never
/** What a client hands in for an API. */
export type RequestInputOf<A> = A extends Api<infer Q, infer _R> ? Encodable<Q> : never
/** What a client gets from an API. */
export type ResponseOutputOf<A> = A extends Api<infer _Q, infer R> ? Decoded<R> : never
/** What a stand-alone message decodes to. */
export type ValueOf<M> = M extends Message<infer F> ? Decoded<F> : never
/** What encoding a stand-alone message takes. */
export type InputOf<M> = M extends Message<infer F> ? Encodable<F> : never

export interface ApiDefinition<Q extends Fields, R extends Fields> {
  readonly key: number
  readonly name: string
  readonly versions: string
  readonly flexible: string
  readonly listeners: readonly ListenerKind[]
  readonly latestVersionUnstable?: boolean
  readonly request: Q
  readonly response: R
}

/** Declares an API: key, versions, request and response. */
export function api<const Q extends Fields, const R extends Fields>(definition: ApiDefinition<Q, R>): Api<Q, R> {
  const { key, name, request, response } = definition
  const versions = versionRange(definition.versions)
  const flexible = versionRange(definition.flexible)
  return {
    key,
    name,
    versions,
    flexible,
    listeners: definition.listeners,
    latestVersionUnstable: definition.latestVersionUnstable ?? false,
    request: { name: `${name}Request`, key, versions, flexible, fields: request },
    response: { name: `${name}Response`, key, versions, flexible, fields: response },
  }
}

export interface MessageDefinition<F extends Fields> {
  readonly name: string
  readonly key?: number
  readonly versions: string
  readonly flexible: string
  readonly fields: F
}

/** Declares a stand-alone message. */
export function message<const F extends Fields>(definition: MessageDefinition<F>): Message<F> {
  return {
    name: definition.name,
    key: definition.key ?? -1,
    versions: versionRange(definition.versions),
    flexible: versionRange(definition.flexible),
    fields: definition.fields,
  }
}
