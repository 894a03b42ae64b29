/**
 * Formatting of log directories as `kafka-storage format` of Kafka 4.4 does it: `meta.properties` in each of them, and
 * on a controller the snapshot 0-0 with the records that the metadata log begins with (KIP-1170).
 */
import type { Disk } from '#storage/disk.js'
import { makeDurableDirectory, parentOf } from '#storage/durable-directory.js'
import { type MetaProperties, readMetaProperties, writeMetaProperties } from '#storage/meta-properties.js'
import { METADATA_TOPIC } from '../raft/metadata-log.js'
import { replicaKey, type VoterSet, voterSet } from '../raft/voters.js'
import { scramRecord } from './add-scram.js'
import { FormatError, unusableDirectory } from './format-error.js'
import {
  METADATA_VERSION,
  METADATA_VERSION_MAX,
  METADATA_VERSION_MIN,
  metadataAllows,
  metadataVersionName,
} from './metadata-version.js'
import type { MetadataRecord } from './record.js'
import { openSnapshot, SnapshotWriter, snapshotFileName } from './snapshot-file.js'
import { defaultLevel, featureSupport, KRAFT_VERSION, supportedFeatures } from './supported-features.js'

/** Who votes in the beginning. */
export type InitialQuorum =
  /** `controller.quorum.voters` says; kraft.version 0. */
  | { readonly kind: 'static' }
  /** `--standalone`: this node alone, to be grown later. `host` and `port` of its controller listener. */
  | { readonly kind: 'standalone'; readonly host: string; readonly port: number }
  /** `--initial-controllers`: its argument, `id@host:port:directory,...`. */
  | { readonly kind: 'initialControllers'; readonly voters: string }
  /** `--no-initial-controllers`: the node joins a quorum that is there. */
  | { readonly kind: 'noInitialControllers' }

export interface FormatOptions {
  readonly clusterId: string
  readonly nodeId: number
  /** Whether `process.roles` has controller. */
  readonly isController: boolean
  /** `log.dirs`, and `metadata.log.dir` if it is another one. */
  readonly directories: readonly string[]
  /** The one of them that holds the metadata log. */
  readonly metadataDirectory: string
  readonly quorum: InitialQuorum
  /** The first of `controller.listener.names`. */
  readonly controllerListenerName: string
  /** `--release-version`: '4.4', '4.4-IV2'; null for the newest. */
  readonly releaseVersion: string | null
  /** `--feature name=level`. */
  readonly features: ReadonlyMap<string, number>
  /** `--add-scram` arguments. */
  readonly addScram: readonly string[]
  /** Directories that are formatted already are left as they are, instead of an error. */
  readonly ignoreFormatted: boolean
}

/** The parts of the ports that formatting needs. */
export interface FormatPorts {
  readonly disk: Disk
  /** ms since 1970. */
  wallTime(): number
  /** A fresh uuid in Kafka's text form. */
  uuid(): string
}

export interface FormatResult {
  /** What to tell the person, line by line. */
  readonly lines: readonly string[]
  /** Directories that were formatted now. */
  readonly formatted: readonly string[]
}

/** Everything that was decided before anything is written. */
interface Plan {
  readonly metadataVersion: number
  readonly kraftVersion: number
  readonly voters: VoterSet | null
  readonly records: readonly MetadataRecord[]
}

/**
 * Formats what is not formatted yet. Throws FormatError: before anything is written, or when the disk does not take it.
 */
