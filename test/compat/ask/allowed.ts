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
  {
    step: /"about":"a partition twice"/,
    field: /^/,
    reason: 'Of a partition that stands twice in a Produce both batches are appended; Kafka drops the first unsaid.',
  },
  {
    step: /"about":"an empty name"/,
    field: /^/,
    reason: 'An empty name is an INVALID_TOPIC; Kafka fails over it in DescribeTopicPartitions, for all topics of it.',
  },
  {
    step: /"about":"the last cursor"/,
    field: /nextCursor/,
    reason: 'Behind the last partition there is no cursor; where integers end, Kafka gives one below zero.',
  },
  {
    step: /"about":"the zero id twice"/,
    field: /^/,
    reason: 'A topic id that is zero is unknown; Kafka fails over it where it stands for more than one partition.',
  },
  {
    step: /"about":"a protocol twice"/,
    field: /^/,
    reason: 'A protocol that a member names twice counts once; Kafka fails over it, and the group with it.',
  },
]
