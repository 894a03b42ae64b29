/** Errors of the operating system carry a code that begins with E. */
export function isDiskError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return error instanceof Error && typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)
}

/** Whether an error says that a file is not there. */
export function isMissing(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ENOENT'
}
