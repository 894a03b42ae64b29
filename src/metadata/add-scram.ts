import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { FormatError } from './format-error.js'
import type { MetadataRecord } from './record.js'

interface Mechanism {
  readonly type: number
  readonly hash: 'sha256' | 'sha512'
  readonly bytes: number
  /** As Kafka's messages name it. */
  readonly title: string
}

const mechanisms: ReadonlyMap<string, Mechanism> = new Map([
  ['SCRAM-SHA-256', { type: 1, hash: 'sha256', bytes: 32, title: 'SCRAM_SHA_256' }],
  ['SCRAM-SHA-512', { type: 2, hash: 'sha512', bytes: 64, title: 'SCRAM_SHA_512' }],
])

const iterationsMin = 4096
const iterationsMax = 16384

/**
 * The credential of an `--add-scram` argument (KIP-900): `SCRAM-SHA-256=[name=alice,password=secret]`, with
 * `iterations` and `salt` (base64) if wanted, or `saltedpassword` (base64) instead of `password`. `freshSalt` makes one
 * if none is given. Throws FormatError.
 */
export function scramRecord(argument: string, freshSalt: () => Buffer): MetadataRecord {
  const { mechanism, fields } = parse(argument.trim())
  const take = (name: string): string | undefined => {
    const value = fields.get(name)
    fields.delete(name)
    return value
  }
  const name = take('name')
  if (name === undefined) throw new FormatError("You must supply 'name' to add-scram")
  const givenSalt = take('salt')
  const iterationsText = take('iterations') ?? String(iterationsMin)
  const password = take('password')
  const saltedPassword = take('saltedpassword')
  if (password === undefined && saltedPassword === undefined) {
    throw new FormatError("You must supply one of 'password' or 'saltedpassword' to add-scram")
  }
  if (password === undefined && givenSalt === undefined) {
    throw new FormatError("You must supply 'salt' with 'saltedpassword' to add-scram")
  }
  if (fields.size > 0) throw new FormatError(`Unknown SCRAM configurations: ${[...fields.keys()].sort().join(', ')}`)
  const iterations = Number(iterationsText)
  if (!/^[+-]?\d+$/.test(iterationsText)) throw new FormatError(`Failed to parse iterations count: ${iterationsText}`)
  for (const [isOutside, bound] of [
    [iterations < iterationsMin, `>= ${iterationsMin}`],
    [iterations > iterationsMax, `<= ${iterationsMax}`],
  ] as const) {
    if (isOutside)
      throw new FormatError(`The 'iterations' value must be ${bound} for add-scram using ${mechanism.title}`)
  }
  const salt = givenSalt === undefined ? freshSalt() : base64(givenSalt, 'salt')
  const { hash, bytes } = mechanism
  const salted =
    password === undefined
      ? base64(saltedPassword!, 'saltedPassword')
      : pbkdf2Sync(password, salt, iterations, bytes, hash)
  const hmac = (text: string): Buffer => createHmac(hash, salted).update(text).digest()
  const storedKey = createHash(hash).update(hmac('Client Key')).digest()
  const value = { name, mechanism: mechanism.type, salt, storedKey, serverKey: hmac('Server Key'), iterations }
  return { type: 'UserScramCredentialRecord', version: 0, value }
}

function parse(argument: string): { readonly mechanism: Mechanism; readonly fields: Map<string, string> } {
  const equals = argument.indexOf('=')
  if (equals < 0) throw new FormatError(`Failed to find equals sign in SCRAM argument '${argument}'`)
  const mechanismName = argument.slice(0, equals)
  const mechanism = mechanisms.get(mechanismName)
  if (mechanism === undefined) throw new FormatError(`The add-scram mechanism ${mechanismName} is not supported.`)
  const text = argument.slice(equals + 1)
  if (!text.startsWith('[')) throw new FormatError('Expected configuration string to start with [')
  if (!text.endsWith(']')) throw new FormatError('Expected configuration string to end with ]')
  const fields = new Map<string, string>()
  for (const part of text.slice(1, -1).split(',')) {
    const at = part.indexOf('=')
    if (at < 0) throw new FormatError(`No equals sign found in SCRAM component: ${part}`)
    fields.set(part.slice(0, at), part.slice(at + 1).replace(/^"(.*)"$/s, '$1'))
  }
  return { mechanism, fields }
}

function base64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || bytes.length === 0) {
    throw new FormatError(`Failed to decode given ${what}: ${text}`)
  }
  return bytes
}
