import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCompressionsWhenNeeded } from '#protocol/records/compression.js'
import { nodeDisk } from '#storage/node-disk.js'
import { createBroker } from '../broker.js'
import { embeddedProfile } from '../config/profiles.js'
import { brokerConfigFrom } from '../config/start.js'
import type { Logger } from '../runtime/logger.js'
import { createNodeClock } from '../runtime/node/clock.js'
import { memoryShares } from '../runtime/node/memory.js'
import { createNodeNetwork } from '../runtime/node/network.js'
import { createNodeRandom } from '../runtime/node/random.js'
import { optionTexts } from './option-texts.js'
import { silentLogger } from './silent-logger.js'

export interface StartBrokerOptions {
  /** The port of 127.0.0.1 that clients connect to; 0, the default, for any free one. */
  readonly port?: number
  /** Where the data lies and stays. Without it, a temporary directory that `close` removes. */
  readonly dataDirectory?: string
  /** Options of server.properties, over those of the embedded profile. */
  readonly options?: Readonly<Record<string, string>>
  /** Where log lines go: anything with pino's methods. Nowhere unless given. */
  readonly logger?: Logger
}

/** A broker that runs in this process. */
export interface EmbeddedBroker extends AsyncDisposable {
  /** 'host:port' of each listener for clients, separated by commas: what clients call bootstrap servers. */
  readonly bootstrapServers: string
  readonly port: number
  readonly clusterId: string
  /** Resolves with the error if the broker can no longer go on; never otherwise. */
  readonly failed: Promise<Error>
  /** Stops it, closes every connection and file, and removes the temporary directory. May be called again. */
  close(): Promise<void>
}

/**
 * Starts a broker on the loopback interface and resolves when it answers clients. It leaves no handle, timer, file or
 * signal handler behind once it is closed.
 *
 *     await using kafka = await startBroker()
 *     const client = new Kafka({ brokers: [kafka.bootstrapServers] })
 */
export async function startBroker(options: StartBrokerOptions = {}): Promise<EmbeddedBroker> {
  const temporary = options.dataDirectory === undefined ? mkdtempSync(join(tmpdir(), 'ottla-')) : null
  const remove = (): void => {
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true })
  }
  try {
    const properties = new Map<string, string>([
      ['listeners', `PLAINTEXT://127.0.0.1:${options.port ?? 0},CONTROLLER://127.0.0.1:0`],
      ['log.dirs', options.dataDirectory ?? temporary!],
      ...optionTexts(options.options),
    ])
    const loaded = brokerConfigFrom({ properties, profile: embeddedProfile })
    if (!loaded.ok) throw new Error(loaded.lines.join('\n'))
    const logger = options.logger ?? silentLogger
    for (const warning of loaded.warnings) logger.warn({}, warning)
    loadCompressionsWhenNeeded(path => readFileSync(path))
    const broker = createBroker(loaded.config, {
      clock: createNodeClock(),
      random: createNodeRandom(),
      network: createNodeNetwork(),
      disk: nodeDisk(),
      logger,
      loggers: { levels: () => new Map([['root', 'INFO']]), setLevel: () => {} },
      hostname: hostname(),
      ...memoryShares(),
    })
    try {
      await broker.start()
    } catch (error) {
      await broker.stop()
      throw error
    }
    const listeners = broker.listeners.filter(({ kind }) => kind === 'broker')
    let closing: Promise<void> | null = null
    const close = (): Promise<void> => {
      if (closing === null) closing = broker.stop().finally(remove)
      return closing
    }
    return {
      bootstrapServers: listeners.map(({ host, port }) => `${host}:${port}`).join(','),
      port: listeners[0]!.port,
      clusterId: broker.clusterId,
      failed: broker.failed,
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    remove()
    throw error
  }
}
