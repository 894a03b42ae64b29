/**
 * Writes a line of an answer to standard output. If that takes nothing (a full disk, a reader that has gone), nobody
 * has the answer: standard error says so, and the process ends with status 1.
 */
export function say(line: string): void {
  const { stdout } = process
  if (stdout.listenerCount('error') === 0) stdout.on('error', lost)
  stdout.write(`${line}\n`)
}

function lost(error: Error): void {
  process.stderr.write(`ottla: standard output cannot be written to: ${error.message}\n`)
  process.exit(1)
}
