import assert from 'node:assert/strict'
import { kafkajsLoad, kcatLoad, type Load } from '../cluster/load.js'
import { check, eventually, type SuiteContext } from '../suite.js'
import { copyClient, kafkajsPackages } from '../suites/kafkajs.js'
import { makeTools, rows, type Tools } from '../suites/tools/tools.js'
import { adminChecks } from './admin-checks.js'
import { complaintsOf } from './complaints.js'
import { divergenceChecks } from './divergence.js'
import { beganWithSnapshot, compareFiles, snapshotsOf } from './files.js'
import { compareSnapshots } from './images.js'
import type { Kind, MixedNode } from './node.js'
import { changeMetadata, moveQuorumLeader, replaceVoter } from './quorum.js'
import { brokersKnownTo, kcat, type Room, SETTLE_MS } from './room.js'
import type { Scenario } from './scenarios.js'

/** Records that a client writes before it counts as going on. */
const GOES_ON_RECORDS = 50
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** The topic that every check of leadership looks at: a partition for each rotation of the three brokers. */
export const BOTH = 'both'
/** A topic with a partition of each broker's, all of which begin at this offset. */
const CUT = 'cut'
const CUT_OFFSET = 50

export type Checks = SuiteContext & { readonly room: Room; readonly tools: () => Tools }

/** Everything that nodes of both kinds must be able to do together, in an order in which one builds on the last. */
export async function mixedChecks(context: SuiteContext, room: Room, scenario: Scenario): Promise<void> {
  const tools = () => makeTools({ ...context, bootstrap: room.bootstrap })
  const checks: Checks = { ...context, room, tools }
  await room.startAll()
  await check(context, 'every broker tells of every broker', () => everyBroker(room))
  await check(context, 'metadata-quorum: all voters and observers, none behind', () => quorum(checks, scenario))
  await check(context, 'topics: three replicas on both kinds, in sync', () => topics(checks))
  await check(context, 'records of every codec with acks=all through each address, read through each', () =>
    records(room),
  )
  await check(context, 'console-producer, and a group of console-consumer: the same offsets through each', () =>
    groups(checks),
  )
  await check(context, 'delete-records: what one kind has cut off is gone from the other', () => deleteRecords(checks))
  await adminChecks(checks)
  await divergenceChecks(checks)
  await losses(checks, scenario)
  if (scenario.plan.quorum.kind === 'static') {
    await check(context, 'features: kraft.version is raised to 1', () => raiseKRaftVersion(checks))
  }
  await check(context, 'all nodes end in order, and start again with every record', () => restart(room))
  await check(context, 'the replicas have the same batches, byte by byte', () => sameFiles(checks))
  await check(context, 'no node has logged an error', async () => {
    assert.deepEqual(room.nodes.flatMap(complaintsOf), [])
  })
  await check(context, 'snapshots of the same offset have the same records', async () => {
    process.stdout.write(`     ${await compareSnapshots(room, tools())} snapshots\n`)
  })
}

async function everyBroker(room: Room): Promise<void> {
  const all = room.brokers.map(({ address }) => address).sort()
  for (const address of all) {
    await eventually(async () => assert.deepEqual(await brokersKnownTo(address), all, `through ${address}`), SETTLE_MS)
  }
}

async function quorum({ room, tools }: Checks, { plan }: Scenario): Promise<void> {
  const status = await tools().succeed('metadata-quorum', ['describe', '--status'])
  const voters = /CurrentVoters:\s+(\[.*\])/.exec(status)?.[1] ?? '[]'
  const ids = (JSON.parse(voters) as { id: number }[]).map(({ id }) => id)
  assert.deepEqual(ids.toSorted(), [...plan.quorum.voters], status)
  await eventually(async () => {
    const replication = await tools().succeed('metadata-quorum', ['describe', '--replication'])
    const [, ...members] = rows(replication)
    const role = (id: number) => (plan.quorum.voters.includes(id) ? 'voter' : 'Observer')
    const told = members.map(row => [Number(row[0]), row.at(-1) === 'Observer' ? 'Observer' : 'voter'] as const)
    const expected = room.nodes.map(({ id }) => [id, role(id)] as const)
    assert.deepEqual(
      told.toSorted(([a], [b]) => a - b),
      expected,
      replication,
    )
    for (const member of members) assert.ok(Number(member[3]) <= 3, `a lag\n${replication}`)
  }, SETTLE_MS)
}

