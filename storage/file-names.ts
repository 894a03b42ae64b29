/*
 * Names of files and folders of a log directory. A segment's files carry its base offset in twenty digits, a
 * partition's folder its topic and number; suffixes tell what is being done to them.
 */

export const logSuffix = '.log'
export const indexSuffix = '.index'
export const timeIndexSuffix = '.timeindex'
export const txnIndexSuffix = '.txnindex'
export const snapshotSuffix = '.snapshot'
/** Waits for its removal. */
export const deletedSuffix = '.deleted'
/** Being written by compaction. */
export const cleanedSuffix = '.cleaned'
/** Written and flushed by compaction, about to take the place of what it was made of. */
export const swapSuffix = '.swap'

export const epochCheckpointName = 'leader-epoch-checkpoint'
export const partitionMetadataName = 'partition.metadata'

/** The longest name of a folder that common file systems allow, in bytes. */
const nameBytesMax = 255

export type FolderState = 'delete' | 'stray' | 'future'

export interface PartitionFolder {
  readonly topic: string
  readonly partition: number
  readonly state: FolderState | null
}

export function offsetName(offset: number): string {
  return String(offset).padStart(20, '0')
}

/** The offset that a name begins with (`00000000000000000042.log`), -1 if it does not begin with twenty digits. */
export function offsetOfName(name: string): number {
  if (name.length < 20) return -1
  let offset = 0
  for (let index = 0; index < 20; index++) {
    const digit = name.charCodeAt(index) - 48
    if (digit < 0 || digit > 9) return -1
    offset = offset * 10 + digit
  }
  return offset
}

export function folderName(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/**
 * The name of a folder that is marked: `<topic>-<partition>.<32 hexadecimal digits>-<state>`. The topic is cut where
 * the whole would be too long (not for futures, which must keep theirs: a topic of at most 249 characters then is too
 * long).
 */
export function markedFolderName(topic: string, partition: number, unique: string, state: FolderState): string {
  const suffix = `-${partition}.${unique}-${state}`
  return `${topic.slice(0, state === 'future' ? topic.length : nameBytesMax - suffix.length)}${suffix}`
}

/** What a folder's name says, or null if no partition is called so. The partition is what follows the last dash. */
export function parseFolderName(name: string): PartitionFolder | null {
  const marked = /^(.+)\.([0-9a-f]{32})-(delete|stray|future)$/.exec(name)
  const plain = marked === null ? name : marked[1]!
  const state = marked === null ? null : (marked[3] as FolderState)
  const match = /^(.+)-(\d{1,10})$/.exec(plain)
  if (match === null || !/^[A-Za-z0-9._-]{1,249}$/.test(match[1]!)) return null
  const partition = Number(match[2])
  return partition > 0x7fff_ffff ? null : { topic: match[1]!, partition, state }
}
