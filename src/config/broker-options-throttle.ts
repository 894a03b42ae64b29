import { atLeast, long } from './option.js'

/** Broker options that only exist dynamically: no properties file knows them. */
export const throttleOptions = {
  'leader.replication.throttled.rate': long(
    Number.POSITIVE_INFINITY,
    'Bytes per second that leaders send to the replicas named in leader.replication.throttled.replicas.',
    { rule: atLeast(0), importance: 'MEDIUM', mode: 'cluster-wide', dynamicOnly: true, acts: true },
  ),
  'follower.replication.throttled.rate': long(
    Number.POSITIVE_INFINITY,
    'Bytes per second that followers fetch for the replicas named in follower.replication.throttled.replicas.',
    { rule: atLeast(0), importance: 'MEDIUM', mode: 'cluster-wide', dynamicOnly: true, acts: true },
  ),
  'replica.alter.log.dirs.io.max.bytes.per.second': long(
    Number.POSITIVE_INFINITY,
    'Bytes per second that move between log directories.',
    { rule: atLeast(0), importance: 'MEDIUM', mode: 'cluster-wide', dynamicOnly: true, acts: true },
  ),
}
