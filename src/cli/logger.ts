import pino from 'pino'
import type { BrokerLoggers } from '../handlers/broker-loggers.js'
import type { Logger } from '../runtime/ports.js'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevelName = (typeof LOG_LEVELS)[number]

/** 'json': an object a line, for programs. 'text': lines for people. */
export const LOG_FORMATS = ['json', 'text'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** Logs, and the levels of their loggers as admin tools see them. */
export interface Logging {
  readonly logger: Logger
  readonly loggers: BrokerLoggers
}

/** pino's names of Kafka's levels. */
const LEVEL_NAMES: Readonly<Record<string, string>> = { silent: 'FATAL' }

/**
 * Structured logs on standard output: one JSON object a line, or lines for people, by default on a terminal. Written at
 * once, without a worker: a broker logs little, and the last line before an end is the one that matters.
 */
export async function createLogger(level: LogLevelName, format?: LogFormat): Promise<Logging> {
  const isText = (format ?? (process.stdout.isTTY === true ? 'text' : 'json')) === 'text'
  const root = isText ? await prettyLogger(level) : jsonLogger(level)
  // A child has its own level: those that are handed out later follow the root only at birth.
  const children = new Set<pino.Logger>([root.pino])
  const wrap = (logger: pino.Logger): Logger => {
    children.add(logger)
    return {
      trace: (fields, message) => logger.trace(fields, message),
      debug: (fields, message) => logger.debug(fields, message),
      info: (fields, message) => logger.info(fields, message),
      warn: (fields, message) => logger.warn(fields, message),
      error: (fields, message) => logger.error(fields, message),
      fatal: (fields, message) => logger.fatal(fields, message),
      child: fields => wrap(logger.child(fields)),
    }
  }
  const loggers: BrokerLoggers = {
    levels: () => new Map([['root', LEVEL_NAMES[root.pino.level] ?? root.pino.level.toUpperCase()]]),
    setLevel: (_logger, name) => {
      for (const logger of children) logger.level = (name ?? level).toLowerCase()
    },
  }
  return { logger: wrap(root.pino), loggers }
}

/** Lines that nobody takes are kept up to so many bytes. */
const UNWRITTEN_BYTES_MAX = 1048576

/** Standard output. A broker whose logs have no room or no reader goes on without them. */
function standardOutput(): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ dest: 1, sync: true, maxLength: UNWRITTEN_BYTES_MAX })
  destination.on('error', () => {})
  return destination
}

function jsonLogger(level: LogLevelName): { readonly pino: pino.Logger } {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return { pino: pino(options, standardOutput()) }
}

async function prettyLogger(level: LogLevelName): Promise<{ readonly pino: pino.Logger }> {
  const { default: prettyStream } = await import('pino-pretty')
  const stream = prettyStream({
    destination: standardOutput(),
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
  })
  return { pino: pino({ level, base: null }, stream) }
}
