import { atLeast, between, boolean, double, int, long, string } from './option.js'

/** Broker options of tiered storage. */
export const tieredOptions = {
  'remote.log.storage.system.enable': boolean(false, 'Turns tiered storage on for this broker.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.log.storage.manager.impl.prefix': string(
    'rsm.config.',
    'Prefix of the properties that are handed to the plugin that stores segments remotely.',
    { rule: { rule: 'non-empty' }, importance: 'MEDIUM', acts: false },
  ),
  'remote.log.metadata.manager.impl.prefix': string(
    'rlmm.config.',
    'Prefix of the properties that are handed to the plugin that keeps remote segment metadata.',
    { rule: { rule: 'non-empty' }, importance: 'MEDIUM', acts: false },
  ),
  'remote.log.storage.manager.class.name': string(null, 'Class of the plugin that stores segments remotely.', {
    rule: { rule: 'non-empty' },
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.log.storage.manager.class.path': string(null, 'Where the classes of the remote storage plugin are found.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.log.metadata.manager.class.name': string(
    'org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager',
    'Class of the plugin that keeps remote segment metadata.',
    { rule: { rule: 'non-empty' }, importance: 'MEDIUM', acts: false },
  ),
  'remote.log.metadata.manager.class.path': string(null, 'Where the classes of the remote metadata plugin are found.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.log.metadata.manager.listener.name': string(
    null,
    'Listener through which the remote metadata plugin talks to the brokers.',
    { rule: { rule: 'non-empty' }, importance: 'MEDIUM', acts: false },
  ),
  'remote.log.metadata.custom.metadata.max.bytes': int(
    128,
    'Longest custom metadata, in bytes, that the remote storage plugin may attach to a segment.',
    { rule: atLeast(0), importance: 'LOW', acts: false },
  ),
  'remote.log.index.file.cache.total.size.bytes': long(
    1_073_741_824,
    'Disk space for indexes fetched from remote storage.',
    { rule: atLeast(1), importance: 'LOW', mode: 'cluster-wide', acts: false },
  ),
  'remote.log.index.file.cache.ttl.ms': long(
    900_000,
    'How long an index fetched from remote storage stays cached after its last use.',
    { rule: atLeast(-1), importance: 'LOW', internal: true, acts: false },
  ),
  'remote.log.manager.thread.pool.size': int(
    2,
    'Threads that look after remote segments; superseded by the copier, expiration and follower pools.',
    { rule: atLeast(1), importance: 'MEDIUM', acts: false },
  ),
  'remote.log.manager.copier.thread.pool.size': int(10, 'Threads that copy segments to remote storage.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'remote.log.manager.expiration.thread.pool.size': int(10, 'Threads that delete expired remote segments.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'remote.log.manager.follower.thread.pool.size': int(2, 'Threads that read remote offsets for follower partitions.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'remote.log.manager.task.interval.ms': long(30_000, "Pause between two runs of a partition's remote storage task.", {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
  'remote.log.manager.task.retry.backoff.ms': long(
    500,
    'First pause before a failed remote storage task is tried again.',
    { rule: atLeast(1), importance: 'LOW', internal: true, acts: false },
  ),
  'remote.log.manager.task.retry.backoff.max.ms': long(
    30_000,
    'Longest pause before a failed remote storage task is tried again.',
    { rule: atLeast(1), importance: 'LOW', internal: true, acts: false },
  ),
  'remote.log.manager.task.retry.jitter': double(0.2, 'Random share of the retry pause of remote storage tasks.', {
    rule: between(0, 0.5),
    importance: 'LOW',
    internal: true,
    acts: false,
  }),
  'remote.log.reader.threads': int(10, 'Threads that read remote segments for fetches.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'remote.log.reader.max.pending.tasks': int(100, 'Remote reads that may wait in the queue before more are refused.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'log.local.retention.ms': long(-2, 'Age at which copied segments leave local disk; -2 follows log.retention.ms.', {
    rule: atLeast(-2),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'log.local.retention.bytes': long(
    -2,
    'Local size of a partition above which copied segments leave local disk; -2 follows log.retention.bytes.',
    { rule: atLeast(-2), importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
  'log.remote.copy.lag.ms': long(
    0,
    'Age a closed segment must reach before it is copied; -1 follows local retention.',
    { rule: atLeast(-1), importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
  'log.remote.copy.lag.bytes': long(
    -1,
    'Newer bytes that must follow a closed segment before it is copied; -1 follows local retention.',
    { rule: atLeast(-1), importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
  'remote.log.manager.copy.max.bytes.per.second': long(
    Number.POSITIVE_INFINITY,
    'Upper bound on the rate of copying to remote storage.',
    { rule: atLeast(1), importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
  'remote.log.manager.copy.quota.window.num': int(11, 'Samples kept for the copy rate.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.log.manager.copy.quota.window.size.seconds': int(1, 'Length of one sample of the copy rate.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.log.manager.fetch.max.bytes.per.second': long(
    Number.POSITIVE_INFINITY,
    'Upper bound on the rate of reading from remote storage.',
    { rule: atLeast(1), importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
  'remote.log.manager.fetch.quota.window.num': int(11, 'Samples kept for the remote read rate.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.log.manager.fetch.quota.window.size.seconds': int(1, 'Length of one sample of the remote read rate.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.fetch.max.wait.ms': int(500, 'Longest wait for a remote read inside a fetch.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'remote.list.offsets.request.timeout.ms': long(30_000, 'Longest wait for a remote offset lookup.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
}
