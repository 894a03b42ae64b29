import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { check, eventually, type SuiteContext } from '../../suite.js'
import { rowsOf, type Tools } from './tools.js'

/** The tools that take part in groups and administer them. */
export async function groupChecks(context: SuiteContext, tools: Tools): Promise<void> {
  for (const assignor of ['RangeAssignor', 'RoundRobinAssignor', 'CooperativeStickyAssignor']) {
    await check(context, `verifiable-consumer: shares partitions among one, two and three members by ${assignor}`, () =>
      shared(context, tools, assignor),
    )
  }
  await check(context, 'verifiable-consumer: a static member that comes back takes its partitions', () =>
    staticMember(context, tools),
  )
  await check(context, 'consumer-groups: lists, describes and deletes', () => listed(context, tools))
  await check(context, 'consumer-groups: resets offsets in every way', () => resets(context, tools))
}

/** A verifiable-consumer that runs until it is stopped. */
interface Member {
  /** Partitions that it owns now, in order. */
  assigned: number[]
  assignments: number
  consumed: number
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>
}

interface Event {
  readonly name: string
  readonly count?: number
  readonly partitions?: readonly { readonly partition: number }[]
}

function startMember(tools: Tools, group: string, topic: string, ...args: string[]): Member {
  const config = tools.file('member.properties', 'heartbeat.interval.ms=200\n')
  let child: ChildProcess | undefined
  const member: Member = {
    assigned: [],
    assignments: 0,
    consumed: 0,
    stop: async (signal = 'SIGTERM') => {
      child?.kill(signal)
      await ended
    },
  }
  const onLine = (line: string) => {
    if (!line.startsWith('{')) return
    const event = JSON.parse(line) as Event
    const partitions = (event.partitions ?? []).map(one => one.partition)
    const others = member.assigned.filter(partition => !partitions.includes(partition))
    if (event.name === 'partitions_assigned') {
      member.assigned = [...others, ...partitions].sort()
      member.assignments++
    } else if (event.name === 'partitions_revoked') member.assigned = others
    else if (event.name === 'records_consumed') member.consumed += event.count ?? 0
  }
  const all = ['--topic', topic, '--group-id', group, '--session-timeout', '10000', '--command-config', config, ...args]
  const ended = tools.run('verifiable-consumer', all, {
    timeoutMs: 90_000,
    onLine,
    onStart: started => {
      child = started
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

async function shared(context: SuiteContext, tools: Tools, assignor: string): Promise<void> {
  const topic = await tools.createTopic(`shared-${assignor}`, 6)
  const group = `${context.prefix}shared-${assignor}-group`
  const members: Member[] = []
  const strategy = ['--assignment-strategy', `org.apache.kafka.clients.consumer.${assignor}`]
  try {
    for (const shares of [[6], [3, 3], [2, 2, 2]]) {
      members.push(startMember(tools, group, topic, ...strategy))
      await settled(members, shares)
    }
    await tools.succeed('verifiable-producer', ['--topic', topic, '--max-messages', '300', '--repeating-keys', '100'])
    await eventually(async () => {
      assert.equal(
        members.reduce((sum, member) => sum + member.consumed, 0),
        300,
      )
    })
    const described = await tools.succeed('consumer-groups', ['--describe', '--group', group, '--members', '--verbose'])
    const described3 = rowsOf(described, group)
    assert.equal(described3.length, 3, described)
    await members.shift()?.stop()
    await settled(members, [3, 3])
    await members.shift()?.stop()
    await settled(members, [6])
  } finally {
    await Promise.all(members.map(member => member.stop()))
  }
}

async function staticMember(context: SuiteContext, tools: Tools): Promise<void> {
  const topic = await tools.createTopic('static', 2)
  const group = `${context.prefix}static-group`
  const start = (instance: string) => startMember(tools, group, topic, '--group-instance-id', instance)
  const members = [start('first'), start('second')]
  const [first, second] = members
  try {
    await settled(members, [1, 1])
    assert.ok(first !== undefined && second !== undefined)
    const owned = first.assigned
    const { assignments } = second
    await first.stop('SIGKILL')
    const returned = start('first')
    members.push(returned)
    await eventually(async () => assert.deepEqual(returned.assigned, owned))
    const described = await tools.succeed('consumer-groups', ['--describe', '--group', group])
    const instances = rowsOf(described, group).map(row => row[6]?.split('-')[0])
    assert.deepEqual(instances.sort(), ['first', 'second'], described)
    assert.equal(second.assignments, assignments, 'the other member does not notice')
  } finally {
    await Promise.all(members.map(member => member.stop()))
  }
}

/** A topic with a hundred records in two partitions, and a group that has read them all and is empty. */
async function readGroup(context: SuiteContext, tools: Tools, name: string): Promise<{ topic: string; group: string }> {
  const topic = await tools.createTopic(name, 2)
  const group = `${context.prefix}${name}-group`
  const keys = ['--max-messages', '100', '--repeating-keys', '50']
  await tools.succeed('verifiable-producer', ['--topic', topic, ...keys])
  await tools.succeed('verifiable-consumer', ['--topic', topic, '--group-id', group, '--max-messages', '100'])
  return { topic, group }
}

async function listed(context: SuiteContext, tools: Tools): Promise<void> {
  const { topic, group } = await readGroup(context, tools, 'listed')
  const groups = (...args: string[]) => tools.succeed('consumer-groups', args)
  const offsets = rowsOf(await groups('--describe', '--group', group), group)
  assert.deepEqual(
    offsets.map(row => [row[1], row[2], row[5]]),
    [
      [topic, '0', '0'],
      [topic, '1', '0'],
    ],
  )
  assert.equal(
    offsets.reduce((sum, row) => sum + Number(row[3]), 0),
    100,
  )
  assert.ok(!rowsOf(await groups('--list', '--state', 'stable'), group)[0])
  const member = startMember(tools, group, topic)
  try {
    await eventually(async () => assert.deepEqual(member.assigned, [0, 1]))
    assert.deepEqual(rowsOf(await groups('--list', '--state', 'stable'), group), [[group, 'Stable']])
    assert.deepEqual(rowsOf(await groups('--list', '--type', 'classic'), group), [[group, 'Classic']])
    const [state] = rowsOf(await groups('--describe', '--group', group, '--state'), group)
    assert.deepEqual([state?.[1], ...(state?.slice(3) ?? [])], [context.bootstrap, 'range', 'Stable', '1'])
    const [described] = rowsOf(await groups('--describe', '--group', group, '--members', '--verbose'), group)
    assert.match(described?.join(' ') ?? '', new RegExp(` 2 .*${topic}:0,1`))
    const reset = ['--group', group, '--reset-offsets', '--to-earliest', '--topic', topic, '--execute']
    await tools.fail('consumer-groups', reset, /Assignments can only be reset if the group .* is inactive/, 'any')
    const drop = ['--group', group, '--delete-offsets', '--topic', topic]
    await tools.fail('consumer-groups', drop, /subscribed to the specified topic|GroupSubscribedToTopic/i, 'any')
    await tools.fail('consumer-groups', ['--delete', '--group', group], /GroupNotEmptyException/, 'any')
  } finally {
    await member.stop()
  }
  assert.match(await groups('--group', group, '--delete-offsets', '--topic', `${topic}:1`), /1\s+Successful/)
  assert.deepEqual(
    rowsOf(await groups('--describe', '--group', group), group).map(row => row[2]),
    ['0'],
  )
  assert.match(await groups('--delete', '--group', group), /was successful/)
  assert.deepEqual(rowsOf(await groups('--list'), group), [])
  await tools.fail('consumer-groups', ['--delete', '--group', group], /GroupIdNotFoundException/, 'any')
}

async function resets(context: SuiteContext, tools: Tools): Promise<void> {
  const { topic, group } = await readGroup(context, tools, 'resets')
  const reset = async (...args: string[]) => {
    const output = await tools.succeed('consumer-groups', ['--group', group, '--reset-offsets', ...args])
    return new Map(rowsOf(output, group).map(row => [Number(row[2]), Number(row[3])]))
  }
  const committed = async () => {
    const output = await tools.succeed('consumer-groups', ['--describe', '--group', group])
    return new Map(rowsOf(output, group).map(row => [Number(row[2]), Number(row[3])]))
  }
  const ends = await committed()
  const both = (of: (end: number) => number) => new Map([...ends].map(([partition, end]) => [partition, of(end)]))
  const all = ['--topic', topic, '--execute']
  assert.deepEqual(
    await reset('--to-earliest', '--topic', topic, '--dry-run'),
    both(() => 0),
  )
  assert.deepEqual(await committed(), ends, 'a dry run changes nothing')
  assert.deepEqual(
    await reset('--to-earliest', ...all),
    both(() => 0),
  )
  assert.deepEqual(
    await committed(),
    both(() => 0),
  )
  assert.deepEqual(
    await reset('--to-offset', '9', ...all),
    both(() => 9),
  )
  assert.deepEqual(
    await reset('--shift-by', '-4', ...all),
    both(() => 5),
  )
  assert.deepEqual(
    await reset('--shift-by', '100000', ...all),
    both(end => end),
  )
  assert.deepEqual(
    await reset('--to-datetime', '2001-01-01T00:00:00.000', ...all),
    both(() => 0),
  )
  assert.deepEqual(await reset('--to-latest', '--all-topics', '--execute'), ends)
  assert.deepEqual(
    await reset('--by-duration', 'PT1H', ...all),
    both(() => 0),
  )
  assert.deepEqual(
    await reset('--to-current', ...all),
    both(() => 0),
  )
  const one = ['--topic', `${topic}:1`, '--execute']
  assert.deepEqual(await reset('--to-offset', '3', ...one), new Map([[1, 3]]))
  const exported = await tools.succeed('consumer-groups', [
    ...['--group', group, '--reset-offsets', '--to-current', '--topic', topic, '--dry-run', '--export'],
  ])
  const csv = exported.split('\n').filter(line => line.includes(`"${topic}"`))
  assert.equal(csv.length, 2, exported)
  const file = tools.file('offsets.csv', `${csv.join('\n').replaceAll(/,3$/gm, ',4')}\n`)
  assert.match(readFileSync(file, 'utf8'), /,4$/m)
  await reset('--from-file', file, '--execute')
  assert.equal((await committed()).get(1), 4)
  const rest = ['--group-id', group, '--max-messages', String((ends.get(0) ?? 0) + (ends.get(1) ?? 0) - 4)]
  const read = await tools.succeed('verifiable-consumer', ['--topic', topic, ...rest])
  assert.match(read, /"minOffset":4/, 'a consumer goes on from there')
}