export function format(options: FormatOptions, ports: FormatPorts): FormatResult {
  const { disk } = ports
  const plan = planFormat(options, ports)
  const found = new Map<string, MetaProperties | null>()
  for (const directory of options.directories) found.set(directory, verified(disk, directory, options))
  const already = options.directories.find(directory => found.get(directory) !== null)
  if (already !== undefined && !options.ignoreFormatted) {
    throw new FormatError(
      `Log directory ${already} is already formatted. Use --ignore-formatted to ignore this directory and format the others.`,
    )
  }
  const empty = options.directories.filter(directory => found.get(directory) === null)
  if (empty.length === 0) return { lines: ['All of the log directories are already formatted.'], formatted: [] }
  const lines = [describeBootstrap(plan)]
  // The metadata directory last: a node with meta.properties there has all of them.
  empty.sort((a, b) => Number(a === options.metadataDirectory) - Number(b === options.metadataDirectory))
  for (const directory of empty) {
    const voter = directory === options.metadataDirectory ? ownEntry(options, plan.voters) : null
    lines.push(
      `Formatting ${describeDirectory(options, plan, directory)} ${directory} with ${METADATA_VERSION} ${metadataVersionName(plan.metadataVersion)}.`,
    )
    try {
      formatDirectory(directory, voter?.key.directoryId ?? ports.uuid(), plan, options, ports)
    } catch (error) {
      throw unusableDirectory(directory, error)
    }
  }
  return { lines, formatted: empty }
}

function formatDirectory(
  directory: string,
  directoryId: string,
  plan: Plan,
  { clusterId, nodeId, isController, metadataDirectory }: FormatOptions,
  { disk, wallTime }: FormatPorts,
): void {
  makeDurableDirectory(disk, directory)
  if (isController && directory === metadataDirectory) writeBootstrapSnapshot(disk, directory, plan, wallTime)
  writeMetaProperties(disk, directory, { version: 1, clusterId, nodeId, directoryId })
}

function planFormat(options: FormatOptions, ports: FormatPorts): Plan {
  const { quorum, isController, clusterId } = options
  if (!/^[\w.-]+$/.test(clusterId)) {
    const allowed = 'Allowed are letters, digits, dots, dashes and underscores; `ottla random-uuid` prints one.'
    throw new FormatError(`'${clusterId}' cannot be a cluster id. ${allowed}`)
  }
  if (!isController && quorum.kind === 'standalone') {
    throw new FormatError('You can only use --standalone on a controller.')
  }
  const metadataVersion = releaseLevel(options)
  const levels = featureLevels(options, metadataVersion)
  const records: MetadataRecord[] = bootstrapFeatureRecords(levels)
  if (options.addScram.length > 0) {
    if (!metadataAllows(metadataVersion, 'scram')) {
      throw new FormatError(`SCRAM is only supported in ${METADATA_VERSION} 3.5-IV2 or later.`)
    }
    // As many random bits as Kafka's salts have, and text like them.
    const freshSalt = (): Buffer => Buffer.from(ports.uuid(), 'latin1')
    for (const argument of options.addScram) records.push(scramRecord(argument, freshSalt))
  }
  return {
    metadataVersion,
    kraftVersion: levels.get(KRAFT_VERSION) ?? 0,
    voters: initialVoters(options, ports),
    records,
  }
}

/** '4.4' -> 33, '3.9-IV0' -> 21. */
function releaseLevel({ releaseVersion, features }: FormatOptions): number {
  const asFeature = features.get(METADATA_VERSION)
  if (asFeature !== undefined) {
    if (releaseVersion !== null) {
      throw new FormatError('Use --release-version instead of --feature metadata.version=X to avoid ambiguity.')
    }
    if (metadataVersionName(asFeature) === undefined)
      throw new FormatError(
        `No MetadataVersion with feature level ${asFeature}. Valid feature levels are from ${METADATA_VERSION_MIN} to ${METADATA_VERSION_MAX}.`,
      )
    return asFeature
  }
  if (releaseVersion === null) return METADATA_VERSION_MAX
  const match = /^(\d+\.\d+)(?:\.\d+)*(-IV\d+)?$/.exec(releaseVersion)
  const all: string[] = []
  for (let level = METADATA_VERSION_MAX; level >= METADATA_VERSION_MIN; level--) {
    const name = metadataVersionName(level)!
    all.unshift(name)
    // Without -IV it is the last one of that release.
    if (match !== null && (match[2] === undefined ? name.startsWith(`${match[1]}-`) : name === match[1]! + match[2]))
      return level
  }
  throw new FormatError(
    `Unknown metadata.version '${releaseVersion}'. Supported metadata.version are: ${all.join(', ')}`,
  )
}

