/** Longest name of a topic, in characters: its folder has it and a partition number. */
const nameLengthMax = 249

/** What is wrong with a topic's name, in Kafka's words; null if it is legal. */
export function topicNameProblem(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > nameLengthMax) {
    return `Topic name is invalid: the length of '${name}' is longer than the max allowed length ${nameLengthMax}`
  }
  if (/^[a-zA-Z0-9._-]+$/.test(name)) return null
  return (
    `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, ` +
    "'.', '_' and '-'"
  )
}
