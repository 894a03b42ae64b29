import { ApiError, ErrorCode, type ErrorName } from '#protocol/errors.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { LogError } from '#storage/log-error.js'

/** The code that a client gets for what a log, the validator of records or a handler threw; -1 for anything else. */
export function errorCodeOf(error: unknown): ErrorCode {
  if (error instanceof ApiError) return error.code
  if (error instanceof InvalidRecordError) return ErrorCode[error.kind]
  if (error instanceof LogError)
    return (ErrorCode as Record<string, ErrorCode>)[error.code] ?? ErrorCode.UNKNOWN_SERVER_ERROR
  return ErrorCode.UNKNOWN_SERVER_ERROR
}

/** Whether it is an answer to a client rather than a mistake of ours. */
export function isExpectedError(error: unknown): boolean {
  return error instanceof ApiError || error instanceof InvalidRecordError || error instanceof LogError
}

/** The same as ApiError, for those who await. */
export function apiErrorOf(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(errorCodeOf(error), (error as Error).message)
}

export function apiError(name: ErrorName, message?: string): ApiError {
  return new ApiError(ErrorCode[name], message)
}
