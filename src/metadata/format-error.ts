/** A directory that cannot be formatted as it was asked; the message is for the person who asked, in Kafka's words. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}
