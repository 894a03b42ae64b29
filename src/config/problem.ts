/** Something wrong with the configuration of a broker. */
export interface Problem {
  /** The option at fault. */
  readonly option: string
  /** Its value as it was given; null: it was not given. Passwords are left out. */
  readonly value: string | null
  /** What is wrong, in Kafka's words where Kafka has words for it. */
  readonly message: string
  /**
   * How a client that alters the option sees it: Kafka has two kinds of refusal, and one of them has a prefix.
   * 'requirement': with the prefix; 'plain': as it is.
   */
  readonly kind: 'plain' | 'requirement'
}

export function problem(option: string, value: string | null, message: string): Problem {
  return { option, value, message, kind: 'plain' }
}

export function requirement(option: string, value: string | null, message: string): Problem {
  return { option, value, message, kind: 'requirement' }
}

/** The text of a problem as Kafka sends it to a client that wanted to alter the option. */
export function clientMessage(found: Problem): string {
  return found.kind === 'requirement' ? `requirement failed: ${found.message}` : found.message
}

/**
 * One line for the person who starts the broker: where the value came from, the option, its value, and what is allowed.
 *
 * server.properties:4: num.partitions=x: Invalid value x for configuration num.partitions: Not a number of type INT
 */
export function describeProblem(found: Problem, origin: string | null): string {
  const where = origin === null ? '' : `${origin}: `
  const what = found.value === null ? found.option : `${found.option}=${found.value}`
  return `${where}${what}: ${found.message}`
}
