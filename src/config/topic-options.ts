import { atLeast, between, boolean, double, int, list, listOf, long, oneOf, string } from './option.js'

/** Every option of a topic. */
export const topicOptions = {
  'segment.bytes': int(1_073_741_824, 'Size at which a segment is closed.', {
    rule: atLeast(1_048_576),
    importance: 'MEDIUM',
    synonyms: ['log.segment.bytes'],
    acts: true,
  }),
  'segment.ms': long(604_800_000, 'Age at which a segment is closed.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['log.roll.ms'],
    acts: true,
  }),
  'segment.jitter.ms': long(0, 'Random time taken off the age at which a segment is closed.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['log.roll.jitter.ms'],
    acts: true,
  }),
  'segment.index.bytes': int(10_485_760, 'Largest offset index of a segment.', {
    rule: atLeast(4),
    importance: 'MEDIUM',
    synonyms: ['log.index.size.max.bytes'],
    acts: true,
  }),
  'flush.messages': long(Number.POSITIVE_INFINITY, 'Records after which the log is flushed to disk.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['log.flush.interval.messages'],
    acts: true,
  }),
  'flush.ms': long(Number.POSITIVE_INFINITY, 'Time after which the log is flushed to disk.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['log.flush.interval.ms'],
    acts: true,
  }),
  'retention.bytes': long(-1, 'Size of a partition above which its oldest records are deleted; -1 sets no limit.', {
    importance: 'MEDIUM',
    synonyms: ['log.retention.bytes'],
    acts: true,
  }),
  'retention.ms': long(604_800_000, 'Age at which records are deleted; -1 means never.', {
    rule: atLeast(-1),
    importance: 'MEDIUM',
    synonyms: ['log.retention.ms'],
    acts: true,
  }),
  'max.message.bytes': int(1_048_588, 'Largest record batch accepted, in bytes after compression.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['message.max.bytes'],
    acts: true,
  }),
  'max.decompressed.message.bytes': int(
    2_147_483_639,
    'Largest single record, in bytes, that decompression may yield.',
    {
      rule: between(1, 2_147_483_639),
      importance: 'MEDIUM',
      synonyms: ['max.decompressed.message.bytes'],
      acts: true,
    },
  ),
  'index.interval.bytes': int(4096, 'Bytes of records between two entries of the offset index.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['log.index.interval.bytes'],
    acts: true,
  }),
  'delete.retention.ms': long(86_400_000, 'How long tombstones are kept after compaction.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['log.cleaner.delete.retention.ms'],
    acts: true,
  }),
  'min.compaction.lag.ms': long(0, 'Age below which a record is never compacted away.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['log.cleaner.min.compaction.lag.ms'],
    acts: true,
  }),
  'max.compaction.lag.ms': long(
    Number.POSITIVE_INFINITY,
    'Age at which a record must become eligible for compaction.',
    { rule: atLeast(1), importance: 'MEDIUM', synonyms: ['log.cleaner.max.compaction.lag.ms'], acts: true },
  ),
  'file.delete.delay.ms': long(60_000, 'Wait before deleted files vanish.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['log.segment.delete.delay.ms'],
    acts: true,
  }),
  'min.cleanable.dirty.ratio': double(0.5, 'Share of the log that must be uncompacted before it is compacted.', {
    rule: between(0, 1),
    importance: 'MEDIUM',
    synonyms: ['log.cleaner.min.cleanable.ratio'],
    acts: true,
  }),
  'cleanup.policy': list('delete', 'What happens to old records: delete, compact, both, or nothing when empty.', {
    rule: listOf(['compact', 'delete'], true),
    importance: 'MEDIUM',
    synonyms: ['log.cleanup.policy'],
    acts: true,
  }),
  'unclean.leader.election.enable': boolean(
    false,
    'Lets a replica outside the in-sync set lead when no other is left, at the price of records.',
    { importance: 'MEDIUM', synonyms: ['unclean.leader.election.enable'], acts: true },
  ),
  'min.insync.replicas': int(1, 'In-sync replicas that a write with acks=all needs.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['min.insync.replicas'],
    acts: true,
  }),
  'compression.type': string('producer', 'Codec in which the topic is stored; producer keeps what the client sent.', {
    rule: oneOf(['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer']),
    importance: 'MEDIUM',
    synonyms: ['compression.type'],
    acts: true,
  }),
  'compression.gzip.level': int(-1, "Level used when compression.type is gzip; -1 is the codec's own default.", {
    rule: { rule: 'gzip-level' },
    importance: 'MEDIUM',
    synonyms: ['compression.gzip.level'],
    acts: true,
  }),
  'compression.lz4.level': int(9, 'Level used when compression.type is lz4.', {
    rule: between(1, 17),
    importance: 'MEDIUM',
    synonyms: ['compression.lz4.level'],
    acts: true,
  }),
  'compression.zstd.level': int(3, 'Level used when compression.type is zstd.', {
    rule: between(-131_072, 22),
    importance: 'MEDIUM',
    synonyms: ['compression.zstd.level'],
    acts: true,
  }),
  preallocate: boolean(false, 'Whether a new segment reserves its size at once.', {
    importance: 'MEDIUM',
    synonyms: ['log.preallocate'],
    acts: false,
  }),
  'message.timestamp.type': string(
    'CreateTime',
    "Whether a record keeps its own time (CreateTime) or gets the broker's (LogAppendTime).",
    {
      rule: oneOf(['CreateTime', 'LogAppendTime']),
      importance: 'MEDIUM',
      synonyms: ['log.message.timestamp.type'],
      acts: true,
    },
  ),
  'message.timestamp.before.max.ms': long(
    Number.POSITIVE_INFINITY,
    "How far a record's time may lie behind the broker's.",
    { rule: atLeast(0), importance: 'MEDIUM', synonyms: ['log.message.timestamp.before.max.ms'], acts: true },
  ),
  'message.timestamp.after.max.ms': long(3_600_000, "How far a record's time may lie ahead of the broker's.", {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['log.message.timestamp.after.max.ms'],
    acts: true,
  }),
  'leader.replication.throttled.replicas': list(
    '',
    "Replicas whose reading is held to the leader's rate, as partition:broker, or * for all.",
    { rule: { rule: 'throttled-replicas' }, importance: 'MEDIUM', acts: true },
  ),
  'follower.replication.throttled.replicas': list(
    '',
    "Replicas whose fetching is held to the follower's rate, as partition:broker, or * for all.",
    { rule: { rule: 'throttled-replicas' }, importance: 'MEDIUM', acts: true },
  ),
  'remote.storage.enable': boolean(false, 'Turns tiered storage on for this topic.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'local.retention.ms': long(-2, 'Age at which copied segments leave local disk; -2 follows retention.ms.', {
    rule: atLeast(-2),
    importance: 'MEDIUM',
    synonyms: ['log.local.retention.ms'],
    acts: false,
  }),
  'local.retention.bytes': long(
    -2,
    'Local size of a partition above which copied segments leave local disk; -2 follows retention.bytes.',
    { rule: atLeast(-2), importance: 'MEDIUM', synonyms: ['log.local.retention.bytes'], acts: false },
  ),
  'remote.log.copy.disable': boolean(false, 'Stops copying to remote storage and keeps what is there readable.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'remote.copy.lag.ms': long(0, 'Age a closed segment must reach before it is copied; -1 follows local retention.', {
    rule: atLeast(-1),
    importance: 'MEDIUM',
    synonyms: ['log.remote.copy.lag.ms'],
    acts: false,
  }),
  'remote.copy.lag.bytes': long(
    -1,
    'Newer bytes that must follow a closed segment before it is copied; -1 follows local retention.',
    { rule: atLeast(-1), importance: 'MEDIUM', synonyms: ['log.remote.copy.lag.bytes'], acts: false },
  ),
  'remote.log.delete.on.disable': boolean(false, 'Whether turning tiered storage off deletes the remote records.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'errors.deadletterqueue.group.enable': boolean(false, 'Whether share groups may use this topic for dead letters.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'internal.segment.bytes': int(null, 'Size at which a segment is closed, without the lower bound; for tests.', {
    importance: 'MEDIUM',
    internal: true,
    acts: true,
  }),
}
