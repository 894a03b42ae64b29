import type { BrokerConfig } from '../config/broker-config.js'
import { noChannel } from '../raft/channel.js'
import { RaftDriver } from '../raft/driver.js'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from '../raft/metadata-log.js'
import { metadataLogConfig } from '../raft/raft-log.js'
import type { RaftConfig } from '../raft/raft-types.js'
import { type RaftEndpoint, replicaKey, voterSet } from '../raft/voters.js'
import type { NodeDirectories } from './directories.js'
import type { BrokerPorts } from './ports.js'

/** How long a leader may hold a fetch of the metadata log; Kafka's, and no option. */
const FETCH_WAIT_MS_MAX = 500
/** How long files of the metadata log that are to go stay under another name; Kafka's, and no option. */
const DELETE_DELAY_MS = 60_000

/** Opens the metadata log and makes the node's part in the quorum. Throws LogError or MetadataStartError. */
export function openQuorum(
  config: BrokerConfig,
  ports: BrokerPorts,
  directories: NodeDirectories,
  localEndpoints: readonly RaftEndpoint[],
  onFault: (error: Error) => void,
): RaftDriver {
  const { clock, random, disk, logger } = ports
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
    channel: noChannel,
    // One voter has nobody to save round trips for: what one turn of the event loop appends is written when it is over.
    lingerMs: 0,
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

function raftConfigOf(config: BrokerConfig, directoryId: string, localEndpoints: readonly RaftEndpoint[]): RaftConfig {
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
    localEndpoints,
    staticVoters: voterSet(voters),
    bootstrapServers: node.quorumBootstrapServers,
    electionTimeoutMs: config.get('controller.quorum.election.timeout.ms'),
    electionBackoffMsMax: config.get('controller.quorum.election.backoff.max.ms'),
    fetchTimeoutMs: config.get('controller.quorum.fetch.timeout.ms'),
    requestTimeoutMs: config.get('controller.quorum.request.timeout.ms'),
    retryBackoffMs: config.get('controller.quorum.retry.backoff.ms'),
    fetchWaitMsMax: FETCH_WAIT_MS_MAX,
    fetchBytesMax: config.get('controller.quorum.fetch.max.bytes'),
    fetchSnapshotBytesMax: config.get('controller.quorum.fetch.snapshot.max.bytes'),
    autoJoin: config.get('controller.quorum.auto.join.enable'),
    electWhenLeaderRefuses: true,
    shutdownMsMax: config.get('controller.quorum.request.timeout.ms'),
  }
}