/** All features by name, metadata.version among them: as asked for, else by default. */
function featureLevels(options: FormatOptions, metadataVersion: number): Map<string, number> {
  const levels = new Map<string, number>([[METADATA_VERSION, metadataVersion]])
  const others = supportedFeatures.filter(feature => feature.name !== METADATA_VERSION)
  for (const name of [...options.features.keys()].sort()) {
    if (name !== METADATA_VERSION && featureSupport(name) === undefined) {
      const known = others.map(feature => feature.name).join(', ')
      throw new FormatError(`Unsupported feature: ${name}. Supported features are: ${known}`)
    }
  }
  for (const feature of others) {
    const asked = options.features.get(feature.name)
    if (feature.name === KRAFT_VERSION) {
      levels.set(feature.name, kraftLevel(options.quorum, asked))
    } else if (asked === undefined) {
      levels.set(feature.name, defaultLevel(feature, metadataVersion))
    } else if (asked < feature.min || asked > feature.toleratedMax) {
      throw new FormatError(`No feature:${feature.name} with feature level ${asked}`)
    } else {
      levels.set(feature.name, asked)
    }
  }
  for (const feature of others) {
    for (const need of feature.needs) {
      const level = levels.get(feature.name)!
      if (level >= need.level && levels.get(need.feature)! < need.minLevel) {
        throw new FormatError(
          `${feature.name} could not be set to ${level} because it depends on ${need.feature} level ${need.minLevel}`,
        )
      }
    }
  }
  return levels
}

function kraftLevel(quorum: InitialQuorum, asked: number | undefined): number {
  const isDynamic = quorum.kind !== 'static'
  const flags = 'one of the flags --standalone, --initial-controllers, or --no-initial-controllers is used'
  if (asked === 0 && isDynamic) {
    throw new FormatError(
      `Cannot set kraft.version to 0 if controller.quorum.voters is empty and ${flags}. For dynamic controllers ` +
        'support, try removing the --feature flag for kraft.version.',
    )
  }
  if (asked !== undefined && asked > 0 && !isDynamic) {
    throw new FormatError(
      `Cannot set kraft.version to ${asked} unless controller.quorum.voters is empty and ${flags}. For dynamic ` +
        'controllers support, try using one of --standalone, --initial-controllers, or --no-initial-controllers and ' +
        'removing controller.quorum.voters.',
    )
  }
  if (asked !== undefined && asked > 1) throw new FormatError(`No feature:kraft.version with feature level ${asked}`)
  return isDynamic ? 1 : 0
}

/** metadata.version first, then by name; what stands at 0 is not written, and kraft.version lives elsewhere. */
export function bootstrapFeatureRecords(levels: ReadonlyMap<string, number>): MetadataRecord[] {
  const names = [...levels.keys()].filter(name => name !== METADATA_VERSION && name !== KRAFT_VERSION).sort()
  return [METADATA_VERSION, ...names]
    .filter(name => (levels.get(name) ?? 0) > 0)
    .map(name => ({ type: 'FeatureLevelRecord', version: 0, value: { name, featureLevel: levels.get(name)! } }))
}

