/** Addresses of IP as 4 or 16 bytes, in network order, and as text. */

/** The bytes of an address; those of 0.0.0.0 for what is none (a socket that is not of IP). */
export function addressBytes(text: string): Buffer {
  const [address = ''] = text.split('%')
  if (!address.includes(':')) {
    const parts = address.split('.').map(Number)
    const isAddress = parts.length === 4 && parts.every(part => Number.isInteger(part) && part >= 0 && part <= 255)
    return isAddress ? Buffer.from(parts) : Buffer.alloc(4)
  }
  const v4 = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  const bytes = v4 === null ? Buffer.alloc(0) : addressBytes(v4[2]!)
  const groups = v4 === null ? address : `${v4[1]}${bytes.toString('hex', 0, 2)}:${bytes.toString('hex', 2, 4)}`
  const [head = '', tail] = groups.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const all = [...left, ...Array.from({ length: gap }, () => '0'), ...right].map(group => Number.parseInt(group, 16))
  const result = Buffer.alloc(16)
  if (all.length !== 8 || all.some(group => !(group >= 0 && group <= 0xffff))) return result
  all.forEach((group, i) => {
    result.writeUInt16BE(group, i * 2)
  })
  return result
}

/** The text of an address of 4 or 16 bytes; null for any other number of them. */
export function addressText(bytes: Uint8Array): string | null {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return null
  const view = Buffer.from(bytes)
  return Array.from({ length: 8 }, (_, i) => view.readUInt16BE(i * 2).toString(16)).join(':')
}
