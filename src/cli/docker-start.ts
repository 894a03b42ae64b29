import { loadImageConfig } from './image-config.js'
import { createLogger } from './logger.js'
import { complain, endOfProcess, runBroker } from './start.js'

/**
 * Runs the node of a container, with the options that its environment, its mounted files and `VARIABLE=value` arguments
 * give; resolves with the exit status.
 */
export async function dockerStart(assignments: readonly string[]): Promise<number> {
  const end = endOfProcess()
  const read = loadImageConfig(process.env, assignments)
  if (!read.ok) return complain(read.lines)
  const { options, loaded } = read.config
  const logging = await createLogger(options.logLevel)
  for (const line of [...options.warnings, ...loaded.warnings]) logging.logger.warn({}, line)
  return runBroker(loaded.config, options.clusterId, logging, end)
}
