import { mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeDisk } from '#storage/node-disk.js'
import { createBroker } from '../broker.js'
import { createNodeClock } from '../runtime/node/clock.js'
import { memoryShares } from '../runtime/node/memory.js'
import { createNodeNetwork } from '../runtime/node/network.js'
import { createNodeRandom } from '../runtime/node/random.js'
import { loadConfig } from './load-config.js'
import { createLogger, type LogLevelName } from './logger.js'

export interface StartOptions {
  readonly override: Readonly<Record<string, string>>
  readonly port?: number
  readonly data?: string
  readonly ephemeral?: boolean
  readonly logLevel: LogLevelName
}

/** Exit status when the options or the data directory do not let a broker start, and when one fails later. */
const CANNOT_START = 1
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Runs a broker until a signal ends it; resolves with the exit status. */
export async function start(file: string | undefined, options: StartOptions): Promise<number> {
  const temporary = options.ephemeral === true ? mkdtempSync(join(tmpdir(), 'ottla-')) : null
  try {
    return await run(file, temporary === null ? options : { ...options, data: temporary })
  } finally {
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true })
  }
}

async function run(file: string | undefined, options: StartOptions): Promise<number> {
  const loaded = loadConfig(file, options)
  if (!loaded.ok) {
    for (const line of loaded.lines) process.stderr.write(`ottla: ${line}\n`)
    return CANNOT_START
  }
  const { logger, loggers } = await createLogger(options.logLevel, process.stdout.isTTY === true)
  for (const warning of loaded.warnings) logger.warn({}, warning)
  const broker = createBroker(loaded.config, {
    clock: createNodeClock(),
    random: createNodeRandom(),
    network: createNodeNetwork(),
    disk: nodeDisk(),
    logger,
    loggers,
    hostname: hostname(),
    ...memoryShares(),
  })
  const ended = new Promise<NodeJS.Signals>(resolve => {
    for (const signal of SIGNALS) process.once(signal, resolve)
  })
  try {
    await broker.start()
  } catch (error) {
    process.stderr.write(`ottla: ${error instanceof Error ? error.message : String(error)}\n`)
    await broker.stop()
    return CANNOT_START
  }
  const ms = Math.round(process.uptime() * 1000)
  const where = broker.listeners
    .filter(({ kind }) => kind === 'broker')
    .map(({ name, host, port }) => `${name} on ${host}:${port}`)
    .join(', ')
  logger.info(
    { clusterId: broker.clusterId, nodeId: broker.nodeId },
    `listening: ${where}; data in ${broker.logDirs.join(', ')}; ready in ${ms} ms`,
  )
  const outcome = await Promise.race([ended, broker.failed])
  if (outcome instanceof Error) {
    logger.fatal({ err: outcome }, `the broker failed: ${outcome.message}`)
    broker.abandon()
    return CANNOT_START
  }
  logger.info({}, `${outcome}: stopping`)
  // A second signal does not wait for a clean end.
  for (const signal of SIGNALS) process.once(signal, () => process.exit(CANNOT_START))
  await broker.stop()
  logger.info({}, 'stopped')
  return 0
}