async function topics({ room, tools }: Checks): Promise<void> {
  const ids = room.brokers.map(({ id }) => id)
  const rotations = ids.map((_, turn) => [...ids.slice(turn), ...ids.slice(0, turn)].join(':'))
  const assignment = ['--replica-assignment', [...rotations, ...rotations].join(',')]
  await tools().succeed('topics', ['--create', '--topic', BOTH, ...assignment, '--config', 'min.insync.replicas=2'])
  await room.untilInSync([BOTH], 3)
  const leaders = (await room.partitions(BOTH)).map(({ leader }) => leader)
  assert.deepEqual(leaders, [...ids, ...ids])
  const cut = ['--create', '--topic', CUT, '--replica-assignment', rotations.join(',')]
  await tools().succeed('topics', cut)
  const placed = ['--create', '--topic', 'placed', '--partitions', '6', '--replication-factor', '3']
  await tools().succeed('topics', placed)
  await room.untilInSync(['placed'], 3)
  assert.equal(new Set((await room.partitions('placed')).map(({ leader }) => leader)).size, 3)
}

/** DeleteRecords moves the start of a partition on every replica, whoever leads it. */
async function deleteRecords({ room, tools }: Checks): Promise<void> {
  const partitions = room.brokers.map((_, partition) => partition)
  for (const partition of partitions) {
    const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`)
    await kcat(['-b', room.bootstrap, '-P', '-t', CUT, '-p', String(partition), '-X', 'acks=all'], lines.join('\n'))
  }
  const ends = partitions.map(partition => ({ topic: CUT, partition, offset: CUT_OFFSET }))
  const file = tools().file('cut.json', JSON.stringify({ version: 1, partitions: ends }))
  const deleted = await tools().succeed('delete-records', ['--offset-json-file', file])
  for (const partition of partitions)
    assert.match(deleted, new RegExp(`cut-${partition}\\s+low_watermark: ${CUT_OFFSET}`))
  await startsAtCut(room)
}

async function startsAtCut(room: Room): Promise<void> {
  for (const partition of room.brokers.keys()) {
    const told = await kcat(['-b', room.bootstrap, '-Q', '-t', `${CUT}:${partition}:-2`])
    assert.match(told, new RegExp(`offset ${CUT_OFFSET}$`, 'm'), told)
  }
}

async function records(room: Room): Promise<void> {
  const expected: string[] = []
  const write = async (address: string) => {
    for (const codec of CODECS) {
      const lines = Array.from({ length: 200 }, (_, i) => `${address} ${codec} ${i}`)
      expected.push(...lines)
      const settings = ['acks=all', 'enable.idempotence=true', `compression.codec=${codec}`]
      const flags = settings.flatMap(setting => ['-X', setting])
      await kcat(['-b', address, '-P', '-t', BOTH, ...flags], `${lines.join('\n')}\n`)
    }
  }
  await Promise.all(room.brokers.map(({ address }) => write(address)))
  expected.sort()
  for (const { address } of room.brokers) {
    const read = await kcat(['-b', address, '-C', '-t', BOTH, '-e', '-q'])
    assert.deepEqual(read.trimEnd().split('\n').sort(), expected, `through ${address}`)
  }
}

const GROUP = 'both-group'

/** A group's committed offsets of each partition, as the broker that coordinates it tells. */
async function committed(tools: Tools): Promise<string[]> {
  const described = await tools.succeed('consumer-groups', ['--describe', '--group', GROUP])
  const found = rows(described).filter(row => row[1] === 'placed')
  assert.ok(found.length > 0, described)
  return found.map(row => `${row[2]} ${row[3]}`).sort()
}

async function groups({ room, tools, ...context }: Checks): Promise<void> {
  const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`)
  const all = ['--command-property', 'acks=all']
  await tools().succeed('console-producer', ['--topic', 'placed', ...all], `${lines.join('\n')}\n`)
  const reading = ['--topic', 'placed', '--group', GROUP, '--from-beginning', '--max-messages', '300']
  const read = await tools().succeed('console-consumer', [...reading, '--timeout-ms', '40000'])
  assert.deepEqual(read.trimEnd().split('\n').sort(), lines.sort())
  const offsets = await committed(tools())
  for (const { address } of room.brokers) {
    const through = makeTools({ ...context, bootstrap: address })
    assert.deepEqual(await committed(through), offsets, `through ${address}`)
  }
}

