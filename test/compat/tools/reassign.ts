import assert from 'node:assert/strict'
import { SETTLE_MS } from '../mixed/room.js'
import { check, eventually } from '../suite.js'
import type { ToolRoom } from './checks.js'

const TOPIC = 'moving'
/** Bytes a second: the 4 MB of a partition take long enough to be looked at, or to be given up. */
const SLOW = '200000'
const FAST = '100000000'

/** reassign-partitions: generate, execute with a throttle, list, verify, raise the throttle, cancel. */
export async function reassignChecks(checks: ToolRoom): Promise<void> {
  await check(checks, 'reassign-partitions: generate, execute, verify', () => generated(checks))
  await check(checks, 'reassign-partitions: a throttle slows it down, and can be raised', () => throttled(checks))
  await check(checks, 'reassign-partitions: cancel goes back', () => cancelled(checks))
  await check(checks, 'reassign-partitions: refuses what cannot be', () => refused(checks))
}

const json = (replicas: readonly (readonly number[])[]) =>
  JSON.stringify({
    version: 1,
    partitions: replicas.map((list, partition) => ({ topic: TOPIC, partition, replicas: list })),
  })

async function replicasOf({ room }: ToolRoom): Promise<number[][]> {
  return (await room.partitions(TOPIC)).map(({ replicas }) => [...replicas])
}

async function generated(checks: ToolRoom): Promise<void> {
  const { room, tools } = checks
  await tools().succeed('topics', ['--create', '--topic', TOPIC, '--replica-assignment', '1,1'])
  const perf = ['--topic', TOPIC, '--num-records', '4000', '--record-size', '2000', '--throughput', '-1']
  await tools().succeed('producer-perf-test', [...perf, '--producer-props', 'acks=all'])
  const topics = tools().file('topics.json', JSON.stringify({ version: 1, topics: [{ topic: TOPIC }] }))
  const generate = ['--generate', '--topics-to-move-json-file', topics, '--broker-list', '2,3']
  const output = await tools().succeed('reassign-partitions', generate)
  const [current = '', proposed = ''] = output.split('\n').filter(line => line.startsWith('{'))
  assert.deepEqual(
    (JSON.parse(current) as Proposal).partitions.map(({ replicas }) => replicas),
    [[1], [1]],
  )
  const file = tools().file('generated.json', proposed)
  const executed = await tools().succeed('reassign-partitions', ['--execute', '--reassignment-json-file', file])
  assert.match(executed, /Successfully started partition reassignments for moving-0,moving-1/)
  await untilVerified(checks, file)
  const expected = (JSON.parse(proposed) as Proposal).partitions.map(({ replicas }) => replicas)
  await eventually(async () => assert.deepEqual(await replicasOf(checks), expected))
  await room.untilInSync([TOPIC], 1)
}

interface Proposal {
  readonly partitions: readonly { readonly replicas: readonly number[] }[]
}

async function untilVerified({ tools }: ToolRoom, file: string): Promise<void> {
  await eventually(async () => {
    const verified = await tools().succeed('reassign-partitions', ['--verify', '--reassignment-json-file', file])
    assert.doesNotMatch(verified, /still in progress/)
    assert.match(verified, /Reassignment of partition moving-0 is completed/)
    assert.match(verified, /Clearing (broker-level|topic-level) throttles/)
  }, SETTLE_MS)
}

async function throttled(checks: ToolRoom): Promise<void> {
  const { tools } = checks
  const replicas = (await replicasOf(checks)).map(([one]) => [one!, 1])
  const file = tools().file('throttled.json', json(replicas))
  const execute = ['--execute', '--reassignment-json-file', file, '--throttle', SLOW]
  assert.match(
    await tools().succeed('reassign-partitions', execute),
    /The inter-broker throttle limit was set to 200000/,
  )
  const describe = (type: string, name: string) =>
    tools().succeed('configs', ['--describe', '--entity-type', type, '--entity-name', name])
  assert.match(await describe('brokers', '1'), /follower\.replication\.throttled\.rate=200000/)
  assert.match(await describe('topics', TOPIC), /follower\.replication\.throttled\.replicas=0:1,1:1/)
  const listed = await tools().succeed('reassign-partitions', ['--list'])
  assert.match(listed, /moving-0: replicas: .*adding: 1\./)
  await tools().succeed('reassign-partitions', [...execute.slice(0, -1), FAST, '--additional'])
  assert.match(await describe('brokers', '1'), new RegExp(`follower\\.replication\\.throttled\\.rate=${FAST}`))
  await untilVerified(checks, file)
  assert.doesNotMatch(await describe('brokers', '1'), /throttled/)
  assert.doesNotMatch(await describe('topics', TOPIC), /throttled/)
  assert.match(await tools().succeed('reassign-partitions', ['--list']), /No partition reassignments found/)
}

async function cancelled(checks: ToolRoom): Promise<void> {
  const { tools, controllerTools } = checks
  const before = await replicasOf(checks)
  const third = before.map(replicas => [1, 2, 3].find(id => !replicas.includes(id))!)
  const file = tools().file('cancelled.json', json(third.map(id => [id])))
  const execute = ['--execute', '--reassignment-json-file', file, '--throttle', SLOW]
  await tools().succeed('reassign-partitions', execute)
  assert.match(await controllerTools().succeed('reassign-partitions', ['--list']), /moving-0: replicas/)
  const cancel = await tools().succeed('reassign-partitions', ['--cancel', '--reassignment-json-file', file])
  assert.match(cancel, /Successfully cancelled partition reassignments for: moving-0,moving-1/)
  // Their order is that of their ids: Kafka forgets the one before.
  const sorted = before.map(replicas => replicas.toSorted())
  await eventually(async () => assert.deepEqual(await replicasOf(checks), sorted))
  assert.match(await tools().succeed('reassign-partitions', ['--list']), /No partition reassignments found/)
}

async function refused({ tools }: ToolRoom): Promise<void> {
  const unknown = tools().file('unknown.json', json([[9], [9]]))
  await tools().fail(
    'reassign-partitions',
    ['--execute', '--reassignment-json-file', unknown],
    /Unknown broker id|[Ii]nvalid/,
  )
  const twice = tools().file('twice.json', json([[1, 1], [2]]))
  await tools().fail('reassign-partitions', ['--execute', '--reassignment-json-file', twice], /duplicate/)
}
