import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCompressionsWhenNeeded } from '#protocol/records/compression.js'
import { LogError } from '#storage/log-error.js'
import { nodeDisk } from '#storage/node-disk.js'
import { type Broker, createBroker } from '../broker.js'
import type { BrokerConfig } from '../config/broker-config.js'
import { createNodeClock } from '../runtime/node/clock.js'
import { memoryShares } from '../runtime/node/memory.js'
import { createNodeNetwork } from '../runtime/node/network.js'
import { createNodeRandom } from '../runtime/node/random.js'
import { clusterIdOfVoters, formatNewNode } from './first-format.js'
import { loadConfig } from './load-config.js'
import { createLogger, type LogFormat, type Logging, type LogLevelName } from './logger.js'
import { onSignals } from './signals.js'

export interface StartOptions {
  readonly override: Readonly<Record<string, string>>
  readonly port?: number
  readonly data?: string
  readonly ephemeral?: boolean
  readonly clusterId?: string
  readonly logLevel: LogLevelName
  readonly logFormat?: LogFormat
}

/** What a node that was forked tells its parent, once. */
export interface ReadyMessage {
  readonly kind: 'ready'
  /** Where clients find it: host:port of its first listener; null for a node that is only a controller. */
  readonly address: string | null
}

/** Exit status when the options or the data directory do not let a broker start, and when one fails later. */
const CANNOT_START = 1
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs a broker until a signal ends it; resolves with the exit status. `onReady`: it serves its clients. */
export async function start(file: string | undefined, options: StartOptions, onReady?: () => void): Promise<number> {
  const end = endOfProcess()
  let temporary: string | null = null
  try {
    if (options.ephemeral === true) temporary = mkdtempSync(join(tmpdir(), 'ottla-'))
  } catch (error) {
    return complain([`--ephemeral: ${tmpdir()} takes no directory (${messageOf(error)}); TMPDIR says where else`])
  }
  try {
    const loaded = loadConfig(file, temporary === null ? options : { ...options, data: temporary })
    if (!loaded.ok) return complain(loaded.lines)
    const logging = await createLogger(options.logLevel, options.logFormat)
    for (const warning of loaded.warnings) logging.logger.warn({}, warning)
    return await runBroker(loaded.config, options.clusterId ?? null, logging, end, onReady)
  } finally {
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true })
  }
}

/** Tells why nothing was started; returns the exit status. */
export function complain(lines: readonly string[]): number {
  for (const line of lines) process.stderr.write(`ottla: ${line}\n`)
  return CANNOT_START
}

/** How a process is asked to end. */
export interface EndOfProcess {
  /** Resolves with the reason when it is asked: by a signal, or by the end of the process that forked it. */
  readonly asked: Promise<string>
  /** Resolves when a signal comes again, from a person who does not want to wait. */
  readonly askedAgain: Promise<void>
}

/** Ask for it early: as the first process of a container, one that listens for no signal gets none. */
export function endOfProcess(): EndOfProcess {
  let ask: (reason: string) => void = () => {}
  let askAgain: () => void = () => {}
  const asked = new Promise<string>(resolve => {
    ask = resolve
  })
  const askedAgain = new Promise<void>(resolve => {
    askAgain = resolve
  })
  let signals = 0
  onSignals(SIGNALS, signal => (++signals === 1 ? ask(signal) : askAgain()))
  // Forked, and the parent was gone before anybody here could listen.
  if (process.send !== undefined && !process.connected) ask('the parent process ended')
  if (process.channel !== undefined) {
    process.once('disconnect', () => ask('the parent process ended'))
    process.channel?.unref()
  }
  return { asked, askedAgain }
}

/**
 * Runs a node until it is asked to end; resolves with the exit status. A node that never ran is formatted for the
 * cluster with this id; null: an id of its own, or one that follows from the voters where there are several.
 */
export async function runBroker(
  config: BrokerConfig,
  clusterId: string | null,
  { logger, loggers }: Logging,
  end: EndOfProcess,
  onReady?: () => void,
): Promise<number> {
  const voters = config.node.quorumVoters
  const newId = clusterId ?? (voters.length > 1 ? clusterIdOfVoters(voters) : null)
  let broker: Broker
  try {
    if (newId !== null) {
      const { lines, clusterIdThere } = formatNewNode(config, newId)
      for (const line of lines) logger.info({ clusterId: newId }, line)
      if (clusterId !== null && clusterIdThere !== null && clusterIdThere !== clusterId) {
        logger.warn({}, `the data is that of cluster ${clusterIdThere}, which counts; ${clusterId} was asked for`)
      }
    }
    loadCompressionsWhenNeeded(path => readFileSync(path))
    broker = createBroker(config, {
      clock: createNodeClock(),
      random: createNodeRandom(),
      network: createNodeNetwork(),
      disk: nodeDisk(),
      logger,
      loggers,
      hostname: hostname(),
      ...memoryShares(),
    })
  } catch (error) {
    return complain([messageOf(error)])
  }
  const started = broker.start().then(
    () => null,
    (error: unknown) => messageOf(error),
  )
  // A node that waits for the others of its quorum may be told to end before it is ready.
  const outcome = await Promise.race([started, end.asked.then(reason => ({ reason }))])
  if (typeof outcome === 'string') {
    complain([outcome])
    await broker.stop()
    return CANNOT_START
  }
  if (outcome === null) {
    tellReady(broker, logger)
    onReady?.()
  }
  const ended = await Promise.race([end.asked, broker.failed])
  if (ended instanceof Error) {
    // Where in the program a disk failed helps nobody who has to mend it.
    logger.fatal(ended instanceof LogError ? {} : { err: ended }, `the broker failed: ${ended.message}`)
    broker.abandon()
    return CANNOT_START
  }
  logger.info({}, `${ended}: stopping`)
  void end.askedAgain.then(() => process.exit(CANNOT_START))
  await broker.stop()
  logger.info({}, 'stopped')
  return 0
}

function tellReady(broker: Broker, logger: Logging['logger']): void {
  const ms = Math.round(process.uptime() * 1000)
  const forClients = broker.listeners.filter(({ kind }) => kind === 'broker')
  const told = forClients.length > 0 ? forClients : broker.listeners
  const where = told.map(({ name, host, port }) => `${name} on ${host}:${port}`).join(', ')
  logger.info(
    { clusterId: broker.clusterId, nodeId: broker.nodeId },
    `listening: ${where}; data in ${broker.logDirs.join(', ')}; ready in ${ms} ms`,
  )
  const [first] = forClients
  const message: ReadyMessage = { kind: 'ready', address: first === undefined ? null : `${first.host}:${first.port}` }
  // A parent that went away in this moment is noticed elsewhere.
  if (process.connected) process.send?.(message, undefined, {}, () => {})
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
