import { formatDouble } from './java-text.js'

/** The types of option values, as Kafka names them. */
export type OptionType = 'BOOLEAN' | 'STRING' | 'INT' | 'SHORT' | 'LONG' | 'DOUBLE' | 'LIST' | 'CLASS' | 'PASSWORD'

export type Importance = 'HIGH' | 'MEDIUM' | 'LOW'

/** Which resource an option belongs to. */
export type OptionScope = 'broker' | 'topic' | 'group' | 'client-metrics'

/** How a broker option may change while the broker runs. A cluster-wide option may also be set for one broker. */
export type DynamicMode = 'read-only' | 'per-broker' | 'cluster-wide'

/** What a value must satisfy once it has the right type. */
export type Rule =
  | { readonly rule: 'range'; readonly min: number; readonly max: number | null }
  | { readonly rule: 'one-of'; readonly values: readonly string[]; readonly ignoreCase: boolean }
  | { readonly rule: 'non-empty' }
  | { readonly rule: 'list'; readonly of: readonly string[] | null; readonly mayBeEmpty: boolean }
  | { readonly rule: 'gzip-level' }
  | { readonly rule: 'throttled-replicas' }
  | { readonly rule: 'voters' }
  | { readonly rule: 'bootstrap-servers' }
  | { readonly rule: 'share-offset-reset' }

/** A parsed value. Integers are numbers; the largest LONG, 2^63-1, is Infinity. Passwords and classes are strings. */
export type OptionValue = boolean | string | number | readonly string[] | null

/** What is known of one option. `T` is the type of its parsed value. */
export interface Option<T extends OptionValue> {
  readonly type: OptionType
  /** The default as text, as DescribeConfigs shows it; null: there is none and the value is null. */
  readonly defaultText: string | null
  /** There is no default and the option must be set. */
  readonly required: boolean
  readonly rule: Rule | null
  readonly importance: Importance
  readonly mode: DynamicMode
  /** For tests and experts: DescribeConfigs shows it only where it is set. */
  readonly internal: boolean
  /** Not known to properties files: it exists only where it was set dynamically. */
  readonly dynamicOnly: boolean
  /**
   * Broker options: the names for the same thing in other units, the strongest first, this one among them (empty: only
   * itself). Topic and group options: the broker option that gives the default (empty: none).
   */
  readonly synonyms: readonly string[]
  /** Whether the option has an effect in this broker; `note` says in which part. */
  readonly acts: boolean | 'partly'
  readonly note: string | null
  /** One sentence for the reference and for DescribeConfigs. */
  readonly doc: string
  /** Never there: carries the type of the value. */
  readonly valueType?: T
}

export type AnyOption = Option<OptionValue>

/** The type of the parsed value of an option. */
export type ValueOfOption<O> = O extends Option<infer T> ? T : never

/** A table of options by name. */
export interface OptionTable {
  readonly [name: string]: AnyOption
}

/** Stands in the place of a default where the option must be set. */
export const REQUIRED = Symbol('required')

/** 2^63-1, the text for "no limit" in LONG options. */
export const LONG_MAX_TEXT = '9223372036854775807'

/** A LONG as text: Infinity is 2^63-1. */
export function longText(value: number): string {
  return value === Number.POSITIVE_INFINITY ? LONG_MAX_TEXT : String(value)
}

interface Details {
  readonly importance: Importance
  readonly acts: boolean | 'partly'
  readonly note?: string
  readonly rule?: Rule
  readonly mode?: DynamicMode
  readonly internal?: boolean
  readonly dynamicOnly?: boolean
  readonly synonyms?: readonly string[]
}

type Default<V> = V | null | typeof REQUIRED
type Value<D, V extends OptionValue> = D extends null ? V | null : V

function option<T extends OptionValue>(
  type: OptionType,
  byDefault: Default<string | number | boolean>,
  doc: string,
  details: Details,
): Option<T> {
  return {
    type,
    defaultText: byDefault === null || byDefault === REQUIRED ? null : defaultText(type, byDefault),
    required: byDefault === REQUIRED,
    rule: details.rule ?? null,
    importance: details.importance,
    mode: details.mode ?? 'read-only',
    internal: details.internal ?? false,
    dynamicOnly: details.dynamicOnly ?? false,
    synonyms: details.synonyms ?? [],
    acts: details.acts,
    note: details.note ?? null,
    doc,
  }
}

function defaultText(type: OptionType, value: string | number | boolean): string {
  if (typeof value !== 'number') return String(value)
  return type === 'DOUBLE' ? formatDouble(value) : longText(value)
}

export function boolean<D extends Default<boolean>>(
  byDefault: D,
  doc: string,
  details: Details,
): Option<Value<D, boolean>> {
  return option('BOOLEAN', byDefault, doc, details)
}

export function string<D extends Default<string>>(
  byDefault: D,
  doc: string,
  details: Details,
): Option<Value<D, string>> {
  return option('STRING', byDefault, doc, details)
}

export function int<D extends Default<number>>(byDefault: D, doc: string, details: Details): Option<Value<D, number>> {
  return option('INT', byDefault, doc, details)
}

export function short<D extends Default<number>>(
  byDefault: D,
  doc: string,
  details: Details,
): Option<Value<D, number>> {
  return option('SHORT', byDefault, doc, details)
}

/** A default of Infinity stands for 2^63-1. */
export function long<D extends Default<number>>(byDefault: D, doc: string, details: Details): Option<Value<D, number>> {
  return option('LONG', byDefault, doc, details)
}

export function double<D extends Default<number>>(
  byDefault: D,
  doc: string,
  details: Details,
): Option<Value<D, number>> {
  return option('DOUBLE', byDefault, doc, details)
}

/** The default is written as in a properties file, with commas. */
export function list<D extends Default<string>>(
  byDefault: D,
  doc: string,
  details: Details,
): Option<Value<D, readonly string[]>> {
  return option('LIST', byDefault, doc, details)
}

export function className<D extends Default<string>>(
  byDefault: D,
  doc: string,
  details: Details,
): Option<Value<D, string>> {
  return option('CLASS', byDefault, doc, details)
}

export function password(doc: string, details: Details): Option<string | null> {
  return option('PASSWORD', null, doc, details)
}

export function atLeast(min: number): Rule {
  return { rule: 'range', min, max: null }
}

export function between(min: number, max: number): Rule {
  return { rule: 'range', min, max }
}

export function oneOf(values: readonly string[]): Rule {
  return { rule: 'one-of', values, ignoreCase: false }
}

export function oneOfIgnoringCase(values: readonly string[]): Rule {
  return { rule: 'one-of', values, ignoreCase: true }
}

/** A list without blank entries; duplicates are dropped. */
export const ANY_LIST: Rule = { rule: 'list', of: null, mayBeEmpty: true }

/** A list with at least one entry, none of them blank; duplicates are dropped. */
export const FILLED_LIST: Rule = { rule: 'list', of: null, mayBeEmpty: false }

export function listOf(values: readonly string[], mayBeEmpty: boolean): Rule {
  return { rule: 'list', of: values, mayBeEmpty }
}
