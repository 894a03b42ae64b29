import { createHash } from 'node:crypto'
import { readMetaProperties } from '#storage/meta-properties.js'
import { nodeDisk } from '#storage/node-disk.js'
import type { BrokerConfig, QuorumVoter } from '../config/broker-config.js'
import { format } from '../metadata/bootstrap.js'
import { FormatError } from '../metadata/format-error.js'
import { expectNeverRan, type FormatChoices, formatOptionsOf } from '../metadata/node-format.js'
import { createNodeClock } from '../runtime/node/clock.js'
import { createNodeRandom } from '../runtime/node/random.js'

/** What formatting did: lines for the log. */
export interface FirstFormat {
  readonly lines: readonly string[]
  /** The id of the cluster that the directories belonged to before; null if they are new. */
  readonly clusterIdThere: string | null
}

/**
 * Formats the log directories of a node that never ran. Directories of which some are formatted are left to the start
 * of the node. Throws FormatError, LogError, and errors of the file system.
 */
export function formatNewNode(config: BrokerConfig, clusterId: string): FirstFormat {
  const { node } = config
  const disk = nodeDisk()
  const paths = [...new Set([...node.logDirs, node.metadataLogDir])]
  for (const path of paths) {
    const properties = disk.exists(path) ? readMetaProperties(disk, path) : null
    if (properties !== null) return { lines: [], clusterIdThere: properties.clusterId }
  }
  expectNeverRan(disk, paths)
  if (node.roles.controller && node.quorumVoters.length === 0) {
    throw new FormatError(
      'controller.quorum.voters is not set, and this controller has no formatted directory: set it (in a container: ' +
        'KAFKA_CONTROLLER_QUORUM_VOTERS), or run `ottla format` first with one of --standalone, --initial-controllers and ' +
        '--no-initial-controllers',
    )
  }
  const choices: FormatChoices = { clusterId, quorum: { kind: 'static' }, ignoreFormatted: false }
  const ports = { disk, wallTime: createNodeClock().wallTime, uuid: createNodeRandom().uuid }
  return { lines: format(formatOptionsOf(config, choices), ports).lines, clusterIdThere: null }
}

/**
 * The id of a cluster that nobody named, worked out from its voters: nodes that are started by themselves with the same
 * `controller.quorum.voters` must come to the same. In the form of a random uuid.
 */
export function clusterIdOfVoters(voters: readonly QuorumVoter[]): string {
  const names = voters.map(({ nodeId, host, port }) => `${nodeId}@${host}:${port}`).sort()
  const bytes = createHash('sha256').update(names.join(',')).digest().subarray(0, 16)
  // Version 4, variant 1, and no '-' in front, which commands would take for an option.
  bytes[0] = bytes[0]! & 0x7f
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('base64url')
}
