/**
 * What a log refuses, by the name of Kafka's error code; callers map the name to the code. Besides those:
 * `UNEXPECTED_APPEND_OFFSET`: a replicated batch begins below the end of the log (`firstOffset`, `lastOffset` of the
 * batch say where), which a follower resolves and no client ever sees.
 */
export type LogErrorCode =
  | 'CORRUPT_MESSAGE'
  | 'INCONSISTENT_TOPIC_ID'
  | 'INVALID_PRODUCER_EPOCH'
  | 'INVALID_RECORD'
  | 'INVALID_TXN_STATE'
  | 'KAFKA_STORAGE_ERROR'
  | 'MESSAGE_TOO_LARGE'
  | 'OFFSET_OUT_OF_RANGE'
  | 'OUT_OF_ORDER_SEQUENCE_NUMBER'
  | 'RECORD_LIST_TOO_LARGE'
  | 'TRANSACTION_COORDINATOR_FENCED'
  | 'UNEXPECTED_APPEND_OFFSET'
  | 'UNKNOWN_TOPIC_OR_PARTITION'

/** The only error that the methods of a log and of a log directory throw for what can happen. */
export class LogError extends Error {
  override readonly name = 'LogError'
  readonly code: LogErrorCode
  /** Of the batch that was refused; -1 where that says nothing. */
  readonly firstOffset: number
  readonly lastOffset: number

  constructor(code: LogErrorCode, message: string, options: LogErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.firstOffset = options.firstOffset ?? -1
    this.lastOffset = options.lastOffset ?? -1
  }
}

export interface LogErrorOptions {
  readonly cause?: unknown
  readonly firstOffset?: number
  readonly lastOffset?: number
}