function initialVoters(options: FormatOptions, ports: FormatPorts): VoterSet | null {
  const { quorum, controllerListenerName: name, nodeId } = options
  const range = { minKRaftVersion: 0, maxKRaftVersion: 1 }
  if (quorum.kind === 'standalone') {
    const { host, port } = quorum
    return voterSet([{ key: replicaKey(nodeId, ports.uuid()), endpoints: [{ name, host, port }], ...range }])
  }
  if (quorum.kind !== 'initialControllers') return null
  const voters = quorum.voters
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
    .map(text => {
      const { id, host, port, directoryId } = parseDynamicVoter(text)
      return { key: replicaKey(id, directoryId), endpoints: [{ name, host, port }], ...range }
    })
  if (voters.length === 0) throw new FormatError('No voters given.')
  const twice = voters.find((voter, index) => voters.findIndex(other => other.key.id === voter.key.id) < index)
  if (twice !== undefined) throw new FormatError(`Node id ${twice.key.id} was specified more than once.`)
  return voterSet(voters)
}

/** `id@host:port:directory`, the host in brackets if it has colons. */
export function parseDynamicVoter(text: string): { id: number; host: string; port: number; directoryId: string } {
  const at = text.indexOf('@')
  if (at < 0) throw new FormatError('No @ found in dynamic voter string.')
  if (at === 0) throw new FormatError('Invalid @ at beginning of dynamic voter string.')
  const idText = text.slice(0, at)
  if (!/^[+-]?\d{1,10}$/.test(idText) || Number(idText) > 0x7fffffff) {
    throw new FormatError('Failed to parse node id in dynamic voter string.')
  }
  const id = Number(idText)
  if (id < 0) throw new FormatError(`Invalid negative node id ${id} in dynamic voter string.`)
  const rest = text.slice(at + 1)
  if (rest === '') throw new FormatError('No hostname found after node id.')
  const { host, after } = splitHost(rest)
  if (!after.startsWith(':')) throw new FormatError('Port section must start with a colon.')
  const colon = after.indexOf(':', 1)
  if (colon < 0) throw new FormatError('No colon following port could be found.')
  const portText = after.slice(1, colon)
  if (!/^[+-]?\d{1,10}$/.test(portText)) throw new FormatError('Failed to parse port in dynamic voter string.')
  const port = Number(portText)
  if (port < 0 || port > 65535) throw new FormatError(`Invalid port ${port} in dynamic voter string.`)
  const directoryId = after.slice(colon + 1)
  if (!/^[A-Za-z0-9_-]{22}$/.test(directoryId)) {
    throw new FormatError('Failed to parse directory ID in dynamic voter string.')
  }
  return { id, host, port, directoryId }
}

function splitHost(text: string): { readonly host: string; readonly after: string } {
  if (text.startsWith('[')) {
    const end = text.indexOf(']')
    if (end < 0) throw new FormatError('Hostname began with left bracket, but no right bracket was found.')
    return { host: text.slice(1, end), after: text.slice(end + 1) }
  }
  const end = text.indexOf(':')
  if (end < 0) throw new FormatError('No colon following hostname could be found.')
  return { host: text.slice(0, end), after: text.slice(end) }
}

/** What a directory says of itself, which must be this node of this cluster; null if it is not formatted. */
function verified(disk: Disk, directory: string, options: FormatOptions): MetaProperties | null {
  const properties = disk.exists(directory) ? readMetaProperties(disk, directory) : null
  if (properties === null) return null
  const path = `${directory}/meta.properties`
  if (properties.clusterId !== options.clusterId) {
    throw new FormatError(
      `Invalid cluster.id in: ${path}. Expected ${options.clusterId}, but read ${properties.clusterId}`,
    )
  }
  if (properties.nodeId !== options.nodeId) {
    throw new FormatError(
      `Stored node id ${properties.nodeId} doesn't match previous node id ${options.nodeId} in ${path}. If you moved ` +
        'your data, make sure your configured node id matches. If you intend to create a new node, you should remove all data in your data directories.',
    )
  }
  return properties
}

function ownEntry(options: FormatOptions, voters: VoterSet | null): VoterSet[number] | null {
  return voters?.find(voter => voter.key.id === options.nodeId) ?? null
}

