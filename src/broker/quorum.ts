import type { BrokerConfig } from '../config/broker-config.js'
import { RaftDriver } from '../raft/driver.js'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from '../raft/metadata-log.js'
import { PeerChannel } from '../raft/peer-channel.js'
import { metadataLogConfig } from '../raft/raft-log.js'
import type { RaftConfig } from '../raft/raft-types.js'
import { type RaftEndpoint, replicaKey, voterSet } from '../raft/voters.js'
import type { NodeDirectories } from './directories.js'
import type { BrokerPorts } from './ports.js'

const LINGER = 'controller.quorum.append.linger.ms'
/** How long a leader may hold a fetch of the metadata log; Kafka's, and no option. */
const FETCH_WAIT_MS_MAX = 500
/** How long files of the metadata log that are to go stay under another name; Kafka's, and no option. */
const DELETE_DELAY_MS = 60_000

/**
 * Opens the metadata log and makes the node's part in the quorum. `localEndpoints`: where its controller listeners are
 * reached; asked for when they are open. Throws LogError or MetadataStartError.
 */
export function openQuorum(
  config: BrokerConfig,
  ports: BrokerPorts,
  directories: NodeDirectories,
  localEndpoints: () => readonly RaftEndpoint[],
  onFault: (error: Error) => void,
): RaftDriver {
  const { clock, random, disk, network, logger } = ports
  const requestTimeoutMs = config.get('controller.quorum.request.timeout.ms')
  const { log, recovery } = directories.metadata.openMetadataLog({
    topic: METADATA_TOPIC,
    partition: 0,
    topicId: METADATA_TOPIC_ID,
    config: metadataLogConfig(config.get('metadata.log.segment.bytes'), config.get('metadata.log.segment.ms')),
    nowMs: clock.wallTime(),
  })
  if (recovery !== null && recovery.truncated !== null) logger.warn({ ...recovery }, 'the metadata log was cut back')
  return new RaftDriver({
    config: raftConfigOf(config, directories.metadata.metaProperties?.directoryId ?? '', localEndpoints),
    clusterId: directories.clusterId,
    log,
    disk,
    clock,
    random,
    logger: logger.child({ room: 'raft' }),
    channel: new PeerChannel({
      network,
      clock,
      clientId: `raft-client-${config.node.nodeId}`,
      connectTimeoutMs: requestTimeoutMs,
      requestTimeoutMs,
    }),
    // Unless somebody asks for more: what one turn of the event loop appends is written when it is over, and what comes
    // while that is under way shares the next write and the next sync.
    lingerMs: config.staticConfig.has(LINGER) ? config.get(LINGER) : 0,
    snapshotLimits: {
      recordBytesBetween: config.get('metadata.log.max.record.bytes.between.snapshots'),
      intervalMs: config.get('metadata.log.max.snapshot.interval.ms'),
      retentionBytes: config.get('metadata.max.retention.bytes'),
      retentionMs: config.get('metadata.max.retention.ms'),
      deleteDelayMs: DELETE_DELAY_MS,
    },
    onFault,
  })
}

function raftConfigOf(
  config: BrokerConfig,
  directoryId: string,
  localEndpoints: () => readonly RaftEndpoint[],
): RaftConfig {
  const { node } = config
  const listenerName = node.controllerListenerNames[0] ?? 'CONTROLLER'
  const voters = node.quorumVoters.map(({ nodeId, host, port }) => ({
    key: replicaKey(nodeId),
    endpoints: [{ name: listenerName, host, port }],
    minKRaftVersion: 0,
    maxKRaftVersion: 0,
  }))
  return {
    nodeId: node.nodeId,
    directoryId,
    isController: node.roles.controller,
    listenerName,
    get localEndpoints() {
      return localEndpoints().map(({ name, host, port }) => ({ name, host, port }))
    },
    staticVoters: voterSet(voters),
    bootstrapServers: node.quorumBootstrapServers,
    electionTimeoutMs: config.get('controller.quorum.election.timeout.ms'),
    electionBackoffMsMax: config.get('controller.quorum.election.backoff.max.ms'),
    fetchTimeoutMs: config.get('controller.quorum.fetch.timeout.ms'),
    requestTimeoutMs: config.get('controller.quorum.request.timeout.ms'),
    retryBackoffMs: config.get('controller.quorum.retry.backoff.ms'),
    // A follower that waits at its leader must not take it for dead.
    fetchWaitMsMax: Math.min(FETCH_WAIT_MS_MAX, config.get('controller.quorum.fetch.timeout.ms') / 2),
    fetchBytesMax: config.get('controller.quorum.fetch.max.bytes'),
    fetchSnapshotBytesMax: config.get('controller.quorum.fetch.snapshot.max.bytes'),
    autoJoin: config.get('controller.quorum.auto.join.enable'),
    electWhenLeaderRefuses: config.get('dead.process.detection.enable'),
    hurriesElections: true,
    shutdownMsMax: config.get('controller.quorum.request.timeout.ms'),
  }
}
