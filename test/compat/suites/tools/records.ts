import assert from 'node:assert/strict'
import { check, type SuiteContext } from '../../suite.js'
import { codecOfFirstBatch } from '../../wire.js'
import type { Tools } from './tools.js'

/** The tools that write and read records. */
export async function recordChecks(context: SuiteContext, tools: Tools): Promise<void> {
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    await check(context, `console-producer, console-consumer: ${codec} records: key, value, headers, order`, () =>
      carries(context, tools, codec),
    )
  }
  await check(context, 'console-producer: null keys, null values and acks', () => nullsAndAcks(tools))
  await check(context, 'console-consumer: from an offset, some records, several topics, as a group', () =>
    positions(context, tools),
  )
  await check(context, 'producer-perf-test, consumer-perf-test: every codec', () => performance(tools))
  await check(context, 'verifiable-producer, verifiable-consumer: every record acknowledged is read', () =>
    verifiable(context, tools),
  )
}

const printing = ['timestamp', 'partition', 'offset', 'headers', 'key'].flatMap(part => [
  '--formatter-property',
  `print.${part}=true`,
])

interface Printed {
  readonly timestamp: number
  readonly partition: number
  readonly offset: number
  readonly headers: string
  readonly key: string
  readonly value: string
}

async function consume(tools: Tools, topic: string, count: number, ...args: string[]): Promise<Printed[]> {
  const counted = ['--max-messages', String(count), '--timeout-ms', '20000']
  const output = await tools.succeed('console-consumer', ['--topic', topic, ...counted, ...printing, ...args])
  return output
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [time = '', partition = '', offset = '', headers = '', key = '', value = ''] = line.split('\t')
      return {
        timestamp: Number(time.replace('CreateTime:', '')),
        partition: Number(partition.replace('Partition:', '')),
        offset: Number(offset.replace('Offset:', '')),
        headers,
        key,
        value,
      }
    })
}

function produce(tools: Tools, topic: string, lines: readonly string[], ...args: string[]): Promise<string> {
  return tools.succeed('console-producer', ['--topic', topic, ...args], lines.map(line => `${line}\n`).join(''))
}

async function carries(context: SuiteContext, tools: Tools, codec: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd') {
  const topic = await tools.createTopic(`codec-${codec}`)
  const written = Array.from({ length: 50 }, (_, i) => ({
    headers: `number:${i},word:értek`,
    key: `key-${i % 7}`,
    value: `value ${i} ${'lorem ipsum '.repeat(20 + i)}`.trim(),
  }))
  const before = Date.now()
  const lines = written.map(({ headers, key, value }) => `${headers}\t${key}\t${value}`)
  const parse = ['--reader-property', 'parse.key=true', '--reader-property', 'parse.headers=true']
  await produce(tools, topic, lines, ...parse, '--compression-codec', codec, '--command-property', 'linger.ms=200')
  const read = await consume(tools, topic, 50, '--from-beginning')
  assert.deepEqual(
    read.map(({ offset, headers, key, value }) => ({ offset, headers, key, value })),
    written.map((record, offset) => ({ offset, ...record })),
  )
  for (const { timestamp } of read) assert.ok(timestamp >= before && timestamp <= Date.now())
  assert.equal(await codecOfFirstBatch(context.bootstrap, topic, 0), codec)
}

async function nullsAndAcks(tools: Tools): Promise<void> {
  const topic = await tools.createTopic('nulls')
  const parse = ['--reader-property', 'parse.key=true', '--reader-property', 'null.marker=NULL']
  await produce(tools, topic, ['a\tvalue', 'b\tNULL', 'NULL\tno key', 'c\t'], ...parse)
  for (const acks of ['0', '1', 'all']) {
    // Without acknowledgement a producer cannot be idempotent.
    const settings = ['--command-property', `acks=${acks}`, '--command-property', 'enable.idempotence=false']
    await produce(tools, topic, [`acks ${acks}`], ...settings)
  }
  const read = await consume(tools, topic, 7, '--from-beginning', '--formatter-property', 'null.literal=(null)')
  assert.deepEqual(
    read.map(({ key, value }) => [key, value]),
    [
      ['a', 'value'],
      ['b', '(null)'],
      ['(null)', 'no key'],
      ['c', ''],
      ['(null)', 'acks 0'],
      ['(null)', 'acks 1'],
      ['(null)', 'acks all'],
    ],
  )
}