/** Under clients that never stop writing with acks=all, nodes are lost and come back, and the quorum's leader moves. */
async function losses(checks: Checks, scenario: Scenario): Promise<void> {
  const { room, tools } = checks
  const packages = await kafkajsPackages()
  copyClient('kafkajs', packages)
  const loads: Load[] = []
  const written = ['load-kafkajs', 'load-kcat']
  await check(checks, 'clients begin to write', async () => {
    for (const topic of written) {
      const args = ['--topic', topic, '--partitions', '6', '--replication-factor', '3']
      await tools().succeed('topics', ['--create', ...args, '--config', 'min.insync.replicas=2'])
    }
    loads.push(kafkajsLoad(room.allAddresses, written[0]!, packages), kcatLoad(room.allAddresses, written[1]!))
    await goOn(loads)
  })
  const watched = [...written, BOTH, CUT]
  for (const id of scenario.losses) await lose(checks, room.node(id), loads, watched)
  await check(checks, 'the leader of the quorum is killed, and clients go on', async () => {
    const leader = await room.quorumLeader()
    await leader.kill()
    assert.notEqual((await room.quorumLeader()).id, leader.id)
    await goOn(loads)
    await leader.start()
    await room.untilInSync(watched, 3)
    await everyBroker(room)
  })
  for (const { id, leader } of scenario.wiped) await wipe(checks, room.node(id), leader, loads, watched)
  for (const load of loads) {
    await check(checks, `${load.name}: nothing lost, doubled or out of order`, async () => {
      process.stdout.write(`     ${load.name}: ${await load.stop()}\n`)
    })
  }
}

/** Every client has written some more. */
async function goOn(loads: readonly Load[]): Promise<void> {
  const before = loads.map(load => load.written())
  await eventually(async () => {
    for (const [index, load] of loads.entries()) {
      const more = load.written() - before[index]!
      assert.ok(more >= GOES_ON_RECORDS, `${load.name} has written ${more} records since`)
    }
  }, SETTLE_MS)
}

const KIND_NAMES: Readonly<Record<Kind, string>> = { kafka: 'Kafka', ottla: 'Ottla' }

async function lose(
  checks: Checks,
  node: MixedNode,
  loads: readonly Load[],
  watched: readonly string[],
): Promise<void> {
  const { room, tools } = checks
  let before: string[] = []
  await check(checks, `${node.name} is killed: others lead, and clients go on`, async () => {
    before = await committed(tools())
    await node.kill()
    await room.untilInSync(watched, 2)
    const led = await room.partitions(BOTH)
    assert.ok(
      led.every(({ leader }) => leader !== node.id),
      JSON.stringify(led),
    )
    await goOn(loads)
    assert.deepEqual(await committed(tools()), before)
    await startsAtCut(room)
  })
  await check(checks, `${node.name} comes back and catches up`, async () => {
    if (!node.isRunning) await node.start()
    await room.untilInSync([...watched, '__consumer_offsets'], 3)
    await goOn(loads)
    assert.deepEqual(await committed(tools()), before)
  })
  await check(checks, `leader-election: ${node.name} leads again what it leads by preference`, async () => {
    const elect = ['--election-type', 'preferred', '--all-topic-partitions']
    await tools().succeed('leader-election', elect)
    for (const { address } of room.brokers) {
      await eventually(async () => {
        const led = await room.partitions(BOTH, address)
        for (const { leader, replicas } of led) assert.equal(leader, replicas[0], JSON.stringify(led))
      }, SETTLE_MS)
    }
    await goOn(loads)
  })
}

