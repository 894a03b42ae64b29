/**
 * What is wrong with records, by the name of the error code that Kafka answers with. Callers map the name to the code.
 *
 * - `CORRUPT_MESSAGE`: the bytes are damaged (checksum, impossible sizes, unknown magic);
 * - `INVALID_RECORD`: the bytes are what was sent, and what was sent is not a legal batch;
 * - `INVALID_TIMESTAMP`, `MESSAGE_TOO_LARGE`, `UNSUPPORTED_COMPRESSION_TYPE`: as named;
 * - `UNKNOWN_SERVER_ERROR`: Kafka's answer to some bad bytes, such as data that does not inflate.
 */
export type InvalidRecordKind =
  | 'CORRUPT_MESSAGE'
  | 'INVALID_RECORD'
  | 'INVALID_TIMESTAMP'
  | 'MESSAGE_TOO_LARGE'
  | 'UNSUPPORTED_COMPRESSION_TYPE'
  | 'UNKNOWN_SERVER_ERROR'

/** One record of a batch that was refused: its index in the batch, and why (ProduceResponse.RecordErrors, KIP-467). */
export interface RecordError {
  readonly batchIndex: number
  readonly message: string
}

const noRecordErrors: readonly RecordError[] = []

/** The only error that reading, checking or decompressing records throws for bad bytes. As ApiError without a stack. */
export class InvalidRecordError extends Error {
  override readonly name = 'InvalidRecordError'
  readonly kind: InvalidRecordKind
  readonly recordErrors: readonly RecordError[]

  constructor(kind: InvalidRecordKind, message: string, recordErrors: readonly RecordError[] = noRecordErrors) {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(message)
    Error.stackTraceLimit = stackTraceLimit
    this.kind = kind
    this.recordErrors = recordErrors
  }
}
