import { atLeast, boolean, int, list } from './option.js'

/** Broker options of the controller quorum. */
export const quorumOptions = {
  'controller.quorum.voters': list('', 'Voters of a fixed controller quorum, as id@host:port.', {
    rule: { rule: 'voters' },
    importance: 'HIGH',
    acts: true,
  }),
  'controller.quorum.bootstrap.servers': list(
    '',
    'Controllers to ask for the leader of a changeable quorum, as host:port.',
    { rule: { rule: 'bootstrap-servers' }, importance: 'HIGH', acts: true },
  ),
  'controller.quorum.election.timeout.ms': int(1000, 'Longest wait for an election before a new one starts.', {
    rule: atLeast(0),
    importance: 'HIGH',
    acts: true,
  }),
  'controller.quorum.fetch.timeout.ms': int(2000, 'Silence of the leader after which a voter stands for election.', {
    rule: atLeast(0),
    importance: 'HIGH',
    acts: true,
  }),
  'controller.quorum.election.backoff.max.ms': int(1000, 'Largest pause before a new election.', {
    rule: atLeast(0),
    importance: 'HIGH',
    acts: true,
  }),
  'controller.quorum.append.linger.ms': int(25, 'How long the leader gathers metadata writes.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: true,
  }),
  'controller.quorum.request.timeout.ms': int(2000, 'Time limit of requests inside the quorum.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    acts: true,
  }),
  'controller.quorum.retry.backoff.ms': int(20, 'Pause before a request inside the quorum is repeated.', {
    rule: atLeast(0),
    importance: 'LOW',
    acts: true,
  }),
  'controller.quorum.auto.join.enable': boolean(false, 'Lets a new controller add itself to the voters.', {
    importance: 'LOW',
    acts: true,
  }),
  'controller.quorum.fetch.snapshot.max.bytes': int(1_048_576, 'Bytes of a snapshot fetched at a time.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: true,
  }),
  'controller.quorum.fetch.max.bytes': int(1_048_576, 'Bytes of the metadata log fetched at a time.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: true,
  }),
  'dead.process.detection.enable': boolean(
    true,
    'Notices the end of a process at once: where nothing listens any more, a broker is fenced and a leader of the ' +
      'quorum replaced without waiting for a timeout. Not in Kafka.',
    { importance: 'LOW', internal: true, acts: true },
  ),
}
