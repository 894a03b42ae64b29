/** Structures inside the files of a log. */
import { array, int16, int32, int64, message, struct, uint32 } from '../schema.js'

/** An aborted transaction: an entry of the transaction index. */
export const AbortedTxn = message({
  name: 'AbortedTxn',
  versions: '0',
  flexible: 'none',
  fields: { producerId: int64, firstOffset: int64, lastOffset: int64, lastStableOffset: int64 },
})

/** The value of the control record that ends a transaction. */
export const EndTxnMarker = message({
  name: 'EndTxnMarker',
  versions: '0',
  flexible: 'none',
  fields: { coordinatorEpoch: int32 },
})

/** The key of a control record. */
export const ControlRecordTypeSchema = message({
  name: 'ControlRecordTypeSchema',
  versions: '0',
  flexible: 'none',
  fields: { type: int16 },
})

/** The state of all producers of a partition, as a file. */
export const ProducerSnapshot = message({
  name: 'ProducerSnapshot',
  versions: '1',
  flexible: 'none',
  fields: {
    crc: uint32,
    producerEntries: array(
      struct({
        producerId: int64,
        epoch: int16,
        lastSequence: int32,
        lastOffset: int64,
        offsetDelta: int32,
        timestamp: int64,
        coordinatorEpoch: int32,
        currentTxnFirstOffset: int64,
      }),
    ),
  },
})
