import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { succeeds, systemPackages } from '../cache.js'
import { describeEnd, type Finished, run } from '../process.js'
import { check, eventually, type Suite, type SuiteContext } from '../suite.js'
import { codecOfFirstBatch, createTopic } from '../wire.js'

/** kcat as Debian has it: an older librdkafka, which works out from ApiVersions what it may use. */
export const kcatSuite: Suite = {
  name: 'kcat',
  about: 'kcat of the Debian package: an older librdkafka on the command line',
  install: () => systemPackages([{ packages: ['kcat'], present: () => succeeds('kcat', ['-V']) }]),
  run: async context => {
    await listings(context)
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) await carries(context, codec)
    await writing(context)
    await reading(context)
    await groups(context)
  },
}

/** A record as `kcat -J` prints it. */
interface Read {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly ts: number
  readonly headers?: readonly string[]
  readonly key: string | null
  readonly payload: string | null
}

function kcat(context: SuiteContext, args: readonly string[], input?: string): Promise<Finished> {
  const options = { timeoutMs: 30_000, ...(input === undefined ? {} : { input }) }
  return run('kcat', ['-b', context.bootstrap, ...args], options)
}

async function succeed(context: SuiteContext, args: readonly string[], input?: string): Promise<string> {
  const finished = await kcat(context, args, input)
  assert.equal(finished.code, 0, `kcat ${args.join(' ')} ${describeEnd(finished)}`)
  return finished.stdout
}

function produce(context: SuiteContext, topic: string, lines: readonly string[], ...args: string[]): Promise<string> {
  return succeed(context, ['-P', '-t', topic, ...args], lines.map(line => `${line}\n`).join(''))
}

/** Everything from an offset to the end. */
async function consume(context: SuiteContext, topic: string, ...args: string[]): Promise<Read[]> {
  const output = await succeed(context, ['-C', '-t', topic, '-e', '-q', '-J', ...args])
  return parseLines(output)
}

function parseLines(output: string): Read[] {
  const lines = output.split('\n').filter(line => line !== '')
  return lines.map(line => JSON.parse(line) as Read)
}

async function listings(context: SuiteContext): Promise<void> {
  await check(context, 'lists brokers, topics and partitions (-L)', async () => {
    const topic = `${context.prefix}list`
    await produce(context, topic, ['first'])
    const listed = JSON.parse(await succeed(context, ['-L', '-J'])) as {
      brokers: { id: number; name: string }[]
      controllerid: number
      topics: { topic: string; partitions: { partition: number; leader: number; isrs: { id: number }[] }[] }[]
    }
    assert.deepEqual(
      listed.brokers.map(broker => broker.name),
      [context.bootstrap],
    )
    const [broker] = listed.brokers
    const found = listed.topics.find(one => one.topic === topic)
    assert.deepEqual(
      found?.partitions.map(({ partition, leader, isrs }) => ({ partition, leader, isrs })),
      [{ partition: 0, leader: broker?.id, isrs: [{ id: broker?.id }] }],
    )
    assert.match(await succeed(context, ['-L', '-t', topic]), new RegExp(`topic "${topic}" with 1 partitions`))
  })
  await check(context, 'asks for offsets by time (-Q)', async () => {
    const topic = `${context.prefix}query`
    await produce(context, topic, ['a', 'b', 'c'])
    const [, second] = await consume(context, topic)
    const query = async (time: number | bigint) => (await succeed(context, ['-Q', '-t', `${topic}:0:${time}`])).trim()
    assert.equal(await query(-2), `${topic} [0] offset 0`)
    assert.equal(await query(-1), `${topic} [0] offset 3`)
    assert.equal(await query(0), `${topic} [0] offset 0`)
    assert.equal(await query((second?.ts ?? 0) + 1_000_000), `${topic} [0] offset -1`)
  })
}

async function carries(context: SuiteContext, codec: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'): Promise<void> {
  await check(context, `carries ${codec} records: key, value, headers, timestamp, order`, async () => {
    const topic = `${context.prefix}codec-${codec}`
    const before = Date.now()
    const values = Array.from({ length: 60 }, (_, i) => `värde ${i} ${'lorem ipsum '.repeat(20 + i)}`)
    const lines = values.map((value, i) => `key-${i % 7}=>${value}`)
    const headers = ['-H', 'one=1', '-H', 'two=zwei drei', '-H', 'one=again', '-H', 'empty=']
    // Written in one batch, so that the codec has something to do.
    await produce(context, topic, lines, '-K', '=>', '-z', codec, '-p', '0', '-X', 'linger.ms=200', ...headers)
    const read = await consume(context, topic)
    assert.deepEqual(
      read.map(record => [record.offset, record.key, record.payload]),
      values.map((value, i) => [i, `key-${i % 7}`, value]),
    )
    for (const record of read) {
      assert.deepEqual(record.headers, ['one', '1', 'two', 'zwei drei', 'one', 'again', 'empty', ''])
      assert.ok(record.ts >= before && record.ts <= Date.now(), 'the time when it was made')
    }
    assert.equal(await codecOfFirstBatch(context.bootstrap, topic, 0), codec)
  })
}

