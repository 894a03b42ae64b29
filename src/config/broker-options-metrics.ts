import { ANY_LIST, atLeast, int, list, long, string } from './option.js'

/** Broker options of metrics. */
export const metricsOptions = {
  'metrics.num.samples': int(2, 'Samples kept for a metric.', { rule: atLeast(1), importance: 'LOW', acts: false }),
  'metrics.sample.window.ms': long(30_000, 'Length of one sample of a metric.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
  'metric.reporters': list('org.apache.kafka.common.metrics.JmxReporter', 'Classes that report metrics.', {
    rule: ANY_LIST,
    importance: 'LOW',
    mode: 'cluster-wide',
    acts: false,
  }),
  'metrics.recording.level': string('INFO', 'Most detailed level of metrics that is recorded.', {
    importance: 'LOW',
    acts: false,
  }),
  'kafka.metrics.reporters': list('', 'Classes that report the older kind of metrics.', {
    rule: ANY_LIST,
    importance: 'LOW',
    acts: false,
  }),
  'kafka.metrics.polling.interval.secs': int(10, 'Pause between two reports of the older kind of metrics.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
  'telemetry.max.bytes': int(1_048_576, 'Largest metrics report that a client may push.', {
    rule: atLeast(1),
    importance: 'LOW',
    acts: false,
  }),
}
