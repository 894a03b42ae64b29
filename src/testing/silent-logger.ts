import type { Logger } from '../runtime/logger.js'

const ignore = (): void => {}

/** Says nothing to anybody. */
export const silentLogger: Logger = {
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  fatal: ignore,
  child: () => silentLogger,
}