async function writing(context: SuiteContext): Promise<void> {
  await check(context, 'writes tombstones, null keys and empty values', async () => {
    const topic = `${context.prefix}tombstones`
    await produce(context, topic, ['key=>', '=>value'], '-K', '=>', '-Z')
    await produce(context, topic, ['key=>'], '-K', '=>')
    await produce(context, topic, ['no key'])
    const read = await consume(context, topic)
    assert.deepEqual(
      read.map(record => [record.key, record.payload]),
      [
        ['key', null],
        [null, 'value'],
        ['key', ''],
        [null, 'no key'],
      ],
    )
  })
  await check(context, 'writes with acks 0, 1 and all, and idempotently', async () => {
    const topic = `${context.prefix}acks`
    await produce(context, topic, ['created'])
    for (const acks of ['0', '1', 'all']) await produce(context, topic, [`acks ${acks}`], '-X', `acks=${acks}`)
    const many = Array.from({ length: 500 }, (_, i) => `once ${i}`)
    await produce(context, topic, many, '-X', 'enable.idempotence=true', '-X', 'batch.num.messages=20')
    const read = await consume(context, topic)
    assert.deepEqual(
      read.map(record => record.payload),
      ['created', 'acks 0', 'acks 1', 'acks all', ...many],
    )
  })
  await check(context, 'is refused a record that is larger than the broker takes', async () => {
    const topic = `${context.prefix}too-large`
    const args = ['-P', '-t', topic, '-X', 'message.max.bytes=5000000', '-D', '\\0']
    const finished = await kcat(context, args, 'x'.repeat(2_000_000))
    assert.notEqual(finished.code, 0)
    assert.match(finished.stderr, /Message size too large/)
  })
  await check(context, 'carries a record of 900 kB', async () => {
    const topic = `${context.prefix}large`
    const large = 'lorem ipsum '.repeat(75_000)
    await produce(context, topic, [large, 'small'])
    const read = await consume(context, topic)
    assert.deepEqual(
      read.map(record => record.payload),
      [large, 'small'],
    )
  })
}

async function reading(context: SuiteContext): Promise<void> {
  await check(context, 'reads from an offset, from the end, between two times, and a number of records', async () => {
    const topic = `${context.prefix}offsets`
    const writeAt: number[] = []
    for (const value of ['a', 'b', 'c', 'd']) {
      await produce(context, topic, [value])
      writeAt.push(Date.now())
    }
    const values = async (...args: string[]) => (await consume(context, topic, ...args)).map(record => record.payload)
    assert.deepEqual(await values('-o', '1'), ['b', 'c', 'd'])
    assert.deepEqual(await values('-o', '-2'), ['c', 'd'], 'two before the end')
    assert.deepEqual(await values('-o', 'end'), [])
    assert.deepEqual(await values('-o', 'beginning', '-c', '2'), ['a', 'b'])
    const written = await consume(context, topic)
    const [, b, , d] = written.map(record => record.ts)
    assert.deepEqual(await values('-o', `s@${b}`, '-o', `e@${d}`), ['b', 'c'])
  })
  await check(context, 'says when a topic or an offset is not there', async () => {
    const missing = await kcat(context, ['-C', '-t', `${context.prefix}missing`, '-e'])
    assert.notEqual(missing.code, 0)
    assert.match(missing.stderr, /Unknown topic or partition/)
    const topic = `${context.prefix}range`
    await produce(context, topic, ['only'])
    const out = ['-C', '-t', topic, '-o', '7', '-e', '-X', 'topic.auto.offset.reset=error']
    const finished = await kcat(context, out)
    assert.match(finished.stderr, /[Oo]ffset out of range|out of range/)
    const reset = await consume(context, topic, '-o', '7', '-X', 'topic.auto.offset.reset=earliest')
    assert.deepEqual(
      reset.map(record => record.payload),
      ['only'],
    )
  })
}

/** A kcat that reads as a member of a group until it is stopped. */
interface Member {
  readonly records: Read[]
  /** Partitions that it owns now, in order. */
  assigned: number[]
  assignments: number
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>
}

/** What kcat says of a rebalance, of the eager and of the cooperative kind. */
const rebalanceLine =
  /^% Group .* rebalanced(?:: incremental (assignment|revoke) of .*\): | .*\): (assigned|revoked): )(.*)$/

