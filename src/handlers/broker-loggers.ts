import { ErrorCode } from '#protocol/errors.js'
import { entriesProblem } from '../config/alter.js'
import { isInt } from '../config/java-text.js'

/** The loggers of this process, whose levels clients may read and set (BROKER_LOGGER resources). */
export interface BrokerLoggers {
  /** Level by logger, in Kafka's names: TRACE, DEBUG, INFO, WARN, ERROR, FATAL. `root` is one of them. */
  levels(): ReadonlyMap<string, string>
  /** `level` null: as the root logger's. Lasts as long as the process. */
  setLevel(logger: string, level: string | null): void
}

const legalLevels = ['DEBUG', 'ERROR', 'FATAL', 'INFO', 'TRACE', 'WARN']
const rootLogger = 'root'

export interface LoggerOperation {
  readonly name: string
  readonly configOperation: number
  readonly value: string | null
}

export interface LoggerRefusal {
  readonly errorCode: ErrorCode
  readonly errorMessage: string
}

/** Why levels cannot be set, in Kafka's words; null if they can. */
export function loggerProblem(
  loggers: BrokerLoggers,
  nodeId: number,
  resourceName: string,
  operations: readonly LoggerOperation[],
): LoggerRefusal | null {
  const malformed = entriesProblem(operations)
  if (malformed !== null) return invalidRequest(malformed.message ?? '')
  if (!isInt(resourceName)) {
    return invalidRequest(`Node id must be an integer, but it is: ${resourceName}`)
  }
  if (Number(resourceName) !== nodeId) {
    return invalidRequest(`Unexpected node id. Expected ${nodeId}, but received ${resourceName}`)
  }
  const known = loggers.levels()
  for (const operation of operations) {
    const problem = operationProblem(known, operation)
    if (problem !== null) return problem
  }
  return null
}

function operationProblem(
  known: ReadonlyMap<string, string>,
  { name, configOperation, value }: LoggerOperation,
): LoggerRefusal | null {
  switch (configOperation) {
    case 0:
      if (!known.has(name)) return invalidConfig(`Logger ${name} does not exist!`)
      if (value !== null && legalLevels.includes(value)) return null
      return invalidConfig(
        `Cannot set the log level of ${name} to ${value} as it is not a supported log level. Valid log levels are ` +
          legalLevels.join(', '),
      )
    case 1:
      if (!known.has(name)) return invalidConfig(`Logger ${name} does not exist!`)
      return name === rootLogger ? invalidRequest('Removing the log level of the root logger is not allowed') : null
    case 2:
    case 3: {
      const operation = configOperation === 2 ? 'APPEND' : 'SUBTRACT'
      return invalidRequest(`${operation} operation is not allowed for the BROKER_LOGGER resource`)
    }
    default:
      return invalidRequest(`Unknown operation type ${configOperation} is not allowed for the BROKER_LOGGER resource`)
  }
}

/** Sets levels that were found legal. */
export function applyLoggerOperations(loggers: BrokerLoggers, operations: readonly LoggerOperation[]): void {
  for (const { name, configOperation, value } of operations)
    loggers.setLevel(name, configOperation === 0 ? value : null)
}

function invalidRequest(errorMessage: string): LoggerRefusal {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage }
}

function invalidConfig(errorMessage: string): LoggerRefusal {
  return { errorCode: ErrorCode.INVALID_CONFIG, errorMessage }
}
