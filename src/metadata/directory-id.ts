import { ZERO_UUID } from '#protocol/schema.js'

/**
 * Ids of log directories (KIP-858). The lowest hundred are reserved; three of them mean something where a replica's
 * directory is told.
 */
export const DirectoryId = {
  /**
   * Not known yet whether the broker has several directories: what records below metadata.version 3.7-IV2 amount to.
   */
  MIGRATING: ZERO_UUID,
  /** The broker has several directories and has not yet said which one it took. */
  UNASSIGNED: 'AAAAAAAAAAAAAAAAAAAAAQ',
  /** In one that is offline. */
  LOST: 'AAAAAAAAAAAAAAAAAAAAAg',
} as const

/** Whether an id is one of the hundred that no directory may have: a zero high half and a low half below 100. */
export function isReservedDirectoryId(id: string): boolean {
  const bytes = Buffer.from(id, 'base64url')
  return bytes.length === 16 && bytes.subarray(0, 15).every(byte => byte === 0) && bytes[15]! < 100
}

/** Whether a replica in this directory can be online, as far as the broker's registration tells. */
export function isOnlineDirectory(id: string, registered: readonly string[]): boolean {
  if (id === DirectoryId.UNASSIGNED || id === DirectoryId.MIGRATING) return true
  if (id === DirectoryId.LOST) return false
  // A registration without directories is one of before they were told (metadata.version below 3.7-IV2).
  return registered.length === 0 || registered.includes(id)
}
