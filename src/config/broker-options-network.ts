import { atLeast, FILLED_LIST, int, list, long, string } from './option.js'

const INT_MAX = 2_147_483_647

/** Broker options of listeners and connections. */
export const networkOptions = {
  listeners: list('PLAINTEXT://:9092', 'Addresses to listen on, as NAME://host:port; no host means every interface.', {
    rule: FILLED_LIST,
    importance: 'HIGH',
    mode: 'per-broker',
    acts: 'partly',
    note: 'taken at start; a dynamic change waits for the next start',
  }),
  'advertised.listeners': list(null, 'Addresses that clients are told to use; by default those of listeners.', {
    rule: FILLED_LIST,
    importance: 'HIGH',
    acts: true,
  }),
  'listener.security.protocol.map': string(
    'SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    'Security protocol of each listener name, as NAME:PROTOCOL.',
    { importance: 'LOW', mode: 'per-broker', acts: 'partly', note: 'PLAINTEXT only; taken at start' },
  ),
  'socket.send.buffer.bytes': int(102_400, 'Send buffer of accepted sockets; -1 leaves it to the operating system.', {
    importance: 'HIGH',
    acts: false,
  }),
  'socket.receive.buffer.bytes': int(
    102_400,
    'Receive buffer of accepted sockets; -1 leaves it to the operating system.',
    { importance: 'HIGH', acts: false },
  ),
  'socket.request.max.bytes': int(104_857_600, 'Largest request; a larger one closes its connection.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'socket.listen.backlog.size': int(50, 'Connections that may wait to be accepted.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: true,
  }),
  'max.connections.per.ip': int(INT_MAX, 'Connections allowed from one address.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: true,
  }),
  'max.connections.per.ip.overrides': string(
    '',
    'Exceptions to max.connections.per.ip, as host:count; hosts are looked up.',
    {
      importance: 'MEDIUM',
      mode: 'cluster-wide',
      acts: true,
    },
  ),
  'max.connections': int(INT_MAX, 'Connections allowed at one time.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: true,
  }),
  'max.connection.creation.rate': int(INT_MAX, 'New connections per second before accepting slows down.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    mode: 'cluster-wide',
    acts: false,
  }),
  'connections.max.idle.ms': long(600_000, 'Silence after which a connection is closed; negative never closes.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'connection.failed.authentication.delay.ms': int(
    100,
    'Wait before a connection that failed to authenticate is closed.',
    { rule: atLeast(0), importance: 'LOW', acts: false },
  ),
  'queued.max.requests': int(500, 'Requests in progress before the broker stops reading more.', {
    rule: atLeast(1),
    importance: 'HIGH',
    acts: true,
  }),
  'queued.max.request.bytes': long(
    -1,
    'Bytes of requests in progress before the broker stops reading more; -1 sets no limit of its own.',
    { importance: 'MEDIUM', acts: true },
  ),
  'num.network.threads': int(3, 'Threads that read and write sockets of one listener.', {
    rule: atLeast(1),
    importance: 'HIGH',
    mode: 'cluster-wide',
    acts: false,
  }),
}
