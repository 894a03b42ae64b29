import { ANY_LIST, atLeast, boolean, int, list, long, oneOf, string } from './option.js'

/** Every option of a group. */
export const groupOptions = {
  'consumer.session.timeout.ms': int(45_000, 'Silence after which a member of this consumer group is removed.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['group.consumer.session.timeout.ms'],
    acts: false,
  }),
  'consumer.heartbeat.interval.ms': int(5000, 'Heartbeat interval given to the members of this consumer group.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['group.consumer.heartbeat.interval.ms'],
    acts: false,
  }),
  'consumer.assignment.interval.ms': int(1000, 'Shortest time between two assignments of this consumer group.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['group.consumer.assignment.interval.ms'],
    acts: false,
  }),
  'consumer.assignor.offload.enable': boolean(
    true,
    'Computes the assignments of this consumer group in the background.',
    { importance: 'MEDIUM', internal: true, synonyms: ['group.consumer.assignor.offload.enable'], acts: false },
  ),
  'share.session.timeout.ms': int(45_000, 'Silence after which a member of this share group is removed.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['group.share.session.timeout.ms'],
    acts: false,
  }),
  'share.heartbeat.interval.ms': int(5000, 'Heartbeat interval given to the members of this share group.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['group.share.heartbeat.interval.ms'],
    acts: false,
  }),
  'share.record.lock.duration.ms': int(30_000, 'How long a delivered record stays locked.', {
    rule: atLeast(1000),
    importance: 'MEDIUM',
    synonyms: ['group.share.record.lock.duration.ms'],
    acts: false,
  }),
  'share.delivery.count.limit': int(5, 'Deliveries of a record before it is given up.', {
    rule: atLeast(2),
    importance: 'MEDIUM',
    synonyms: ['group.share.delivery.count.limit'],
    acts: false,
  }),
  'share.partition.max.record.locks': int(2000, 'Records of one share partition that may be locked at a time.', {
    rule: atLeast(100),
    importance: 'MEDIUM',
    synonyms: ['group.share.partition.max.record.locks'],
    acts: false,
  }),
  'share.auto.offset.reset': string(
    'latest',
    'Where a share group without a start offset begins: earliest, latest, or by_duration: and an ISO 8601 duration.',
    { rule: { rule: 'share-offset-reset' }, importance: 'MEDIUM', acts: false },
  ),
  'share.isolation.level': string('read_uncommitted', 'Whether records of open transactions are delivered.', {
    rule: oneOf(['read_committed', 'read_uncommitted']),
    importance: 'MEDIUM',
    acts: false,
  }),
  'share.renew.acknowledge.enable': boolean(true, 'Whether a member may prolong the lock of a record.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'share.assignment.interval.ms': int(1000, 'Shortest time between two assignments of this share group.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['group.share.assignment.interval.ms'],
    acts: false,
  }),
  'share.assignor.offload.enable': boolean(true, 'Computes the assignments of this share group in the background.', {
    importance: 'MEDIUM',
    internal: true,
    synonyms: ['group.share.assignor.offload.enable'],
    acts: false,
  }),
  'streams.session.timeout.ms': int(45_000, 'Silence after which a member of this streams group is removed.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['group.streams.session.timeout.ms'],
    acts: false,
  }),
  'streams.heartbeat.interval.ms': int(5000, 'Heartbeat interval given to the members of this streams group.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    synonyms: ['group.streams.heartbeat.interval.ms'],
    acts: false,
  }),
  'streams.num.standby.replicas': int(0, 'Standby copies of each stateful task.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['group.streams.num.standby.replicas'],
    acts: false,
  }),
  'streams.initial.rebalance.delay.ms': int(
    3000,
    'How long this group waits for more members before its first assignment.',
    { rule: atLeast(0), importance: 'MEDIUM', synonyms: ['group.streams.initial.rebalance.delay.ms'], acts: false },
  ),
  'streams.assignment.interval.ms': int(1000, 'Shortest time between two assignments of this streams group.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    synonyms: ['group.streams.assignment.interval.ms'],
    acts: false,
  }),
  'streams.assignor.offload.enable': boolean(
    true,
    'Computes the assignments of this streams group in the background.',
    { importance: 'MEDIUM', internal: true, synonyms: ['group.streams.assignor.offload.enable'], acts: false },
  ),
  'streams.task.offset.interval.ms': int(60_000, 'How often members report the offsets of their tasks.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    internal: true,
    synonyms: ['group.streams.task.offset.interval.ms'],
    acts: false,
  }),
  'streams.num.warmup.replicas': int(2, 'Warm-up copies beyond the assigned ones.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    internal: true,
    synonyms: ['group.streams.num.warmup.replicas'],
    acts: false,
  }),
  'streams.rack.aware.assignment.tags': list('', 'Client tags over which standby copies are spread.', {
    rule: ANY_LIST,
    importance: 'LOW',
    synonyms: ['group.streams.rack.aware.assignment.tags'],
    acts: false,
  }),
  'streams.acceptable.recovery.lag': long(10_000, 'Lag up to which a member counts as caught up with a task.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    internal: true,
    synonyms: ['group.streams.acceptable.recovery.lag'],
    acts: false,
  }),
  'streams.assignor.name': string(null, 'Task assignor of this group.', {
    importance: 'MEDIUM',
    synonyms: ['group.streams.assignors'],
    acts: false,
  }),
  'errors.deadletterqueue.topic.name': string('', 'Topic to which records of this share group go that were given up.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'errors.deadletterqueue.copy.record.enable': boolean(false, 'Whether dead letters carry the whole record.', {
    importance: 'MEDIUM',
    acts: false,
  }),
}
