import type { Random } from '../../runtime/ports.js'

/** Names in records have a length of 16 bits. */
const NAME_BYTES_MAX = 32767

/**
 * A new member id: the client id (or the instance id) and a uuid in its long form. null if that is too long to be
 * stored.
 */
export function makeMemberId(prefix: string, random: Random): string | null {
  const hex = Buffer.from(random.uuid(), 'base64url').toString('hex')
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  const memberId = `${prefix}-${uuid}`
  return Buffer.byteLength(memberId) > NAME_BYTES_MAX ? null : memberId
}

/**
 * A peer's address as Java writes it, which is what DescribeGroups shows and records hold: '/127.0.0.1',
 * '/0:0:0:0:0:0:0:1'. IPv4 in IPv6 clothes is IPv4.
 */
export function clientHostOf(address: string): string {
  const plain = address.replace(/%.*$/, '')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)
  if (mapped !== null) return `/${mapped[1]}`
  if (!plain.includes(':')) return `/${plain}`
  const [left = '', right = ''] = plain.split('::')
  const before = left === '' ? [] : left.split(':')
  const after = right === '' ? [] : right.split(':')
  const zeros = plain.includes('::') ? Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0') : []
  const groups = [...before, ...zeros, ...after].map(group => Number.parseInt(group, 16).toString(16))
  return `/${groups.join(':')}`
}
