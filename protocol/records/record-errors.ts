import * as batch from './batch.js'
import { InvalidRecordError, type RecordError } from './error.js'
import { type RecordCursor, readRecord } from './record.js'

/** The part of the topic's options that single records can offend against (see `AppendPolicy`). */
interface RecordPolicy {
  readonly timestampType: batch.TimestampType
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly isCompacted: boolean
}

/** How many records of a batch are named; the others are counted. */
const recordErrorsMax = 10_000
/** How many are named in the text as well. */
const shownErrorsMax = 3

/** An option of Kafka's type long, whose greatest value a double rounds up. */
function long(value: number): bigint {
  return value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(Math.round(value))
}

/** The bounds of acceptable times as Kafka prints them: sums of type long come round. */
function boundsOf(policy: RecordPolicy, nowMs: number): string {
  const from = BigInt.asIntN(64, long(nowMs) - long(policy.timestampBeforeMaxMs))
  const to = BigInt.asIntN(64, long(nowMs) + long(policy.timestampAfterMaxMs))
  return `[${from}, ${to}]`
}

/**
 * Names the records that the topic does not accept, from a cursor that stands before the first record of the batch at
 * `position`, and throws INVALID_TIMESTAMP (if any of them has an unacceptable time) or INVALID_RECORD. Returns if,
 * looked at closely, none is to blame. The records must have been found well formed.
 */
export function refuseRecords(
  cursor: RecordCursor,
  buffer: Uint8Array,
  position: number,
  policy: RecordPolicy,
  context: { readonly topicPartition: string; readonly nowMs: number },
): void {
  const errors: RecordError[] = []
  let total = 0
  let hasTimestampError = false
  const count = batch.recordsCount(buffer, position)
  const hasLogAppendTime = batch.isLogAppendTime(buffer, position)
  const logAppendTime = batch.maxTimestamp(buffer, position)
  const baseTimestamp = batch.baseTimestamp(buffer, position)
  const earliest = context.nowMs - policy.timestampBeforeMaxMs
  const latest = context.nowMs + policy.timestampAfterMaxMs
  for (let index = 0; index < count; index++) {
    readRecord(cursor)
    const timestamp = hasLogAppendTime ? logAppendTime : baseTimestamp + cursor.timestampDelta
    const offset = batch.baseOffset(buffer, position) + cursor.offsetDelta
    let message = ''
    if (policy.isCompacted && cursor.keyLength < 0) {
      message = `Compacted topic cannot accept message without key in topic partition ${context.topicPartition}`
    } else if (policy.timestampType === 'CreateTime' && timestamp !== batch.noTimestamp) {
      if (timestamp >= earliest && timestamp <= latest) continue
      hasTimestampError = true
      message =
        `Timestamp ${timestamp} of message with offset ${offset} is out of range. ` +
        `The timestamp should be within ${boundsOf(policy, context.nowMs)}`
    } else if (hasLogAppendTime) {
      hasTimestampError = true
      const [key, value] = [Math.max(0, cursor.keyLength), Math.max(0, cursor.valueLength)]
      const record = `DefaultRecord(offset=${offset}, timestamp=${timestamp}, key=${key} bytes, value=${value} bytes)`
      message = `Invalid timestamp type in message ${record}. Producer should not set timestamp type to LogAppendTime.`
    } else {
      continue
    }
    total++
    if (errors.length < recordErrorsMax) errors.push({ batchIndex: index, message })
  }
  if (total === 0) return
  if (hasTimestampError) {
    const text = 'One or more records have been rejected due to invalid timestamp'
    throw new InvalidRecordError('INVALID_TIMESTAMP', text, errors)
  }
  const shown = errors
    .slice(0, shownErrorsMax)
    .map(({ batchIndex, message }) => `RecordError(batchIndex=${batchIndex}, message='${message}')`)
  const text =
    `One or more records have been rejected due to ${total} record errors in total, ` +
    `and only showing the first three errors at most: [${shown.join(', ')}]`
  throw new InvalidRecordError('INVALID_RECORD', text, errors)
}
