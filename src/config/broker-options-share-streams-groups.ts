import { ANY_LIST, atLeast, between, boolean, className, FILLED_LIST, int, list, long, string } from './option.js'

const INT_MAX = 2_147_483_647

/** Broker options of share groups and streams groups. */
export const shareStreamsGroupsOptions = {
  'group.share.session.timeout.ms': int(45_000, 'Silence after which a member of a share group is removed.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.min.session.timeout.ms': int(45_000, 'Smallest session timeout of share groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.max.session.timeout.ms': int(60_000, 'Largest session timeout of share groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.heartbeat.interval.ms': int(5000, 'Heartbeat interval given to members of share groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.min.heartbeat.interval.ms': int(5000, 'Smallest heartbeat interval of share groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.max.heartbeat.interval.ms': int(15_000, 'Largest heartbeat interval of share groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.max.size': int(200, 'Members that a share group may have.', {
    rule: between(1, 1000),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.assignors': list('simple', 'Assignors of share groups.', {
    rule: FILLED_LIST,
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.assignment.interval.ms': int(1000, 'Shortest time between two assignments of a share group.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'group.share.min.assignment.interval.ms': int(0, 'Smallest assignment interval of share groups.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.max.assignment.interval.ms': int(15_000, 'Largest assignment interval of share groups.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.share.assignor.offload.enable': boolean(true, 'Computes assignments of share groups in the background.', {
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    internal: true,
    acts: false,
  }),
  'group.share.initialize.retry.interval.ms': int(
    30_000,
    'Pause before the state of a share partition is initialized again.',
    { rule: atLeast(1), importance: 'LOW', internal: true, acts: false },
  ),
  'errors.deadletterqueue.auto.create.topics.enable': boolean(
    false,
    'Whether dead-letter topics of share groups are created by themselves.',
    { importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
  'errors.deadletterqueue.topic.name.prefix': string('dlq.', 'How the names of dead-letter topics begin.', {
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'group.streams.session.timeout.ms': int(45_000, 'Silence after which a member of a streams group is removed.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.min.session.timeout.ms': int(45_000, 'Smallest session timeout of streams groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.max.session.timeout.ms': int(60_000, 'Largest session timeout of streams groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.heartbeat.interval.ms': int(5000, 'Heartbeat interval given to members of streams groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.min.heartbeat.interval.ms': int(5000, 'Smallest heartbeat interval of streams groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.max.heartbeat.interval.ms': int(15_000, 'Largest heartbeat interval of streams groups.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.max.size': int(INT_MAX, 'Members that a streams group may have.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.num.standby.replicas': int(0, 'Standby copies of each stateful task.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.max.standby.replicas': int(2, 'Largest number of standby copies.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.initial.rebalance.delay.ms': int(
    3000,
    'How long an empty streams group waits for more members before its first assignment.',
    { rule: atLeast(0), importance: 'MEDIUM', acts: false },
  ),
  'group.streams.assignment.interval.ms': int(1000, 'Shortest time between two assignments of a streams group.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'group.streams.min.assignment.interval.ms': int(0, 'Smallest assignment interval of streams groups.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.max.assignment.interval.ms': int(15_000, 'Largest assignment interval of streams groups.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.assignors': list('sticky', 'Task assignors of streams groups; the first is the default.', {
    rule: FILLED_LIST,
    importance: 'MEDIUM',
    acts: false,
  }),
  'group.streams.assignor.offload.enable': boolean(true, 'Computes assignments of streams groups in the background.', {
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    internal: true,
    acts: false,
  }),
  'group.streams.task.offset.interval.ms': int(
    60_000,
    'How often members of streams groups report the offsets of their tasks.',
    { rule: atLeast(1), importance: 'MEDIUM', internal: true, acts: false },
  ),
  'group.streams.min.task.offset.interval.ms': int(15_000, 'Smallest interval of task offset reports.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    internal: true,
    acts: false,
  }),
  'group.streams.num.warmup.replicas': int(2, 'Warm-up copies beyond the assigned ones.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    internal: true,
    acts: false,
  }),
  'group.streams.max.warmup.replicas': int(20, 'Largest number of warm-up copies.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    internal: true,
    acts: false,
  }),
  'group.streams.rack.aware.assignment.tags': list('', 'Client tags over which standby copies are spread.', {
    rule: ANY_LIST,
    importance: 'LOW',
    acts: false,
  }),
  'group.streams.topology.description.plugin.class': className(
    null,
    'Class of the plugin that receives topology descriptions of streams groups.',
    { importance: 'MEDIUM', acts: false },
  ),
  'group.streams.acceptable.recovery.lag': long(10_000, 'Lag up to which a member counts as caught up with a task.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    internal: true,
    acts: false,
  }),
}
