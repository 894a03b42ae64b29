import { retentionMsOf, rollJitterMsOf, rollMsOf } from './durations.js'
import { readMap } from './listeners.js'
import type { BrokerOptionName, BrokerValues } from './options.js'
import { type Problem, problem, requirement } from './problem.js'

/** What must hold between the values of broker options, each of which is fine by itself. In Kafka's order. */
export function checkBrokerValues(values: BrokerValues): readonly Problem[] {
  return [
    ...groupProblems(values),
    ...compressionProblems(values),
    ...logProblems(values),
    ...replicationProblems(values),
    ...connectionProblems(values),
    ...directoryProblems(values),
  ]
}

function textOf(values: BrokerValues, option: BrokerOptionName): string | null {
  const value = values[option]
  return value === null ? null : String(value)
}

function refuse(values: BrokerValues, option: BrokerOptionName, message: string): Problem {
  return problem(option, textOf(values, option), message)
}

function require(values: BrokerValues, option: BrokerOptionName, message: string): Problem {
  return requirement(option, textOf(values, option), message)
}

/** An option with the options that bound it; a bound that is null is not there. */
type Bounds = readonly [option: BrokerOptionName, min: BrokerOptionName | null, max: BrokerOptionName | null]

const GROUP_BOUNDS: readonly Bounds[] = [
  ...(['consumer', 'share', 'streams'] as const).flatMap((kind): readonly Bounds[] => [
    [
      `group.${kind}.heartbeat.interval.ms`,
      `group.${kind}.min.heartbeat.interval.ms`,
      `group.${kind}.max.heartbeat.interval.ms`,
    ],
    [
      `group.${kind}.session.timeout.ms`,
      `group.${kind}.min.session.timeout.ms`,
      `group.${kind}.max.session.timeout.ms`,
    ],
    [
      `group.${kind}.assignment.interval.ms`,
      `group.${kind}.min.assignment.interval.ms`,
      `group.${kind}.max.assignment.interval.ms`,
    ],
  ]),
  ['group.streams.num.standby.replicas', null, 'group.streams.max.standby.replicas'],
  ['group.streams.num.warmup.replicas', null, 'group.streams.max.warmup.replicas'],
  ['group.streams.task.offset.interval.ms', 'group.streams.min.task.offset.interval.ms', null],
  ['group.share.delivery.count.limit', 'group.share.min.delivery.count.limit', 'group.share.max.delivery.count.limit'],
  [
    'group.share.record.lock.duration.ms',
    'group.share.min.record.lock.duration.ms',
    'group.share.max.record.lock.duration.ms',
  ],
  [
    'group.share.partition.max.record.locks',
    'group.share.min.partition.max.record.locks',
    'group.share.max.partition.max.record.locks',
  ],
]

function groupProblems(values: BrokerValues): readonly Problem[] {
  const found: Problem[] = []
  for (const bounds of GROUP_BOUNDS) {
    const broken = boundsProblem(values, bounds)
    if (broken !== null) found.push(broken)
  }
  for (const kind of ['consumer', 'share', 'streams'] as const) {
    const heartbeat = `group.${kind}.heartbeat.interval.ms` as const
    const session = `group.${kind}.session.timeout.ms` as const
    const isBounded = !found.some(({ option }) => option === heartbeat || option === session)
    if (isBounded && values[heartbeat] >= values[session]) {
      found.push(refuse(values, heartbeat, `${heartbeat} must be less than ${session}`))
    }
  }
  if (values['group.share.max.share.sessions'] < values['group.share.max.size']) {
    const option = 'group.share.max.share.sessions'
    found.push(refuse(values, option, `${option} must be greater than or equal to group.share.max.size`))
  }
  if (!values['group.coordinator.rebalance.protocols'].includes('classic')) {
    const option = 'group.coordinator.rebalance.protocols'
    found.push(refuse(values, option, "Disabling the 'classic' protocol is not supported."))
  }
  return [...found, ...assignorProblems(values)]
}

function boundsProblem(values: BrokerValues, [option, min, max]: Bounds): Problem | null {
  const value = values[option] as number
  const low = min === null ? Number.NEGATIVE_INFINITY : (values[min] as number)
  const high = max === null ? Number.POSITIVE_INFINITY : (values[max] as number)
  if (max !== null && high < low) return refuse(values, max, `${max} must be greater than or equal to ${min}`)
  if (value < low) return refuse(values, option, `${option} must be greater than or equal to ${min}`)
  if (value > high) return refuse(values, option, `${option} must be less than or equal to ${max}`)
  return null
}

/** The assignors that Kafka has, by name and by class. */
const ASSIGNORS = {
  'group.consumer.assignors': ['uniform', 'range', 'Uniform', 'Range'],
  'group.share.assignors': ['simple', 'Simple'],
  'group.streams.assignors': ['sticky', 'Sticky'],
} as const

