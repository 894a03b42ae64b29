import assert from 'node:assert/strict'
import { describeEnd, run } from '../process.js'
import { check, eventually, type SuiteContext } from '../suite.js'
import { kafkaToolsSuite } from '../suites/kafka-tools.js'
import { copyClient, kafkajsPackages, kafkajsSuite } from '../suites/kafkajs.js'
import { kcatSuite } from '../suites/kcat.js'
import { makeTools, rows, type Tools } from '../suites/tools/tools.js'
import { endLoads, kafkajsLoad, kcatLoad, type Load } from './load.js'
import type { StartedCluster } from './started.js'

const NODES = [0, 1, 2]
/** The one of them that loses its disk when it is killed. */
const ERASED = 1
/** After the loss of a node, clients must go on within this, ms. */
const GO_ON_MS = 60_000
/** Records that a client writes before it counts as going on. */
const GOES_ON_RECORDS = 50

/** kcat, kafkajs and Kafka's tools. */
export async function installClients(): Promise<void> {
  for (const suite of [kcatSuite, kafkajsSuite, kafkaToolsSuite]) await suite.install()
}

/** Everything that three nodes must be able to do for clients, in an order in which one check builds on the last. */
export async function clusterChecks(context: SuiteContext, cluster: StartedCluster): Promise<void> {
  const { addresses } = cluster
  const tools = makeTools(context)
  await check(context, 'each address leads to all three brokers', () => eachAddress(addresses))
  await check(context, 'topics: three copies of every partition, leaders on every node', () => copies(tools, context))
  await check(context, 'console-producer with acks=all, console-consumer through another address', () =>
    consoles(context, addresses),
  )
  await check(context, 'metadata-quorum: three voters without lag', () => quorum(tools))
  await check(context, 'kcat: acks=all through each address, read through each', () => throughEach(context, addresses))
  await losses(context, cluster)
  await check(context, 'all nodes end in order, and start again with every record', () => restart(context, cluster))
}

interface Listing {
  readonly brokers: readonly { readonly id: number; readonly name: string }[]
  readonly topics: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly leader: number
      readonly replicas: readonly { readonly id: number }[]
      readonly isrs: readonly { readonly id: number }[]
    }[]
  }[]
}

async function kcat(args: readonly string[], input?: string): Promise<string> {
  const finished = await run('kcat', args, { timeoutMs: 60_000, ...(input === undefined ? {} : { input }) })
  assert.equal(finished.code, 0, `kcat ${args.join(' ')} ${describeEnd(finished)}`)
  return finished.stdout
}

async function listing(bootstrap: string, topic?: string): Promise<Listing> {
  const one = topic === undefined ? [] : ['-t', topic]
  return JSON.parse(await kcat(['-b', bootstrap, '-L', '-J', ...one])) as Listing
}

async function eachAddress(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    await eventually(async () => {
      const { brokers } = await listing(address)
      assert.deepEqual(brokers.map(({ name }) => name).sort(), [...addresses].sort(), `through ${address}`)
    })
  }
}

async function copies(tools: Tools, context: SuiteContext): Promise<void> {
  const topic = `${context.prefix}copies`
  const args = ['--create', '--topic', topic, '--partitions', '6', '--replication-factor', '3']
  await tools.succeed('topics', [...args, '--config', 'min.insync.replicas=2'])
  await eventually(async () => {
    const described = await tools.succeed('topics', ['--describe', '--topic', topic])
    const partitions = [...described.matchAll(/Leader: (\d+)\s+Replicas: (\S+)\s+Isr: (\S+)/g)]
    assert.equal(partitions.length, 6, described)
    for (const [, , replicas = '', isr = ''] of partitions) {
      assert.equal(new Set(replicas.split(',')).size, 3, described)
      assert.deepEqual(isr.split(',').sort(), replicas.split(',').sort(), described)
    }
    assert.equal(new Set(partitions.map(([, leader]) => leader)).size, 3, described)
  })
}

