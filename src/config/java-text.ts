/*
 * Clients see option values as Kafka's JVM writes them, and in the order of its hash tables. These are the few rules of
 * Java's text and hashing that show through.
 */

/** Takes what Java's String.trim takes: every character up to U+0020 at both ends. */
export function trimText(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && text.charCodeAt(start) <= 0x20) start++
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--
  return text.slice(start, end)
}

/**
 * A double as Java writes it: at least one digit after the point, and an exponent outside of 10^-3 to 10^7.
 *
 * 0.5 -> '0.5', 1 -> '1.0', 1e7 -> '1.0E7', 1e-7 -> '1.0E-7'
 */
export function formatDouble(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
  const size = Math.abs(value)
  if (size === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  if (size >= 1e-3 && size < 1e7) return Number.isInteger(value) ? `${value}.0` : String(value)
  const [digits = '', exponent = ''] = value.toExponential().split('e')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${exponent.replace('+', '')}`
}

const DOUBLE = /^[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?)$/

const HEXADECIMAL_DOUBLE = /^([+-]?)0[xX](?=\.?[\da-fA-F])([\da-fA-F]*)\.?([\da-fA-F]*)[pP]([+-]?\d+)[fFdD]?$/

/** A double as Java reads it, or null: exponents, hexadecimal digits, a trailing f or d, NaN and Infinity are fine. */
export function parseDouble(text: string): number | null {
  if (DOUBLE.test(text)) return Number(text.replace(/(?<=[\d.])[fFdD]$/, ''))
  const match = HEXADECIMAL_DOUBLE.exec(text)
  if (match === null) return null
  const [, sign, whole = '', fraction = '', exponent] = match
  const value = Number(`0x${whole}${fraction}`) * 2 ** (Number(exponent) - 4 * fraction.length)
  return sign === '-' ? -value : value
}

/** Whether a text is an integer of 32 bits to Java: digits with or without a sign. */
export function isInt(text: string): boolean {
  if (!/^[+-]?\d{1,10}$/.test(text)) return false
  const value = Number(text)
  return value >= -0x80000000 && value <= 0x7fffffff
}

/** The bucket hash of a string in Java's and Scala's hash tables, as a 32 bit number. */
function bucketHash(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0
  return hash ^ (hash >>> 16)
}

/** Orders names as a Java hash table of that many entries iterates over them; names of one bucket keep their order. */
export function inHashOrder(names: readonly string[]): readonly string[] {
  let buckets = 16
  while (names.length > buckets * 0.75) buckets *= 2
  const mask = buckets - 1
  const keyed = names.map(name => ({ name, bucket: bucketHash(name) & mask }))
  return keyed.sort((a, b) => a.bucket - b.bucket).map(entry => entry.name)
}
