import { atLeast, boolean, int, long, oneOf, string } from './option.js'

/** Broker options of replication. */
export const replicationOptions = {
  'controller.socket.timeout.ms': int(30_000, 'Time limit of requests from the broker to the controller.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'default.replication.factor': int(1, 'Replicas of a topic that was created without saying how many.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'replica.lag.time.max.ms': long(30_000, 'How long a follower may lag before it leaves the in-sync replicas.', {
    importance: 'HIGH',
    acts: true,
  }),
  'replica.socket.timeout.ms': int(30_000, "Time limit of a follower's fetch.", { importance: 'HIGH', acts: true }),
  'replica.socket.receive.buffer.bytes': int(65_536, "Receive buffer of a follower's socket.", {
    importance: 'HIGH',
    acts: false,
  }),
  'replica.fetch.max.bytes': int(1_048_576, 'Bytes that a follower fetches of one partition at a time.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: true,
  }),
  'replica.fetch.wait.max.ms': int(500, "How long a leader may hold a follower's fetch.", {
    importance: 'HIGH',
    acts: true,
  }),
  'replica.fetch.backoff.ms': int(1000, 'Pause of a follower after a failed fetch.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: true,
  }),
  'replica.fetch.min.bytes': int(1, "Bytes for which a leader holds a follower's fetch.", {
    importance: 'HIGH',
    acts: true,
  }),
  'replica.fetch.response.max.bytes': int(10_485_760, 'Bytes that a follower fetches at a time.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: true,
  }),
  'num.replica.fetchers': int(1, 'Connections with which a follower fetches from one leader.', {
    rule: atLeast(1),
    importance: 'HIGH',
    mode: 'cluster-wide',
    acts: true,
  }),
  'replica.high.watermark.checkpoint.interval.ms': long(
    5000,
    'Pause between two writes of the high watermark checkpoint.',
    { importance: 'HIGH', acts: true },
  ),
  'fetch.purgatory.purge.interval.requests': int(1000, 'Completed fetches after which the waiting room is swept.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'producer.purgatory.purge.interval.requests': int(
    1000,
    'Completed produce requests after which the waiting room is swept.',
    { importance: 'MEDIUM', acts: false },
  ),
  'delete.records.purgatory.purge.interval.requests': int(
    1,
    'Completed DeleteRecords requests after which the waiting room is swept.',
    { importance: 'MEDIUM', acts: false },
  ),
  'auto.leader.rebalance.enable': boolean(true, 'Gives leadership back to preferred replicas from time to time.', {
    importance: 'HIGH',
    acts: true,
  }),
  'leader.imbalance.check.interval.seconds': long(300, 'Pause between two checks for misplaced leaders.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'unclean.leader.election.interval.ms': long(300_000, 'Pause between two tries to elect leaders uncleanly.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    internal: true,
    acts: true,
  }),
  'unclean.leader.election.enable': boolean(
    false,
    'Lets a replica outside the in-sync set lead when no other is left, at the price of records.',
    { importance: 'HIGH', mode: 'cluster-wide', acts: true },
  ),
  'security.inter.broker.protocol': string(
    'PLAINTEXT',
    'Security protocol between brokers; excludes inter.broker.listener.name.',
    {
      rule: oneOf(['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']),
      importance: 'MEDIUM',
      acts: 'partly',
      note: 'PLAINTEXT only',
    },
  ),
  'inter.broker.listener.name': string(null, 'Listener that brokers use among themselves.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'replica.selector.class': string(null, 'Class that picks the replica from which a consumer reads.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'follower.fetch.last.tiered.offset.enable': boolean(
    false,
    'Lets a new follower start at the last offset of remote storage.',
    { importance: 'MEDIUM', mode: 'cluster-wide', acts: false },
  ),
}
