import { hostname } from 'node:os'
import { readMetaProperties } from '#storage/meta-properties.js'
import { nodeDisk } from '#storage/node-disk.js'
import type { BrokerConfig } from '../config/broker-config.js'
import { format as formatDirectories, type InitialQuorum } from '../metadata/bootstrap.js'
import { FormatError } from '../metadata/format-error.js'
import { formatOptionsOf } from '../metadata/node-format.js'
import { createNodeClock } from '../runtime/node/clock.js'
import { createNodeRandom } from '../runtime/node/random.js'
import { loadConfig } from './load-config.js'
import { say } from './say.js'

export interface FormatOptions {
  readonly override: Readonly<Record<string, string>>
  readonly clusterId?: string
  readonly ignoreFormatted?: boolean
  readonly releaseVersion?: string
  readonly feature: Readonly<Record<string, string>>
  readonly standalone?: boolean
  /** The argument of --initial-controllers; false after --no-initial-controllers. */
  readonly initialControllers?: string | false
  readonly addScram?: readonly string[]
}

const FAILED = 1

/** Formats the log directories of a node; returns the exit status. */
export async function format(file: string | undefined, options: FormatOptions): Promise<number> {
  const loaded = loadConfig(file, options)
  const complain = (lines: readonly string[]): number => {
    for (const line of lines) process.stderr.write(`ottla: ${line}\n`)
    return FAILED
  }
  if (!loaded.ok) return complain(loaded.lines)
  const random = createNodeRandom()
  const features = new Map<string, number>()
  for (const [name, level] of Object.entries(options.feature)) {
    if (!/^\d+$/.test(level)) return complain([`--feature ${name}=${level}: allowed is a level, 0 or more`])
    features.set(name, Number(level))
  }
  try {
    const choices = {
      clusterId: options.clusterId ?? clusterIdThere(loaded.config) ?? random.uuid(),
      quorum: quorumOf(loaded.config, options),
      releaseVersion: options.releaseVersion ?? null,
      features,
      addScram: options.addScram ?? [],
      ignoreFormatted: options.ignoreFormatted ?? false,
    }
    const ports = { disk: nodeDisk(), wallTime: createNodeClock().wallTime, uuid: random.uuid }
    const { lines } = formatDirectories(formatOptionsOf(loaded.config, choices), ports)
    for (const line of lines) say(line)
    return 0
  } catch (error) {
    if (error instanceof FormatError || (error as NodeJS.ErrnoException).code !== undefined) {
      return complain([(error as Error).message])
    }
    throw error
  }
}

/** The cluster that directories belong to of which some are formatted: who names none wants no other. */
function clusterIdThere({ node }: BrokerConfig): string | null {
  const disk = nodeDisk()
  for (const path of [...node.logDirs, node.metadataLogDir]) {
    const id = disk.exists(path) ? readMetaProperties(disk, path)?.clusterId : null
    if (typeof id === 'string') return id
  }
  return null
}

function quorumOf({ node }: BrokerConfig, options: FormatOptions): InitialQuorum {
  const { standalone = false, initialControllers } = options
  const hasVoters = node.quorumVoters.length > 0
  if (standalone && initialControllers !== undefined) {
    throw new FormatError('allowed is one of --standalone, --initial-controllers and --no-initial-controllers')
  }
  if (hasVoters && (standalone || typeof initialControllers === 'string')) {
    throw new FormatError(
      'You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. ' +
        'If you want to use dynamic quorum, please remove controller.quorum.voters and specify ' +
        'controller.quorum.bootstrap.servers instead.',
    )
  }
  if (!hasVoters && node.roles.controller && !standalone && initialControllers === undefined) {
    throw new FormatError(
      'Because controller.quorum.voters is not set on this controller, you must specify one of the following: ' +
        '--standalone, --initial-controllers, or --no-initial-controllers.',
    )
  }
  if (initialControllers === false) return { kind: hasVoters ? 'static' : 'noInitialControllers' }
  if (initialControllers !== undefined) return { kind: 'initialControllers', voters: initialControllers }
  if (!standalone) return { kind: 'static' }
  const own = node.advertisedControllerListeners[0] ?? node.controllerListeners[0]
  if (own === undefined) throw new FormatError('You can only use --standalone on a controller.')
  return { kind: 'standalone', host: own.host ?? hostname(), port: own.port }
}
