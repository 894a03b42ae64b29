import pino from 'pino'
import type { Logger } from '../runtime/ports.js'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevelName = (typeof LOG_LEVELS)[number]

/**
 * Structured logs on standard output: one JSON object a line, or lines for people on a terminal. Written at once, without a
 * worker: a broker logs little, and the last line before an end is the one that matters.
 */
export async function createLogger(level: LogLevelName, pretty: boolean): Promise<Logger> {
  if (!pretty) {
    const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
    return pino(options, pino.destination({ dest: 1, sync: true }))
  }
  const { default: prettyStream } = await import('pino-pretty')
  const stream = prettyStream({ sync: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname', singleLine: true })
  return pino({ level, base: null }, stream)
}
