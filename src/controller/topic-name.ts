/** Longest name of a topic, in characters: its folder has it and a partition number. */
const nameLengthMax = 249

/** So much of a name that is too long stands in messages: a request may have one name for very many partitions. */
const shownLengthMax = 300

/** A name of a request as messages have it. */
export function shownTopicName(name: string): string {
  return name.length <= shownLengthMax ? name : `${name.slice(0, shownLengthMax)}...`
}

/** What is wrong with a topic's name, in Kafka's words; null if it is legal. */
export function topicNameProblem(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > nameLengthMax) {
    return `Topic name is invalid: the length of '${shownTopicName(name)}' is longer than the max allowed length ${nameLengthMax}`
  }
  if (/^[a-zA-Z0-9._-]+$/.test(name)) return null
  return (
    `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, ` +
    "'.', '_' and '-'"
  )
}
