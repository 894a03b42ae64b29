import { formatDouble, parseDouble, trimText } from './java-text.js'
import { type AnyOption, LONG_MAX_TEXT, type OptionType, type OptionValue, type Rule } from './option.js'

/** A value that its option takes, in two forms. */
export interface ParsedValue {
  readonly ok: true
  readonly value: OptionValue
  /** The value as DescribeConfigs writes it: ' 0100 ' -> '100', 'a, b' -> 'a,b', '1e6' -> '1000000.0'. */
  readonly text: string
}

/** Why an option does not take a value, in Kafka's words: they name the option, the value and what is allowed. */
export interface RefusedValue {
  readonly ok: false
  readonly message: string
}

const INTEGER = /^[+-]?\d+$/
const INTEGER_BITS = { SHORT: 15, INT: 31, LONG: 63 } as const
const LONG_MAX = 2n ** 63n - 1n

/** Kafka's form of a complaint about a value. */
export function invalidValue(name: string, value: string | number, why: string): string {
  return `Invalid value ${value} for configuration ${name}: ${why}`
}

/** Reads the text of a value as its option's type and checks it against its rule, as Kafka does. */
export function parseValue(name: string, option: AnyOption, text: string): ParsedValue | RefusedValue {
  const parsed = parseType(name, option, text)
  if (!parsed.ok || option.rule === null) return parsed
  const message = ruleProblem(name, option.rule, parsed)
  return message === null ? parsed : { ok: false, message }
}

function parseType(name: string, option: AnyOption, text: string): ParsedValue | RefusedValue {
  const trimmed = trimText(text)
  switch (option.type) {
    case 'BOOLEAN': {
      const lower = trimmed.toLowerCase()
      if (lower === 'true' || lower === 'false') return { ok: true, value: lower === 'true', text: lower }
      return { ok: false, message: invalidValue(name, text, 'Expected value to be either true or false') }
    }
    case 'SHORT':
    case 'INT':
    case 'LONG':
      return parseInteger(name, option.type, text, trimmed)
    case 'DOUBLE': {
      const value = parseDouble(trimmed)
      if (value !== null) return { ok: true, value, text: formatDouble(value) }
      return { ok: false, message: invalidValue(name, text, 'Not a number of type DOUBLE') }
    }
    case 'LIST': {
      const entries = splitList(trimmed)
      const value = option.rule?.rule === 'list' ? [...new Set(entries)] : entries
      return { ok: true, value, text: value.join(',') }
    }
    case 'CLASS':
      if (isKnownClass(trimmed)) return { ok: true, value: trimmed, text: trimmed }
      return { ok: false, message: invalidValue(name, text, `Class ${text} could not be found.`) }
    case 'PASSWORD':
    case 'STRING':
      return { ok: true, value: trimmed, text: trimmed }
  }
}

function parseInteger(
  name: string,
  type: 'SHORT' | 'INT' | 'LONG',
  text: string,
  trimmed: string,
): ParsedValue | RefusedValue {
  if (/^-?[1-9]\d{0,8}$/.test(trimmed) && type !== 'SHORT') return { ok: true, value: Number(trimmed), text: trimmed }
  // No integer of 64 bits has more than 19 digits: texts that are longer by far are not worth a BigInt.
  const value = INTEGER.test(trimmed) && trimmed.length < 100 ? BigInt(trimmed.replace('+', '')) : null
  const limit = 2n ** BigInt(INTEGER_BITS[type])
  if (value === null || value < -limit || value >= limit) {
    return { ok: false, message: invalidValue(name, text, `Not a number of type ${type}`) }
  }
  if (value === LONG_MAX) return { ok: true, value: Number.POSITIVE_INFINITY, text: LONG_MAX_TEXT }
  return { ok: true, value: Number(value), text: value.toString() }
}

/** Splits at commas and drops the white space around them; the empty text is the empty list. */
export function splitList(trimmed: string): readonly string[] {
  return trimmed === '' ? [] : trimmed.split(/[ \t\n\v\f\r]*,[ \t\n\v\f\r]*/)
}

/** Nothing of Java can be loaded here, so only names that belong to Kafka itself pass, as they would there. */
export function isKnownClass(name: string): boolean {
  return /^org\.apache\.kafka\.[\w.$]+$/.test(name)
}

/** What a value of the right type lacks, or null. */
function ruleProblem(name: string, rule: Rule, parsed: ParsedValue): string | null {
  const { value, text } = parsed
  switch (rule.rule) {
    case 'range': {
      const number = value as number
      if (number < rule.min) return invalidValue(name, text, `Value must be at least ${rule.min}`)
      if (rule.max !== null && number > rule.max) {
        return invalidValue(name, text, `Value must be no more than ${rule.max}`)
      }
      return null
    }
    case 'gzip-level': {
      const level = value as number
      if (level === -1 || (level >= 1 && level <= 9)) return null
      return invalidValue(name, text, 'Value must be between 1 and 9 or equal to -1')
    }
    case 'one-of':
      return oneOfProblem(name, rule.values, rule.ignoreCase, text)
    case 'non-empty':
      return text === '' ? invalidValue(name, text, 'String must be non-empty') : null
    case 'list':
      return listProblem(name, rule.of, rule.mayBeEmpty, value as readonly string[])
    case 'throttled-replicas':
      return throttledReplicasProblem(name, value as readonly string[])
    case 'voters':
      return votersProblem(name, value as readonly string[])
    case 'bootstrap-servers':
      return bootstrapServersProblem(name, value as readonly string[])
    case 'share-offset-reset':
      return shareOffsetResetProblem(name, text)
  }
}

