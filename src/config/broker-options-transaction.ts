import { atLeast, boolean, int, short } from './option.js'

/** Broker options of transactions and producer ids. */
export const transactionOptions = {
  'transaction.state.log.min.isr': int(2, 'In-sync replicas that a write to __transaction_state needs.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'transaction.state.log.load.buffer.size': int(5_242_880, 'Bytes read at a time when transaction state is loaded.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'transaction.state.log.replication.factor': short(3, 'Replicas of __transaction_state.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'transaction.state.log.num.partitions': int(
    50,
    'Partitions of __transaction_state; not to be changed once it exists.',
    { rule: atLeast(1), importance: 'HIGH', acts: false },
  ),
  'transaction.state.log.segment.bytes': int(104_857_600, 'Size of one segment of __transaction_state.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'transaction.partition.verification.enable': boolean(
    true,
    'Whether a transactional write is checked against its coordinator first.',
    { importance: 'LOW', mode: 'cluster-wide', acts: false },
  ),
  'producer.id.expiration.ms': int(86_400_000, 'Silence after which a partition forgets a producer id.', {
    rule: atLeast(1),
    importance: 'LOW',
    mode: 'cluster-wide',
    acts: true,
  }),
  'producer.id.expiration.check.interval.ms': int(600_000, 'Pause between two searches for expired producer ids.', {
    rule: atLeast(1),
    importance: 'LOW',
    internal: true,
    acts: true,
  }),
  'transactional.id.expiration.ms': int(604_800_000, 'Silence after which a transactional id is forgotten.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'transaction.max.timeout.ms': int(900_000, 'Longest transaction timeout that a producer may ask for.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: false,
  }),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': int(
    10_000,
    'Pause between two searches for timed-out transactions.',
    { rule: atLeast(1), importance: 'LOW', acts: false },
  ),
  'transaction.remove.expired.transaction.cleanup.interval.ms': int(
    3_600_000,
    'Pause between two searches for expired transactional ids.',
    { rule: atLeast(1), importance: 'LOW', acts: false },
  ),
  'transaction.two.phase.commit.enable': boolean(false, 'Allows transactions that an outside coordinator commits.', {
    importance: 'LOW',
    acts: false,
  }),
}
