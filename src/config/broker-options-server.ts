import { ANY_LIST, atLeast, between, boolean, int, list, long, oneOf, string } from './option.js'

/** Broker options of the server as a whole. */
export const serverOptions = {
  'broker.id': int(-1, 'Older name of node.id; when both are set they must be equal.', {
    importance: 'HIGH',
    acts: true,
  }),
  'message.max.bytes': int(1_048_588, 'Largest record batch accepted, in bytes after compression.', {
    rule: atLeast(0),
    importance: 'HIGH',
    mode: 'cluster-wide',
    acts: true,
  }),
  'max.decompressed.message.bytes': int(
    2_147_483_639,
    'Largest single record, in bytes, that decompression may yield.',
    { rule: between(1, 2_147_483_639), importance: 'MEDIUM', mode: 'cluster-wide', acts: true },
  ),
  'num.io.threads': int(8, 'Threads that process requests.', {
    rule: atLeast(1),
    importance: 'HIGH',
    mode: 'cluster-wide',
    acts: false,
  }),
  'num.replica.alter.log.dirs.threads': int(null, 'Threads that move replicas between log directories.', {
    importance: 'HIGH',
    acts: false,
  }),
  'background.threads': int(10, 'Threads for periodic work.', {
    rule: atLeast(1),
    importance: 'HIGH',
    mode: 'cluster-wide',
    acts: false,
  }),
  'request.timeout.ms': int(30_000, 'Longest wait for the answer of another node.', {
    importance: 'HIGH',
    acts: true,
  }),
  'socket.connection.setup.timeout.ms': long(10_000, 'First time limit for opening a connection to another node.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'socket.connection.setup.timeout.max.ms': long(
    30_000,
    'Largest time limit for opening a connection after repeated failures.',
    { importance: 'MEDIUM', acts: false },
  ),
  'config.providers': list('', 'Names of plugins that fill in variables inside option values.', {
    rule: ANY_LIST,
    importance: 'LOW',
    mode: 'cluster-wide',
    acts: false,
  }),
  'authorizer.class.name': string('', 'Class that decides who may do what; empty allows everything.', {
    importance: 'LOW',
    acts: false,
  }),
  'early.start.listeners': list(
    null,
    'Listeners that open before the authorizer is ready; by default those of the controller.',
    { rule: ANY_LIST, importance: 'HIGH', acts: false },
  ),
  'broker.rack': string(null, 'Rack of this broker, as clients and replica placement see it.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'controlled.shutdown.enable': boolean(true, 'Moves leadership away before the broker stops.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'delete.topic.enable': boolean(true, 'Whether topics may be deleted.', { importance: 'HIGH', acts: true }),
  'compression.type': string('producer', 'Codec in which topics are stored; producer keeps what the client sent.', {
    rule: oneOf(['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer']),
    importance: 'HIGH',
    mode: 'cluster-wide',
    acts: true,
  }),
  'compression.gzip.level': int(-1, "Level used when compression.type is gzip; -1 is the codec's own default.", {
    rule: { rule: 'gzip-level' },
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: true,
  }),
  'compression.lz4.level': int(9, 'Level used when compression.type is lz4.', {
    rule: between(1, 17),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: true,
  }),
  'compression.zstd.level': int(3, 'Level used when compression.type is zstd.', {
    rule: between(-131_072, 22),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: true,
  }),
  'max.incremental.fetch.session.cache.slots': int(1000, 'Fetch sessions that the broker remembers.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: true,
  }),
  'fetch.max.bytes': int(57_671_680, 'Upper bound on the record bytes of one fetch response.', {
    rule: atLeast(1024),
    importance: 'MEDIUM',
    acts: true,
  }),
  'max.request.partition.size.limit': int(2000, 'Partitions in one answer to DescribeTopicPartitions.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: true,
  }),
  'unstable.api.versions.enable': boolean(false, 'Offers API versions that are still in development.', {
    importance: 'HIGH',
    internal: true,
    acts: true,
  }),
  'unstable.feature.versions.enable': boolean(false, 'Offers feature levels that are still in development.', {
    importance: 'HIGH',
    internal: true,
    acts: false,
  }),
}
