/** A directory that cannot be formatted as it was asked; the message is for the person who asked, in Kafka's words. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}

/** What to say of a log directory on which a call of the file system failed; errors of another kind as they are. */
export function unusableDirectory(path: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined || error instanceof FormatError) return error
  const remedy = 'Allowed is a directory that this process may write to: mend it, or change log.dirs.'
  return new FormatError(`${path} cannot be a log directory (${message}). ${remedy}`, { cause: error })
}