function assignorProblems(values: BrokerValues): readonly Problem[] {
  const found: Problem[] = []
  for (const option of Object.keys(ASSIGNORS) as (keyof typeof ASSIGNORS)[]) {
    const known: readonly string[] = ASSIGNORS[option]
    const unknown = values[option].find(name => {
      const match = /^org\.apache\.kafka\.coordinator\.group\.[\w.]*?(\w+?)(?:Task)?Assignor$/.exec(name)
      return !known.includes(match?.[1] ?? name)
    })
    if (unknown === undefined) continue
    found.push(refuse(values, option, `Invalid value ${unknown} for configuration ${option}: Class cannot be found`))
  }
  return found
}

function compressionProblems(values: BrokerValues): readonly Problem[] {
  const options = ['offsets.topic.compression.codec', 'share.coordinator.state.topic.compression.codec'] as const
  return options
    .filter(option => values[option] < 0 || values[option] > 4)
    .map(option => refuse(values, option, `Unknown compression type id: ${values[option]}`))
}

function logProblems(values: BrokerValues): readonly Problem[] {
  const found: Problem[] = []
  if (rollMsOf(values) < 1) {
    found.push(require(values, 'log.roll.ms', 'log.roll.ms must be greater than or equal to 1'))
  }
  if (rollJitterMsOf(values) < 0) {
    found.push(require(values, 'log.roll.jitter.ms', 'log.roll.jitter.ms must be greater than or equal to 0'))
  }
  if (retentionMsOf(values) === 0) {
    const given = (['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'] as const).find(
      option => values[option] === 0,
    )
    const message = 'log.retention.ms must be unlimited (-1) or, greater than or equal to 1'
    found.push(require(values, given ?? 'log.retention.ms', message))
  }
  const threads = values['log.cleaner.threads']
  if (threads === 0 || Math.floor(values['log.cleaner.dedupe.buffer.size'] / threads) <= 1024 * 1024) {
    const option = threads === 0 ? 'log.cleaner.threads' : 'log.cleaner.dedupe.buffer.size'
    const message = 'log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.'
    found.push(require(values, option, threads === 0 ? `${message} There must be at least one thread.` : message))
  }
  return found
}

function replicationProblems(values: BrokerValues): readonly Problem[] {
  const found: Problem[] = []
  const wait = values['replica.fetch.wait.max.ms']
  if (wait > values['replica.socket.timeout.ms']) {
    const message =
      'replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary ' +
      'socket timeouts'
    found.push(require(values, 'replica.socket.timeout.ms', message))
  }
  if (wait > values['replica.lag.time.max.ms']) {
    const message =
      'replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent ' +
      'changes in ISR'
    found.push(require(values, 'replica.fetch.wait.max.ms', message))
  }
  return found
}

function connectionProblems(values: BrokerValues): readonly Problem[] {
  const found: Problem[] = []
  const queued = values['queued.max.request.bytes']
  if (queued > 0 && queued < values['socket.request.max.bytes']) {
    const message = 'queued.max.request.bytes must be larger or equal to socket.request.max.bytes'
    found.push(require(values, 'queued.max.request.bytes', message))
  }
  const overrides = 'max.connections.per.ip.overrides'
  const counts = readMap(overrides, values[overrides])
  if (!counts.ok) return [...found, refuse(values, overrides, counts.message)]
  const wrongCount = [...counts.value].find(([, count]) => !/^[+-]?\d{1,10}$/.test(count))
  if (wrongCount !== undefined) {
    const message = `'${wrongCount[1]}' is not a number of connections; each entry is address:count`
    found.push(refuse(values, overrides, message))
  }
  if (values['max.connections.per.ip'] === 0 && counts.value.size === 0) {
    const message = `max.connections.per.ip can be set to zero only if ${overrides} property is set.`
    found.push(require(values, 'max.connections.per.ip', message))
  }
  const wrongAddresses = [...counts.value.keys()].filter(address => !/^[0-9a-zA-Z\-%._:]*$/.test(address))
  if (wrongAddresses.length > 0) {
    found.push(refuse(values, overrides, `${overrides} contains invalid addresses : ${wrongAddresses.join(',')}`))
  }
  const delay = 'connection.failed.authentication.delay.ms'
  const idleMs = values['connections.max.idle.ms']
  if (idleMs >= 0 && values[delay] >= idleMs) {
    const message =
      `${delay}=${values[delay]} should always be less than connections.max.idle.ms=${idleMs} to prevent failed ` +
      'authentication responses from timing out'
    found.push(require(values, delay, message))
  }
  return found
}

function directoryProblems(values: BrokerValues): readonly Problem[] {
  const cordoned = values['cordoned.log.dirs']
  const option = 'cordoned.log.dirs'
  if (cordoned.includes('*')) {
    if (cordoned.length === 1) return []
    return [require(values, option, `When ${option} is set to *, it must not contain other values`)]
  }
  const dirs = logDirsOf(values)
  const missing = cordoned.filter(dir => !dirs.includes(dir))
  if (missing.length === 0) return []
  const message =
    `All entries in ${option} must be present in log.dirs or log.dir. ` + `Missing entries : ${missing.join(', ')}`
  return [require(values, option, message)]
}

/** The directories of the logs. */
export function logDirsOf(values: BrokerValues): readonly string[] {
  return values['log.dirs'] ?? values['log.dir']
}
