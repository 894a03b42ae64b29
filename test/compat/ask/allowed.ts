/** A difference from Kafka's answers that is meant, with its reason. The list only shrinks. */
export interface AllowedDifference {
  /** Matches the step, a line of JSON. */
  readonly step: RegExp
  /** Matches the difference: `/path: ours | Kafka's`. */
  readonly field: RegExp
  readonly reason: string
}

export const allowedDifferences: readonly AllowedDifference[] = [
  {
    step: /"about":"null records"/,
    field: /^/,
    reason:
      'Produce with null records is answered with INVALID_RECORD; Kafka 4.4 never answers and the connection hangs.',
  },
  {
    step: /"log.cleaner.threads"/,
    field: /by zero/,
    reason: 'log.cleaner.threads=0 is refused with what is allowed; Kafka says "/ by zero".',
  },
]
