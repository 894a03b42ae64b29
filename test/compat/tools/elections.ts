import assert from 'node:assert/strict'
import { SETTLE_MS } from '../mixed/room.js'
import { check, eventually } from '../suite.js'
import { TOPIC, type ToolRoom } from './checks.js'

const LOSSY = 'lossy'

/** leader-election of both kinds, what topics tells of partitions in need, and cluster unregister. */
export async function electionChecks(checks: ToolRoom): Promise<void> {
  await check(checks, 'topics: tells of partitions in need when a node is gone', () => nodeGone(checks))
  await check(checks, 'leader-election: preferred, of one partition, of a list and of all', () => preferred(checks))
  await check(checks, 'leader-election: unclean, of a partition whose only good replica is gone', () => unclean(checks))
  await check(checks, 'cluster: unregister a broker, which comes back', () => unregister(checks))
}

async function nodeGone({ room, tools }: ToolRoom): Promise<void> {
  await room.node(2).stop()
  await room.untilInSync([TOPIC], 2)
  const under = async (kind: string) => {
    const described = await tools().succeed('topics', ['--describe', '--topic', TOPIC, `--${kind}-partitions`])
    return [...described.matchAll(/Partition: \d+/g)].length
  }
  assert.equal(await under('under-replicated'), 6)
  assert.equal(await under('at-min-isr'), 6)
  assert.equal(await under('under-min-isr'), 0)
  assert.equal(await under('unavailable'), 0)
  await room.node(2).start()
  await room.untilInSync([TOPIC], 3)
  assert.equal(await under('under-replicated'), 0)
}

async function preferred({ room, tools }: ToolRoom): Promise<void> {
  const astray = async () =>
    (await room.partitions(TOPIC)).filter(({ leader, replicas }) => leader !== replicas[0]).map(one => one.partition)
  const [first, ...others] = await astray()
  assert.ok(first !== undefined && others.length > 0, 'node 2 led some partitions, and leads none now')
  const elect = ['--election-type', 'preferred']
  const one = await tools().succeed('leader-election', [...elect, '--topic', TOPIC, '--partition', String(first)])
  assert.match(one, /Successfully completed leader election \(PREFERRED\) for partitions orders-\d/)
  assert.deepEqual(await astray(), others)
  const list = { partitions: [{ topic: TOPIC, partition: others[0] }] }
  const file = tools().file('elect.json', JSON.stringify(list))
  await tools().succeed('leader-election', [...elect, '--path-to-json-file', file])
  assert.deepEqual(await astray(), others.slice(1))
  await tools().succeed('leader-election', [...elect, '--all-topic-partitions'])
  assert.deepEqual(await astray(), [])
  const again = await tools().run('leader-election', [...elect, '--topic', TOPIC, '--partition', String(first)])
  assert.match(again.stdout, /Valid replica already elected for partitions/)
}

async function produce({ tools }: ToolRoom, value: string): Promise<void> {
  await tools().succeed('console-producer', ['--topic', LOSSY, '--command-property', 'acks=1'], `${value}\n`)
}

/** Two of three nodes are voters enough: one that lacks a record is started when the one that has it was killed. */
async function unclean(checks: ToolRoom): Promise<void> {
  const { room, tools } = checks
  const create = ['--create', '--topic', LOSSY, '--replica-assignment', '2:3', '--config', 'min.insync.replicas=1']
  await tools().succeed('topics', create)
  await room.untilInSync([LOSSY], 2)
  await produce(checks, 'both')
  await room.node(3).kill()
  await eventually(async () => assert.deepEqual((await room.partitions(LOSSY))[0]?.isr, [2]), SETTLE_MS)
  await produce(checks, 'two alone')
  await room.node(2).kill()
  await room.node(3).start()
  const leader = async () => (await room.partitions(LOSSY))[0]?.leader
  await eventually(async () => assert.equal(await leader(), -1), SETTLE_MS)
  const unavailable = await tools().succeed('topics', ['--describe', '--unavailable-partitions'])
  assert.match(unavailable, /Topic: lossy\s+Partition: 0\s+Leader: none/)
  const place = ['--topic', LOSSY, '--partition', '0']
  await tools().fail('leader-election', ['--election-type', 'preferred', ...place], /PreferredLeaderNotAvailable/)
  assert.equal(await leader(), -1)
  const elected = await tools().succeed('leader-election', ['--election-type', 'unclean', ...place])
  assert.match(elected, /Successfully completed leader election \(UNCLEAN\) for partitions lossy-0/)
  await eventually(async () => assert.equal(await leader(), 3))
  await produce(checks, 'three alone')
  await room.node(2).start()
  await room.untilInSync([LOSSY, TOPIC], 3)
  const reading = ['--topic', LOSSY, '--from-beginning', '--max-messages', '2', '--timeout-ms', '20000']
  const read = () => tools().succeed('console-consumer', reading)
  assert.equal(await read(), 'both\nthree alone\n')
  await tools().succeed('leader-election', ['--election-type', 'preferred', ...place])
  await eventually(async () => assert.equal(await leader(), 2))
  assert.equal(await read(), 'both\nthree alone\n', 'the node that had another record has given it up')
}

async function unregister({ room, tools, controllerTools }: ToolRoom): Promise<void> {
  await tools().fail('cluster', ['unregister', '--id', '77'], /not currently registered/, 'any')
  await room.node(3).stop()
  const listed = () => tools().succeed('cluster', ['list-endpoints', '--include-fenced-brokers'])
  assert.match(await listed(), /^3\s.*\sfenced\s/m)
  await controllerTools().succeed('cluster', ['unregister', '--id', '3'])
  await eventually(async () => assert.doesNotMatch(await listed(), /^3\s/m))
  await room.node(3).start()
  await eventually(async () => assert.match(await listed(), /^3\s.*\sunfenced\s/m))
  await room.untilInSync([TOPIC], 3)
}