function describeDirectory(options: FormatOptions, plan: Plan, directory: string): string {
  if (directory !== options.metadataDirectory) return 'data directory'
  if (plan.voters === null) return 'metadata directory'
  return ownEntry(options, plan.voters) === null ? 'dynamic metadata directory' : 'dynamic metadata voter directory'
}

function describeBootstrap(plan: Plan): string {
  const features = plan.records.flatMap(record =>
    record.type === 'FeatureLevelRecord' ? [`${record.value.name}=${record.value.featureLevel}`] : [],
  )
  const users = plan.records.filter(record => record.type === 'UserScramCredentialRecord').length
  return `Bootstrap metadata: ${features.join(', ')}${users === 0 ? '' : `, ${users} SCRAM credential(s)`}.`
}

function writeBootstrapSnapshot(disk: Disk, directory: string, plan: Plan, wallTime: () => number): void {
  const path = `${directory}/${METADATA_TOPIC}-0`
  disk.makeDirectory(path)
  disk.syncDirectory(directory)
  const content = {
    id: { endOffset: 0, epoch: 0 },
    lastContainedLogTimestamp: wallTime(),
    kraftVersion: plan.kraftVersion,
    voters: plan.voters,
  }
  const writer = new SnapshotWriter(disk, path, content, wallTime)
  for (const record of plan.records) writer.append(record)
  writer.finishNow()
}

/**
 * What the first active controller appends to an empty log: the records of the formatting, between Begin and End where
 * metadata.version has transactions, so that nobody sees half of them. With eligible leader replicas, the cluster gets
 * the `min.insync.replicas` that they are reckoned with, which is a static option up to then.
 */
export function activationRecords(bootstrap: readonly MetadataRecord[], minInsyncReplicas: number): MetadataRecord[] {
  let metadataVersion = METADATA_VERSION_MIN
  let elrVersion = 0
  for (const record of bootstrap) {
    if (record.type !== 'FeatureLevelRecord') continue
    if (record.value.name === METADATA_VERSION) metadataVersion = record.value.featureLevel
    if (record.value.name === 'eligible.leader.replicas.version') elrVersion = record.value.featureLevel
  }
  const records = [...bootstrap]
  if (elrVersion > 0) {
    const value = { resourceType: 4, resourceName: '', name: 'min.insync.replicas', value: String(minInsyncReplicas) }
    records.push({ type: 'ConfigRecord', version: 0, value })
  }
  if (!metadataAllows(metadataVersion, 'metadataTransactions')) return records
  return [
    { type: 'BeginTransactionRecord', version: 0, value: { name: 'Bootstrap records' } },
    ...records,
    { type: 'EndTransactionRecord', version: 0, value: {} },
  ]
}

/** The records of a directory that was formatted without any: the newest metadata.version and nothing else. */
function defaultBootstrapRecords(): MetadataRecord[] {
  return bootstrapFeatureRecords(new Map([[METADATA_VERSION, METADATA_VERSION_MAX]]))
}

/**
 * The records that formatting left: in the snapshot 0-0 (Kafka 4.4 and here), or in `bootstrap.checkpoint` of the log
 * directory (earlier ones). `partitionDirectory` is that of the metadata log. Throws SnapshotDamagedError.
 */
export function readBootstrapRecords(disk: Disk, partitionDirectory: string): MetadataRecord[] {
  const id = { endOffset: 0, epoch: 0 }
  const legacyDirectory = parentOf(partitionDirectory)
  const places = [
    [partitionDirectory, snapshotFileName(id)],
    [legacyDirectory, 'bootstrap.checkpoint'],
  ] as const
  for (const [directory, name] of places) {
    if (!disk.exists(`${directory}/${name}`)) continue
    const records = [...openSnapshot(disk, directory, id, name).batches()].flat()
    if (records.length > 0) return records
  }
  return defaultBootstrapRecords()
}
