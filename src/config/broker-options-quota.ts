import { atLeast, className, int } from './option.js'

/** Broker options of quotas. */
export const quotaOptions = {
  'quota.window.num': int(11, 'Samples kept for client quotas.', { rule: atLeast(1), importance: 'LOW', acts: false }),
  'replication.quota.window.num': int(11, 'Samples kept for replication quotas.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: true,
  }),
  'alter.log.dirs.replication.quota.window.num': int(11, 'Samples kept for moves between directories.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
  'controller.quota.window.num': int(11, 'Samples kept for controller mutation quotas.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
  'quota.window.size.seconds': int(1, 'Length of one sample of client quotas.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
  'replication.quota.window.size.seconds': int(1, 'Length of one sample of replication quotas.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: true,
  }),
  'alter.log.dirs.replication.quota.window.size.seconds': int(1, 'Length of one sample of moves between directories.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
  'controller.quota.window.size.seconds': int(1, 'Length of one sample of controller mutation quotas.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
  'client.quota.callback.class': className(null, 'Class that computes client quotas.', {
    importance: 'LOW',
    acts: false,
  }),
}
