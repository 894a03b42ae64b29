import { atLeast, between, int, short, string } from './option.js'

/** Broker options of share partitions and of the share coordinator. */
export const shareCoordinatorOptions = {
  'group.share.delivery.count.limit': int(5, 'Deliveries of a record in a share group before it is given up.', {
    rule: between(2, 10),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.max.delivery.count.limit': int(10, 'Largest delivery limit of a share group.', {
    rule: between(5, 25),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.min.delivery.count.limit': int(2, 'Smallest delivery limit of a share group.', {
    rule: between(2, 5),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.record.lock.duration.ms': int(30_000, 'How long a record delivered in a share group stays locked.', {
    rule: between(1000, 3_600_000),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.min.record.lock.duration.ms': int(15_000, 'Smallest lock duration of a share group.', {
    rule: between(1000, 30_000),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.max.record.lock.duration.ms': int(60_000, 'Largest lock duration of a share group.', {
    rule: between(30_000, 3_600_000),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.partition.max.record.locks': int(2000, 'Records of one share partition that may be locked at a time.', {
    rule: between(100, 10_000),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.max.partition.max.record.locks': int(4000, 'Largest lock count of a share partition.', {
    rule: between(2000, 10_000),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.min.partition.max.record.locks': int(100, 'Smallest lock count of a share partition.', {
    rule: between(100, 2000),
    importance: 'MEDIUM',
    acts: false,
  }),
  'share.fetch.purgatory.purge.interval.requests': int(
    1000,
    'Completed share fetches after which the waiting room is swept.',
    { importance: 'MEDIUM', acts: false },
  ),
  'group.share.max.share.sessions': int(2000, 'Share sessions that the broker remembers.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.persister.class.name': string(
    'org.apache.kafka.server.share.persister.DefaultStatePersister',
    'Class that stores the state of share groups.',
    { importance: 'MEDIUM', internal: true, acts: false },
  ),
  'group.share.dlq.manager.class.name': string(
    'org.apache.kafka.server.share.dlq.DefaultShareGroupDLQManager',
    'Class that writes dead-letter records of share groups.',
    { importance: 'MEDIUM', internal: true, acts: false },
  ),
  'share.coordinator.state.topic.num.partitions': int(
    50,
    'Partitions of __share_group_state; not to be changed once it exists.',
    { rule: atLeast(1), importance: 'HIGH', acts: false },
  ),
  'share.coordinator.state.topic.replication.factor': short(3, 'Replicas of __share_group_state.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'share.coordinator.state.topic.min.isr': short(2, 'In-sync replicas that a write to __share_group_state needs.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'share.coordinator.state.topic.segment.bytes': int(104_857_600, 'Size of one segment of __share_group_state.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'share.coordinator.threads': int(1, 'Threads of the share coordinator.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'share.coordinator.snapshot.update.records.per.snapshot': int(
    500,
    'Updates between two snapshots of a share partition.',
    { rule: between(0, 500), importance: 'MEDIUM', acts: false },
  ),
  'share.coordinator.load.buffer.size': int(5_242_880, 'Bytes read at a time when share state is loaded.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'share.coordinator.state.topic.compression.codec': int(0, 'Codec of __share_group_state by number.', {
    importance: 'HIGH',
    acts: false,
  }),
  'share.coordinator.append.linger.ms': int(-1, 'How long the share coordinator gathers writes; -1 adapts by itself.', {
    rule: atLeast(-1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'share.coordinator.write.timeout.ms': int(5000, 'Longest wait for a write of share state.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'share.coordinator.state.topic.prune.interval.ms': int(
    300_000,
    'Pause between two prunings of __share_group_state.',
    { rule: atLeast(1), importance: 'LOW', internal: true, acts: false },
  ),
  'share.coordinator.cold.partition.snapshot.interval.ms': int(
    300_000,
    'Pause between two snapshots of idle share partitions.',
    { rule: atLeast(1), importance: 'LOW', internal: true, acts: false },
  ),
  'share.coordinator.cached.buffer.max.bytes': int(
    1_048_588,
    'Largest write buffer that the share coordinator keeps for later.',
    { rule: atLeast(524_288), importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
}
