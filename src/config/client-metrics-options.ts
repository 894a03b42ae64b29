import { ANY_LIST, int, list } from './option.js'

/** Every option of a client metrics subscription. */
export const clientMetricsOptions = {
  metrics: list('', 'Prefixes of the client metrics to collect; * means all.', {
    rule: ANY_LIST,
    importance: 'MEDIUM',
    acts: false,
  }),
  'interval.ms': int(300_000, 'Pause between two pushes of a client.', { importance: 'MEDIUM', acts: false }),
  match: list('', 'Clients that push, as name=pattern; empty means all.', {
    rule: ANY_LIST,
    importance: 'MEDIUM',
    acts: false,
  }),
}