/** A node comes back with an empty directory: it is sent a snapshot, and all records again. */
async function wipe(
  checks: Checks,
  node: MixedNode,
  kind: Kind,
  loads: readonly Load[],
  watched: readonly string[],
): Promise<void> {
  const { room } = checks
  await check(checks, `${KIND_NAMES[kind]} leads the quorum`, async () => {
    await moveQuorumLeader(room, leader => leader.kind === kind && leader !== node)
    await room.untilInSync(watched, 3)
    await goOn(loads)
  })
  await check(checks, `every node takes snapshots of the metadata`, async () => {
    const before = new Map(room.nodes.map(one => [one, Math.max(0, ...snapshotsOf(one))]))
    await eventually(async () => {
      await changeMetadata(room)
      for (const one of room.nodes) {
        assert.ok(Math.max(0, ...snapshotsOf(one)) > before.get(one)!, `no new snapshot of ${one.name}`)
      }
    }, SETTLE_MS)
  })
  await check(checks, `${node.name} loses its directory: ${KIND_NAMES[kind]} sends it a snapshot`, async () => {
    await node.kill()
    node.wipe()
    await node.format(true)
    await goOn(loads)
    await node.start()
    await eventually(async () => assert.ok(beganWithSnapshot(node)), SETTLE_MS)
    await replaceVoter(checks.tools(), room, node)
    await room.untilInSync([...watched, 'placed', '__consumer_offsets'], 3)
    await everyBroker(room)
    await goOn(loads)
  })
}

/** From voters that the files name to voters that the metadata log names. */
async function raiseKRaftVersion({ room, tools }: Checks): Promise<void> {
  // Every voter tells the leader of itself some seconds after it has found it; until then the leader refuses.
  await eventually(() => tools().succeed('features', ['upgrade', '--feature', 'kraft.version=1']), SETTLE_MS)
  const status = await tools().succeed('metadata-quorum', ['describe', '--status'])
  const voters = JSON.parse(/CurrentVoters:\s+(\[.*\])/.exec(status)?.[1] ?? '[]') as Voter[]
  assert.deepEqual(
    voters.map(({ id, endpoints }) => [id, endpoints]).sort(),
    room.controllers.map(({ id, controllerAddress }) => [id, [`CONTROLLER://${controllerAddress}`]]),
  )
  assert.equal(new Set(voters.map(({ directoryId }) => directoryId)).size, voters.length)
  const before = await room.quorumLeader()
  await moveQuorumLeader(room, leader => leader.id !== before.id)
  await everyBroker(room)
}

interface Voter {
  readonly id: number
  readonly directoryId: string
  readonly endpoints: readonly string[]
}

async function restart(room: Room): Promise<void> {
  const readAll = async () => {
    const read = await kcat(['-b', room.bootstrap, '-C', '-t', BOTH, '-e', '-q', '-f', '%p %o %s\n'])
    return read.trimEnd().split('\n').sort()
  }
  const before = await readAll()
  assert.equal(before.length, 3 * CODECS.length * 200)
  await room.stopAll()
  await room.startAll()
  await everyBroker(room)
  await room.untilInSync([BOTH, 'placed', '__consumer_offsets'], 3)
  assert.deepEqual(await readAll(), before)
}

async function sameFiles({ room, tools }: Checks): Promise<void> {
  // A client that went without a word leaves its group later: that is written too.
  await eventually(async () => {
    const states = await tools().succeed('consumer-groups', ['--describe', '--all-groups', '--state'])
    assert.doesNotMatch(states, /Stable|Rebalance/)
  }, SETTLE_MS)
  const compare = () => {
    const compared = compareFiles(room.nodes)
    const problems = compared.flatMap(one => one.problems.map(problem => `${one.partition}: ${problem}`))
    assert.deepEqual(problems, [])
    return compared
  }
  // What was written last needs a moment to reach all.
  await eventually(async () => compare(), SETTLE_MS)
  await room.stopAll()
  const compared = compare()
  const batches = compared.reduce((sum, one) => sum + one.batches, 0)
  process.stdout.write(`     ${batches} batches of ${compared.length} partitions\n`)
}
