import { type LogDirectory, openLogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import { expectOwner, readMetaProperties } from '#storage/meta-properties.js'
import type { BrokerConfig } from '../config/broker-config.js'
import { format } from '../metadata/bootstrap.js'
import { isReservedDirectoryId } from '../metadata/directory-id.js'
import { expectNeverRan, type FormatChoices, formatOptionsOf } from '../metadata/node-format.js'
import type { BrokerPorts } from './ports.js'

/** The log directories of a node, locked and known to be its own. */
export interface NodeDirectories {
  readonly clusterId: string
  /** Those of `log.dirs`. */
  readonly data: readonly LogDirectory[]
  /** The one that holds the metadata log; may be one of `data`. */
  readonly metadata: LogDirectory
  readonly all: readonly LogDirectory[]
}

/**
 * Formats the directories of a node that never ran, then opens them all. Throws LogError or FormatError, with the file
 * and the remedy in the message, and leaves nothing locked then.
 */
export function openDirectories(
  config: BrokerConfig,
  ports: BrokerPorts,
  onFailure: (directory: LogDirectory, error: Error) => void,
): NodeDirectories {
  const { node } = config
  const paths = [...new Set([...node.logDirs, node.metadataLogDir])]
  const clusterId = formatIfNew(config, ports, paths)
  const opened: LogDirectory[] = []
  try {
    const onRestored = (file: string, reason: string): void =>
      ports.logger.warn({ file, reason }, 'a file could not be understood: what it said is told anew from the records')
    for (const path of paths) opened.push(openLogDirectory({ disk: ports.disk, path, onFailure, onRestored }))
    for (const directory of opened) {
      const { metaProperties } = directory
      if (metaProperties === null) throw unformatted(directory.path)
      expectOwner(directory.path, metaProperties, { clusterId, nodeId: node.nodeId })
      if (metaProperties.directoryId === null) {
        // As Kafka did before 3.7; without one nobody can be told what lies there.
        directory.writeMetaProperties({ ...metaProperties, directoryId: ports.random.uuid() })
        ports.logger.info({}, `${directory.path}/meta.properties had no directory.id and has got one`)
      }
    }
    expectUsableIds(opened)
  } catch (error) {
    for (const directory of opened) directory.abandon()
    throw error
  }
  const of = (path: string) => opened.find(directory => directory.path === path)!
  return { clusterId, data: node.logDirs.map(of), metadata: of(node.metadataLogDir), all: opened }
}

/**
 * Gives every new directory its meta.properties, and a new node that is alone its bootstrap snapshot; returns the
 * cluster's id.
 */
function formatIfNew(
  config: BrokerConfig,
  { disk, clock, random, logger }: BrokerPorts,
  paths: readonly string[],
): string {
  const { node } = config
  const known = paths.map(path => ({ path, properties: disk.exists(path) ? readMetaProperties(disk, path) : null }))
  const first = known.find(({ properties }) => properties !== null)
  if (known.every(({ properties }) => properties !== null))
    return clusterIdOf(first!.path, first!.properties!.clusterId)
  const isMetadataMissing = known.some(({ path, properties }) => path === node.metadataLogDir && properties === null)
  // A node that has run, but whose metadata is gone, must not begin anew by itself: its partitions would be set aside.
  if (first !== undefined && isMetadataMissing) throw unformatted(node.metadataLogDir)
  expectNeverRan(
    disk,
    known.filter(({ properties }) => properties === null).map(({ path }) => path),
  )
  if (first === undefined && !isAlone(config)) throw neverFormatted(node.metadataLogDir)
  const clusterId = first === undefined ? random.uuid() : clusterIdOf(first.path, first.properties!.clusterId)
  const choices: FormatChoices = { clusterId, quorum: { kind: 'static' }, ignoreFormatted: true }
  const formatPorts = { disk, wallTime: () => clock.wallTime(), uuid: () => random.uuid() }
  for (const line of format(formatOptionsOf(config, choices), formatPorts).lines) logger.info({}, line)
  return clusterId
}

/** Nodes that are to be one cluster must be given one id; only a node that is all of its cluster may choose it. */
function isAlone({ node }: BrokerConfig): boolean {
  const [voter] = node.quorumVoters
  return node.roles.broker && node.roles.controller && node.quorumVoters.length === 1 && voter!.nodeId === node.nodeId
}

function neverFormatted(path: string): LogError {
  const text =
    `${path} is not formatted. Run \`ottla format --cluster-id ID\` with the same id for all nodes of the cluster; ` +
    'on a controller without controller.quorum.voters also --standalone, --initial-controllers or ' +
    '--no-initial-controllers.'
  return new LogError('KAFKA_STORAGE_ERROR', text)
}

function clusterIdOf(path: string, clusterId: string | null): string {
  if (clusterId !== null) return clusterId
  const text = `${path}/meta.properties does not name a cluster.id. Restore the file, or format the directory anew.`
  throw new LogError('KAFKA_STORAGE_ERROR', text)
}

function unformatted(path: string): LogError {
  const text = `${path} has no meta.properties, though other log directories of this node have. If the disk was replaced`
  const remedy = 'format it with `ottla format --ignore-formatted --cluster-id ID`; else restore the file.'
  return new LogError('KAFKA_STORAGE_ERROR', `${text}, ${remedy}`)
}

function expectUsableIds(directories: readonly LogDirectory[]): void {
  const pathOf = new Map<string, string>()
  for (const { path, metaProperties } of directories) {
    const id = metaProperties?.directoryId ?? null
    if (id !== null && isReservedDirectoryId(id)) {
      const text = `${path}/meta.properties: directory.id ${id} is one that no directory may have. Restore the file.`
      throw new LogError('KAFKA_STORAGE_ERROR', text)
    }
    const other = id === null ? undefined : pathOf.get(id)
    if (other !== undefined) {
      const text = `${path} and ${other} have the same directory.id: one is a copy of the other. Take one out of log.dirs.`
      throw new LogError('KAFKA_STORAGE_ERROR', text)
    }
    if (id !== null) pathOf.set(id, path)
  }
}