async function consoles(context: SuiteContext, addresses: readonly string[]): Promise<void> {
  const [first, second, third] = addresses.map(bootstrap => makeTools({ ...context, bootstrap }))
  const topic = `${context.prefix}console`
  await first!.succeed('topics', ['--create', '--topic', topic, '--partitions', '3', '--replication-factor', '3'])
  const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`)
  const properties = ['--command-property', 'acks=all']
  await second!.succeed('console-producer', ['--topic', topic, ...properties], `${lines.join('\n')}\n`)
  const group = `${topic}-group`
  const reading = ['--topic', topic, '--group', group, '--from-beginning', '--max-messages', '300']
  const read = await third!.succeed('console-consumer', [...reading, '--timeout-ms', '40000'])
  assert.deepEqual(read.trimEnd().split('\n').sort(), lines.sort())
  const described = await first!.succeed('consumer-groups', ['--describe', '--group', group])
  // A partition without a record may have no offset yet.
  const committed = rows(described).filter(row => row[1] === topic)
  const lags = committed.map(row => Number(row[5]))
  assert.deepEqual(new Set(lags), new Set([0]), described)
  const offsets = committed.map(row => Number(row[3]))
  assert.equal(
    offsets.reduce((sum, offset) => sum + offset, 0),
    300,
    described,
  )
}

async function quorum(tools: Tools): Promise<void> {
  const status = await tools.succeed('metadata-quorum', ['describe', '--status'])
  assert.match(status, /LeaderId:\s+[123]\n/)
  const voters = /CurrentVoters:\s+\[(.*)\]/.exec(status)?.[1] ?? ''
  const ids = voters.startsWith('{')
    ? [...voters.matchAll(/"id": (\d+)/g)].map(match => match[1])
    : voters.split(/,\s*/)
  assert.deepEqual([...ids].sort(), ['1', '2', '3'], status)
  await eventually(async () => {
    const replication = await tools.succeed('metadata-quorum', ['describe', '--replication'])
    const [, ...members] = rows(replication)
    assert.equal(members.length, 3, replication)
    assert.deepEqual(members.map(member => member.at(-1)).sort(), ['Follower', 'Follower', 'Leader'], replication)
    for (const member of members) assert.ok(Number(member[3]) <= 2, `the lag of a voter\n${replication}`)
  })
}

async function throughEach(context: SuiteContext, addresses: readonly string[]): Promise<void> {
  const topic = `${context.prefix}each`
  const tools = makeTools(context)
  await tools.succeed('topics', ['--create', '--topic', topic, '--partitions', '3', '--replication-factor', '3'])
  const expected: string[] = []
  for (const address of addresses) {
    const lines = Array.from({ length: 200 }, (_, i) => `${address} ${i}`)
    expected.push(...lines)
    const settings = ['-X', 'acks=all', '-X', 'enable.idempotence=true']
    await kcat(['-b', address, '-P', '-t', topic, ...settings], `${lines.join('\n')}\n`)
  }
  for (const address of addresses) {
    const read = await kcat(['-b', address, '-C', '-t', topic, '-e', '-q'])
    assert.deepEqual(read.trimEnd().split('\n').sort(), [...expected].sort(), `through ${address}`)
  }
}

/** Under two clients that never stop writing with acks=all, each node is killed and started again. */
async function losses(context: SuiteContext, cluster: StartedCluster): Promise<void> {
  const packages = await kafkajsPackages()
  copyClient('kafkajs', packages)
  const loads: Load[] = []
  const topics = ['loads-kafkajs', 'loads-kcat'].map(name => context.prefix + name)
  try {
    await check(context, 'clients begin to write', async () => {
      const tools = makeTools(context)
      for (const topic of topics) {
        const args = ['--topic', topic, '--partitions', '6', '--replication-factor', '3']
        await tools.succeed('topics', ['--create', ...args, '--config', 'min.insync.replicas=2'])
      }
      loads.push(kafkajsLoad(context.bootstrap, topics[0]!, packages), kcatLoad(context.bootstrap, topics[1]!))
      await goOn(loads)
    })
    for (const node of NODES) await lose(context, cluster, node, loads, topics)
    for (const load of loads) {
      await check(context, `${load.name}: nothing lost, doubled or out of order`, async () => {
        process.stdout.write(`     ${load.name}: ${await load.stop()}\n`)
      })
    }
  } finally {
    endLoads()
  }
}

async function lose(
  context: SuiteContext,
  cluster: StartedCluster,
  node: number,
  loads: readonly Load[],
  topics: readonly string[],
): Promise<void> {
  const others = cluster.addresses.filter((_, index) => index !== node).join(',')
  await check(context, `node ${node + 1} is killed, and clients go on`, async () => {
    await cluster.kill(node)
    await goOn(loads)
    await eventually(() => inSync(others, topics, 2), GO_ON_MS)
  })
  const isErased = node === ERASED
  await check(context, `node ${node + 1} comes back ${isErased ? 'empty ' : ''}and catches up`, async () => {
    if (isErased) await cluster.erase(node)
    await cluster.start(node)
    await eventually(() => inSync(cluster.addresses.join(','), topics, 3), GO_ON_MS)
    await eachAddress(cluster.addresses)
    await goOn(loads)
  })
}

/** Every client has written some more. */
async function goOn(loads: readonly Load[]): Promise<void> {
  const before = loads.map(load => load.written())
  const progress = async (): Promise<void> => {
    for (const [index, load] of loads.entries()) {
      const more = load.written() - before[index]!
      assert.ok(more >= GOES_ON_RECORDS, `${load.name} has written ${more} records since`)
    }
  }
  await eventually(progress, GO_ON_MS)
}

async function inSync(bootstrap: string, topics: readonly string[], count: number): Promise<void> {
  for (const topic of topics) {
    const { topics: found } = await listing(bootstrap, topic)
    for (const { partition, leader, isrs } of found[0]?.partitions ?? []) {
      assert.ok(leader > 0, `${topic}-${partition} has no leader`)
      assert.equal(isrs.length, count, `in-sync replicas of ${topic}-${partition}: ${isrs.map(({ id }) => id)}`)
    }
  }
}

async function restart(context: SuiteContext, cluster: StartedCluster): Promise<void> {
  const topic = `${context.prefix}each`
  const readAll = async () => {
    const read = await kcat(['-b', context.bootstrap, '-C', '-t', topic, '-e', '-q', '-f', '%p %o %s\n'])
    return read.trimEnd().split('\n').sort()
  }
  const before = await readAll()
  assert.equal(before.length, 600)
  await cluster.stop()
  await cluster.startAll()
  await eventually(() => inSync(context.bootstrap, [topic], 3), GO_ON_MS)
  assert.deepEqual(await readAll(), before)
  await cluster.stop()
}
