import type { Logger, LogLevel } from '#src/runtime/ports.js'

export interface LoggedLine {
  readonly level: LogLevel
  readonly message: string
  readonly fields: object
}

/** Keeps lines for a test to look at instead of printing them. */
export function keepingLogger(): Logger & { readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = []
  const at = (level: LogLevel) => (fields: object, message: string) => {
    lines.push({ level, message, fields })
  }
  const logger = {
    lines,
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: (): Logger => logger,
  }
  return logger
}
