import type { MetadataRecord } from '../metadata/record.js'
import { encodeFrame } from '../metadata/record-frame.js'
import { RecordBatchTooLargeError } from './metadata-log.js'
import { metadataBatchBytesMax } from './raft-log.js'

/** What a record takes in a batch besides its frame, at most; and what the batch itself takes. */
const recordOverheadBytes = 22
const batchOverheadBytes = 61

/** Records that will be one batch. */
export interface GatheredBatch {
  readonly epoch: number
  readonly records: MetadataRecord[]
  readonly frames: Buffer[]
}

/**
 * Gathers the appends of one turn of the event loop into as few batches as they fit. The records of one append are
 * never parted.
 */
export class AppendBuffer {
  #batches: GatheredBatch[] = []
  #openBytes = 0
  #recordCount = 0

  /** Records that wait. */
  get recordCount(): number {
    return this.#recordCount
  }

  /** Throws RecordBatchTooLargeError, and takes nothing, if they are too large for any batch. */
  add(epoch: number, records: readonly MetadataRecord[]): void {
    const frames = records.map(encodeFrame)
    const bytes = frames.reduce((sum, frame) => sum + frame.length + recordOverheadBytes, 0)
    if (bytes + batchOverheadBytes > metadataBatchBytesMax) {
      throw new RecordBatchTooLargeError(
        `${records.length} records of ${bytes} bytes cannot be appended atomically: a batch has up to ` +
          `${metadataBatchBytesMax} bytes`,
      )
    }
    let open = this.#batches.at(-1)
    if (open === undefined || open.epoch !== epoch || this.#openBytes + bytes > metadataBatchBytesMax) {
      open = { epoch, records: [], frames: [] }
      this.#batches.push(open)
      this.#openBytes = batchOverheadBytes
    }
    for (const record of records) open.records.push(record)
    for (const frame of frames) open.frames.push(frame)
    this.#openBytes += bytes
    this.#recordCount += records.length
  }

  /** Everything that was gathered, in order; the buffer is empty then. */
  take(): readonly GatheredBatch[] {
    const batches = this.#batches
    this.#batches = []
    this.#openBytes = 0
    this.#recordCount = 0
    return batches
  }
}
