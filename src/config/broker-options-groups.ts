import { atLeast, boolean, FILLED_LIST, int, list, listOf, long, oneOfIgnoringCase, short, string } from './option.js'

const INT_MAX = 2_147_483_647

/** Broker options of the group coordinator, of offsets, and of classic and consumer groups. */
export const groupsOptions = {
  'group.coordinator.rebalance.protocols': list(
    'classic,consumer,streams',
    'Kinds of groups that the coordinator serves.',
    {
      rule: listOf(['consumer', 'classic', 'share', 'streams'], false),
      importance: 'MEDIUM',
      acts: 'partly',
      note: 'classic only',
    },
  ),
  'group.coordinator.threads': int(4, 'Threads of the group coordinator.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'group.coordinator.background.threads': int(2, 'Threads for regular expressions and assignors of groups.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'group.coordinator.append.linger.ms': int(-1, 'How long the group coordinator gathers writes; -1 adapts by itself.', {
    rule: atLeast(-1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'offsets.commit.timeout.ms': int(5000, 'Longest wait for a commit to be stored.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'offsets.load.buffer.size': int(5_242_880, 'Bytes read at a time when group state is loaded.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'offsets.topic.replication.factor': short(3, 'Replicas of __consumer_offsets.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'offsets.topic.num.partitions': int(50, 'Partitions of __consumer_offsets; not to be changed once it exists.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'offsets.topic.segment.bytes': int(104_857_600, 'Size of one segment of __consumer_offsets.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'offsets.topic.compression.codec': int(
    0,
    'Codec of __consumer_offsets by number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.',
    { importance: 'HIGH', acts: true },
  ),
  'group.coordinator.cached.buffer.max.bytes': int(
    1_048_588,
    'Largest write buffer that the group coordinator keeps for later.',
    { rule: atLeast(524_288), importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
  'offset.metadata.max.bytes': int(4096, 'Longest text that a client may store beside an offset.', {
    importance: 'HIGH',
    acts: true,
  }),
  'offsets.retention.minutes': int(10_080, 'How long offsets of an empty group are kept.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'offsets.retention.check.interval.ms': long(600_000, 'Pause between two searches for expired offsets.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'group.min.session.timeout.ms': int(6000, 'Shortest session timeout that a member may ask for.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'group.max.session.timeout.ms': int(1_800_000, 'Longest session timeout that a member may ask for.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'group.initial.rebalance.delay.ms': int(
    3000,
    'How long an empty group waits for more members before its first assignment.',
    { importance: 'MEDIUM', acts: true },
  ),
  'group.max.size': int(INT_MAX, 'Members that a classic group may have.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: true,
  }),
  'group.consumer.session.timeout.ms': int(45_000, 'Silence after which a member of a consumer group is removed.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.min.session.timeout.ms': int(45_000, 'Smallest session timeout of consumer groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.max.session.timeout.ms': int(60_000, 'Largest session timeout of consumer groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.heartbeat.interval.ms': int(5000, 'Heartbeat interval given to members of consumer groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.min.heartbeat.interval.ms': int(5000, 'Smallest heartbeat interval of consumer groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.max.heartbeat.interval.ms': int(15_000, 'Largest heartbeat interval of consumer groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.max.size': int(INT_MAX, 'Members that a consumer group may have.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.assignors': list('uniform,range', 'Assignors of consumer groups; the first is the default.', {
    rule: FILLED_LIST,
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.migration.policy': string(
    'bidirectional',
    'Whether a group may change between the classic and the consumer protocol while it runs.',
    {
      rule: oneOfIgnoringCase(['DISABLED', 'DOWNGRADE', 'UPGRADE', 'BIDIRECTIONAL']),
      importance: 'MEDIUM',
      acts: false,
    },
  ),
  'group.consumer.assignment.interval.ms': int(1000, 'Shortest time between two assignments of a consumer group.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'group.consumer.min.assignment.interval.ms': int(0, 'Smallest assignment interval of consumer groups.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.max.assignment.interval.ms': int(15_000, 'Largest assignment interval of consumer groups.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.consumer.assignor.offload.enable': boolean(
    true,
    'Computes assignments of consumer groups in the background.',
    { importance: 'MEDIUM', mode: 'cluster-wide', internal: true, acts: false },
  ),
  'group.consumer.regex.refresh.interval.ms': int(
    600_000,
    'Pause between two evaluations of regular-expression subscriptions.',
    { rule: atLeast(10_000), importance: 'MEDIUM', internal: true, acts: false },
  ),
}