function oneOfProblem(name: string, values: readonly string[], ignoreCase: boolean, text: string): string | null {
  const known = ignoreCase ? values.some(value => value.toUpperCase() === text.toUpperCase()) : values.includes(text)
  if (known) return null
  return invalidValue(
    name,
    text,
    `String must be one of${ignoreCase ? ' (case insensitive)' : ''}: ${values.join(', ')}`,
  )
}

function listProblem(
  name: string,
  of: readonly string[] | null,
  mayBeEmpty: boolean,
  entries: readonly string[],
): string | null {
  if (entries.length === 0 && !mayBeEmpty) {
    const valid = of === null ? 'any non-empty value' : `[${of.join(', ')}]`
    return `Configuration '${name}' must not be empty. Valid values include: ${valid}`
  }
  for (const entry of entries) {
    if (trimText(entry) === '') return `Configuration '${name}' values must not be empty.`
    const problem = of === null ? null : oneOfProblem(name, of, false, entry)
    if (problem !== null) return problem
  }
  return null
}

function throttledReplicasProblem(name: string, entries: readonly string[]): string | null {
  // A comma at the end does no harm, and commas alone are an empty list.
  const replicas = dropBlankEnd(entries)
  if (replicas.every(entry => /^\d+:\d+$/.test(entry)) || (replicas.length === 1 && replicas[0] === '*')) return null
  return invalidValue(
    name,
    `[${entries.join(', ')}]`,
    `${name} must be the literal '*' or a list of replicas in the following format: ` +
      '[partitionId]:[brokerId],[partitionId]:[brokerId],...',
  )
}

function dropBlankEnd(entries: readonly string[]): readonly string[] {
  let end = entries.length
  while (end > 0 && entries[end - 1] === '') end--
  return entries.slice(0, end)
}

/** `host:port` with an optional scheme in front and brackets around IPv6 addresses. */
const HOST_PORT = /^(?:[0-9a-zA-Z\-%._]*:\/\/)?\[?([0-9a-zA-Z\-%._:]*)\]?:(\d+)$/

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Takes `host:port` apart, or null; brackets around an IPv6 address are dropped. The port may be out of range. */
export function parseHostPort(text: string): HostPort | null {
  const match = HOST_PORT.exec(text)
  return match === null ? null : { host: match[1] as string, port: Number(match[2]) }
}

function votersProblem(name: string, entries: readonly string[]): string | null {
  for (const entry of entries) {
    const form = 'Each entry should be in the form `{id}@{host}:{port}`.'
    const parts = entry.split('@')
    if (parts.length !== 2) return `Invalid configuration value for ${name}. ${form}`
    const [id = '', address = ''] = parts
    if (!INTEGER.test(id) || Math.abs(Number(id)) >= 2 ** 31) return `Failed to parse voter ID as an integer from ${id}`
    const parsed = parseHostPort(address)
    if (parsed === null) return `Failed to parse host name from entry ${entry} for the configuration ${name}. ${form}`
    if (parsed.port > 65535) return invalidValue(name, entry, `port out of range:${parsed.port}`)
  }
  return null
}

function bootstrapServersProblem(name: string, entries: readonly string[]): string | null {
  for (const entry of entries) {
    const parsed = parseHostPort(entry)
    if (parsed === null) {
      const form = 'Each entry should be in the form "{host}:{port}"'
      return `Failed to parse host name from ${entry} for the configuration ${name}. ${form}`
    }
    if (parsed.port > 65535) return invalidValue(name, entry, `port out of range:${parsed.port}`)
  }
  return null
}

const DURATION = /^P(?=.)(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:[.,]\d{1,9})?S)?)?$/i

function shareOffsetResetProblem(name: string, text: string): string | null {
  if (text === 'earliest' || text === 'latest') return null
  if (text.startsWith('by_duration:') && DURATION.test(text.slice('by_duration:'.length))) return null
  return invalidValue(
    name,
    text,
    `Invalid value \`${text}\` for configuration ${name}. The value must be either 'earliest', 'latest' or of the ` +
      "format 'by_duration:<PnDTnHnMn.nS>'.",
  )
}

/** The number of ConfigType in DescribeConfigs; 0 stands for an option that nobody knows. */
export const CONFIG_TYPE_IDS: Readonly<Record<OptionType, number>> = {
  BOOLEAN: 1,
  STRING: 2,
  INT: 3,
  SHORT: 4,
  LONG: 5,
  DOUBLE: 6,
  LIST: 7,
  CLASS: 8,
  PASSWORD: 9,
}