async function positions(context: SuiteContext, tools: Tools): Promise<void> {
  const topic = await tools.createTopic('positions', 2)
  const lines = Array.from({ length: 40 }, (_, i) => `${i}\t${i}`)
  await produce(tools, topic, lines, '--reader-property', 'parse.key=true')
  const whole = await consume(tools, topic, 40, '--from-beginning')
  const inFirst = whole.filter(record => record.partition === 0)
  const values = (records: readonly Printed[]) => records.map(record => record.value)
  const from = await consume(tools, topic, inFirst.length - 5, '--partition', '0', '--offset', '5')
  assert.deepEqual(values(from), values(inFirst.slice(5)))
  const other = await tools.createTopic('positions-other')
  await produce(tools, other, ['other'])
  const include = ['--include', `${context.prefix}positions.*`, '--max-messages', '41', '--timeout-ms', '20000']
  const both = await tools.succeed('console-consumer', [
    ...include,
    '--from-beginning',
    '--isolation-level',
    'read_committed',
  ])
  assert.deepEqual(both.trim().split('\n').sort(), [...values(whole), 'other'].sort())
  const group = ['--group', `${context.prefix}positions-group`]
  const first = await consume(tools, topic, 15, '--from-beginning', ...group)
  const second = await consume(tools, topic, 25, '--from-beginning', ...group)
  assert.deepEqual([...values(first), ...values(second)].sort(), values(whole).sort(), 'the second goes on')
}

async function performance(tools: Tools): Promise<void> {
  const topic = await tools.createTopic('performance', 3)
  let sent = 0
  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    const properties = ['--command-property', `compression.type=${codec}`, 'batch.size=65536', 'linger.ms=5']
    const size = ['--num-records', '10000', '--record-size', '512', '--throughput', '-1']
    const output = await tools.succeed('producer-perf-test', ['--topic', topic, ...size, ...properties])
    assert.match(output, /^10000 records sent, .* ms max latency/m)
    sent += 10_000
  }
  const output = await tools.succeed('consumer-perf-test', ['--topic', topic, '--num-records', String(sent)])
  const [header = '', numbers = ''] = output.trim().split('\n')
  const column = header.split(', ').indexOf('data.consumed.in.nMsg')
  assert.equal(Number(numbers.split(', ')[column]), sent)
}

/** What verifiable-producer and verifiable-consumer write: a JSON object a line, told apart by its name. */
interface Event {
  readonly name: string
  readonly key?: string | null
  readonly value?: string
  readonly partition?: number
  readonly offset?: number
  readonly sent?: number
  readonly acked?: number
  readonly success?: boolean
}

function events(output: string): Event[] {
  const lines = output.split('\n').filter(line => line.startsWith('{'))
  return lines.map(line => JSON.parse(line) as Event)
}

async function verifiable(context: SuiteContext, tools: Tools): Promise<void> {
  const topic = await tools.createTopic('verifiable', 3)
  const time = Date.now() - 500_000
  const times = ['--message-create-time', String(time)]
  const count = ['--max-messages', '2000', '--repeating-keys', '10', '--value-prefix', '7']
  const written = events(await tools.succeed('verifiable-producer', ['--topic', topic, ...count, ...times]))
  const tally = written.find(event => event.name === 'tool_data')
  assert.deepEqual([tally?.sent, tally?.acked], [2000, 2000])
  const place = (event: Event) => `${event.partition}@${event.offset} ${event.key} ${event.value}`
  const acknowledged = written.filter(event => event.name === 'producer_send_success').map(place)
  const reading = ['--group-id', `${context.prefix}verifiable-group`, '--max-messages', '2000', '--verbose']
  const read = events(await tools.succeed('verifiable-consumer', ['--topic', topic, ...reading]))
  const consumed = read.filter(event => event.name === 'record_data').map(place)
  assert.deepEqual(consumed.sort(), acknowledged.sort())
  assert.ok(read.some(event => event.name === 'offsets_committed' && event.success === true))
  const stamped = await consume(tools, topic, 1, '--from-beginning')
  assert.ok(
    (stamped[0]?.timestamp ?? 0) >= time && (stamped[0]?.timestamp ?? 0) < time + 100_000,
    'the time it was told',
  )
}