function startMember(context: SuiteContext, group: string, topic: string, ...args: string[]): Member {
  let child: ChildProcess | undefined
  const settings = ['session.timeout.ms=10000', 'heartbeat.interval.ms=200', 'auto.offset.reset=earliest']
  const flags = settings.flatMap(setting => ['-X', setting])
  const member: Member = {
    records: [],
    assigned: [],
    assignments: 0,
    stop: async (signal = 'SIGTERM') => {
      child?.kill(signal)
      await ended
    },
  }
  const ended = run('kcat', ['-b', context.bootstrap, ...flags, ...args, '-J', '-u', '-G', group, topic], {
    timeoutMs: 60_000,
    onStart: started => {
      child = started
    },
    onLine: line => member.records.push(JSON.parse(line) as Read),
    onErrorLine: line => {
      const rebalanced = rebalanceLine.exec(line)
      if (rebalanced === null) return
      const isNew = (rebalanced[1] ?? rebalanced[2])?.startsWith('assign') ?? false
      const partitions = [...(rebalanced[3] ?? '').matchAll(/\[(\d+)\]/g)].map(match => Number(match[1]))
      const others = member.assigned.filter(partition => !partitions.includes(partition))
      member.assigned = isNew ? [...others, ...partitions].sort() : others
      if (isNew) member.assignments++
    },
  })
  return member
}

/** Waits until the members have shares of these sizes, with every partition once. */
function settled(members: readonly Member[], shares: readonly number[]): Promise<void> {
  return eventually(async () => {
    const assigned = members.map(member => member.assigned)
    assert.deepEqual(assigned.map(partitions => partitions.length).sort(), shares)
    const all = shares.reduce((sum, share) => sum + share, 0)
    assert.deepEqual(
      assigned.flat().sort(),
      Array.from({ length: all }, (_, i) => i),
    )
  })
}

async function topicOf(context: SuiteContext, name: string, records: number): Promise<string> {
  const topic = `${context.prefix}${name}`
  await produce(
    context,
    topic,
    Array.from({ length: records }, (_, i) => `${i}`),
  )
  return topic
}

async function groups(context: SuiteContext): Promise<void> {
  await check(context, 'goes on where the group committed', async () => {
    const topic = await topicOf(context, 'resume', 10)
    const group = `${context.prefix}resume-group`
    const readAll = async (count: number, args: string[] = []) => {
      const member = startMember(context, group, topic, ...args)
      await eventually(async () => assert.ok(member.records.length >= count))
      await member.stop()
      return member.records.map(record => record.payload)
    }
    assert.equal((await readAll(10)).length, 10)
    await produce(context, topic, ['10', '11'])
    assert.deepEqual(await readAll(2), ['10', '11'])
  })
  for (const strategy of ['range', 'roundrobin', 'cooperative-sticky']) {
    await check(context, `shares partitions among members by ${strategy}`, () => shared(context, strategy))
  }
  await check(context, 'a static member that comes back takes its partitions without a rebalance', () =>
    staticMember(context),
  )
}

async function shared(context: SuiteContext, strategy: string): Promise<void> {
  const topic = `${context.prefix}shared-${strategy.slice(0, 5)}`
  await createTopic(context.bootstrap, topic, 6)
  const members: Member[] = []
  const start = () => startMember(context, `${topic}-group`, topic, '-X', `partition.assignment.strategy=${strategy}`)
  try {
    for (const shares of [[6], [3, 3], [2, 2, 2]]) {
      members.push(start())
      await settled(members, shares)
    }
    const values = Array.from({ length: 6 }, (_, i) => `in ${i}`)
    await Promise.all(values.map((value, i) => produce(context, topic, [value], '-p', String(i))))
    await eventually(async () => {
      const read = members.flatMap(member => member.records.map(record => record.payload))
      assert.deepEqual(read.sort(), values)
    })
    for (const member of members) {
      assert.deepEqual(member.records.map(record => record.partition).sort(), member.assigned)
    }
    await members.shift()?.stop()
    await settled(members, [3, 3])
    await members.shift()?.stop()
    await settled(members, [6])
  } finally {
    await Promise.all(members.map(member => member.stop()))
  }
}

async function staticMember(context: SuiteContext): Promise<void> {
  const topic = `${context.prefix}static`
  await createTopic(context.bootstrap, topic, 2)
  const start = (instance: string) =>
    startMember(context, `${topic}-group`, topic, '-X', `group.instance.id=${instance}`)
  const members = [start('first'), start('second')]
  const [first, second] = members
  try {
    await settled(members, [1, 1])
    assert.ok(first !== undefined && second !== undefined)
    const owned = first.assigned
    const assignments = second.assignments
    await first.stop('SIGKILL')
    const returned = start('first')
    members.push(returned)
    await eventually(async () => assert.deepEqual(returned.assigned, owned))
    await produce(context, topic, ['after the return'], '-p', String(owned[0]))
    await eventually(async () => assert.equal(returned.records.length, 1))
    assert.equal(second.assignments, assignments, 'the other member does not notice')
  } finally {
    await Promise.all(members.map(member => member.stop()))
  }
}
