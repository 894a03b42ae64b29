import { InvalidRecordError } from './error.js'

/**
 * The answer to data that would inflate beyond the limit: MESSAGE_TOO_LARGE, on which the Java client splits the batch
 * and tries again.
 */
export function tooLarge(codec: string, bytesMax: number): InvalidRecordError {
  return new InvalidRecordError(
    'MESSAGE_TOO_LARGE',
    `The ${codec} data inflates to more than the ${bytesMax} bytes allowed`,
  )
}
