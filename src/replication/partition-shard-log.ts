import type { Partition } from './partition.js'
import { apiErrorOf } from './replication-error.js'

/**
 * A partition as the shard that it holds sees it (see `ShardLog` of the coordinators): reads what is there, appends batches
 * of its own, and learns when they are committed.
 */
export function shardLogOf(partition: Partition, wallTime: () => number) {
  return {
    get batchBytesMax(): number {
      return partition.config.maxMessageBytes
    },
    get startOffset(): number {
      return partition.log.logStartOffset
    },
    get endOffset(): number {
      return partition.log.logEndOffset
    },
    read(offset: number, bytesMax: number): Promise<Uint8Array> {
      return readBatches(partition, offset, bytesMax)
    },
    append(batch: Buffer): { readonly baseOffset: number; readonly lastOffset: number } {
      try {
        const { baseOffset, lastOffset } = partition.appendFromCoordinator(batch, wallTime())
        return { baseOffset, lastOffset }
      } catch (error) {
        throw apiErrorOf(error)
      }
    },
    whenCommitted(endOffset: number, done: () => void): void {
      partition.whenCommitted({ endOffset, onReached: done, onLost: () => {} })
    },
  }
}

async function readBatches(partition: Partition, offset: number, bytesMax: number): Promise<Uint8Array> {
  try {
    const read = await partition.log.readAsync(offset, bytesMax, partition.log.logEndOffset, true)
    if (read === null) return new Uint8Array(0)
    const { buffer } = read
    let end = 0
    while (end + 12 <= buffer.length && end + buffer.readInt32BE(end + 8) + 12 <= buffer.length) {
      end += buffer.readInt32BE(end + 8) + 12
    }
    return buffer.subarray(0, end)
  } catch (error) {
    throw apiErrorOf(error)
  }
}
