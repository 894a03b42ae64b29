import { atLeast, FILLED_LIST, int, list, listOf, long, REQUIRED, string } from './option.js'

/** Broker options of roles and of the life of a node. */
export const kraftOptions = {
  'process.roles': list(REQUIRED, 'What this process is: broker, controller, or both.', {
    rule: listOf(['broker', 'controller'], false),
    importance: 'HIGH',
    acts: true,
  }),
  'node.id': int(REQUIRED, 'Number of this node, unique in the cluster.', {
    rule: atLeast(0),
    importance: 'HIGH',
    acts: true,
  }),
  'initial.broker.registration.timeout.ms': int(
    60_000,
    'How long a starting broker tries to register before it gives up.',
    { importance: 'MEDIUM', acts: true },
  ),
  'broker.heartbeat.interval.ms': int(2000, 'Pause between two heartbeats to the controller.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'broker.session.timeout.ms': int(9000, 'Silence after which the controller fences a broker.', {
    importance: 'MEDIUM',
    acts: true,
  }),
  'controller.listener.names': list(
    REQUIRED,
    "Names of the controller's listeners; the first one is used to reach the controller.",
    { rule: FILLED_LIST, importance: 'HIGH', acts: true },
  ),
  'sasl.mechanism.controller.protocol': string('GSSAPI', 'SASL mechanism towards the controllers.', {
    importance: 'HIGH',
    acts: false,
  }),
  'controller.performance.sample.period.ms': long(60_000, 'How often the controller reports its slow events.', {
    rule: atLeast(100),
    importance: 'MEDIUM',
    internal: true,
    acts: false,
  }),
  'controller.performance.always.log.threshold.ms': long(
    2000,
    'Duration above which a controller event is always reported.',
    { rule: atLeast(0), importance: 'MEDIUM', internal: true, acts: false },
  ),
  'server.max.startup.time.ms': long(Number.POSITIVE_INFINITY, 'Time limit for starting up.', {
    rule: atLeast(0),
    importance: 'MEDIUM',
    internal: true,
    acts: false,
  }),
}
