import assert from 'node:assert/strict'
import { ErrorCode } from '#protocol/errors.js'
import { AlterClientQuotas } from '#protocol/messages/alter-client-quotas.js'
import { AlterUserScramCredentials } from '#protocol/messages/alter-user-scram-credentials.js'
import { askAddress } from '../../support/cluster-client.js'
import { check, eventually } from '../suite.js'
import { makeTools, rowsOf } from '../suites/tools/tools.js'
import type { Checks } from './checks.js'
import { SETTLE_MS } from './room.js'

const SCRAM_SHA_256 = 1

/** Kafka's tools, through brokers and controllers of both kinds. */
export async function adminChecks(checks: Checks): Promise<void> {
  await check(checks, 'metadata-quorum --bootstrap-controller: every controller tells the same leader', () =>
    sameLeader(checks),
  )
  await check(checks, 'features: the same levels through every node', () => sameFeatures(checks))
  await check(checks, 'features: downgrade and upgrade of eligible.leader.replicas.version', () =>
    changeFeature(checks),
  )
  await check(checks, 'cluster: list-endpoints of brokers and controllers', () => endpoints(checks))
  await check(checks, 'configs: of a topic, of every broker and of all show through each broker', () => configs(checks))
  if (checks.room.controllers.every(({ kind }) => kind === 'kafka')) {
    await check(checks, 'configs: quotas and credentials', () => quotas(checks))
  }
  await check(checks, 'reassign-partitions: from one kind to the other and back', () => reassign(checks))
  if (checks.room.plan.directories !== undefined) {
    await check(checks, 'reassign-partitions: replicas go to other directories of their brokers', () =>
      otherDirectories(checks),
    )
  }
  await check(checks, 'topics: deleted everywhere', () => deleteTopic(checks))
}

/** Tools through one node: a broker if it is one, otherwise its listener for controllers. */
function through(checks: Checks, id: number) {
  const node = checks.room.node(id)
  return makeTools({ ...checks, bootstrap: node.address })
}

async function sameLeader(checks: Checks): Promise<void> {
  const { room } = checks
  const leader = await room.quorumLeader()
  for (const { controllerAddress } of room.controllers) {
    const status = await controllerTool(checks, controllerAddress, 'metadata-quorum', ['describe', '--status'])
    assert.match(status, new RegExp(`LeaderId:\\s+${leader.id}\\n`), `through ${controllerAddress}`)
  }
}

async function controllerTool(checks: Checks, address: string, tool: string, args: readonly string[]): Promise<string> {
  return makeTools({ ...checks, bootstrap: address }, '--bootstrap-controller').succeed(tool, args)
}

/** The finalized levels that `features describe` tells of; what a node supports and the epoch may differ. */
function levels(described: string): string[] {
  const found = described.matchAll(/^Feature: (\S+).*FinalizedVersionLevel: (?:UNKNOWN )?(\S+)/gm)
  return [...found].map(([, name, level]) => `${name} ${level}`).sort()
}

async function sameFeatures(checks: Checks): Promise<void> {
  const { room } = checks
  const told = new Map<string, string[]>()
  for (const { id, name } of room.brokers)
    told.set(name, levels(await through(checks, id).succeed('features', ['describe'])))
  for (const { name, controllerAddress } of room.controllers) {
    told.set(
      `${name} as a controller`,
      levels(await controllerTool(checks, controllerAddress, 'features', ['describe'])),
    )
  }
  const [[, first = []] = []] = told
  assert.ok(first.includes('metadata.version 33') || first.includes('metadata.version 4.4-IV2'), first.join('\n'))
  for (const [name, features] of told) assert.deepEqual(features, first, name)
}

async function changeFeature(checks: Checks): Promise<void> {
  const { room, tools } = checks
  for (const [command, level] of [
    ['downgrade', 0],
    ['upgrade', 1],
  ] as const) {
    await tools().succeed('features', [command, '--feature', `eligible.leader.replicas.version=${level}`])
    for (const { id } of room.brokers) {
      await eventually(async () => {
        const described = await through(checks, id).succeed('features', ['describe'])
        assert.match(
          described,
          new RegExp(`eligible\\.leader\\.replicas\\.version.*FinalizedVersionLevel: ${level}\\s`),
        )
      }, SETTLE_MS)
    }
  }
}

async function endpoints(checks: Checks): Promise<void> {
  const { room } = checks
  for (const { id, name } of room.brokers) {
    const listed = await through(checks, id).succeed('cluster', ['list-endpoints'])
    const found = rowsAfterHeader(listed).map(row => [Number(row[0]), `${row[1]}:${row[2]}`, row[4], row[5]])
    const expected = room.brokers.map(node => [node.id, node.address, 'unfenced', 'broker'])
    assert.deepEqual(found, expected, `through ${name}`)
  }
  for (const { name, controllerAddress } of room.controllers) {
    const listed = await controllerTool(checks, controllerAddress, 'cluster', ['list-endpoints'])
    const found = rowsAfterHeader(listed).map(row => [Number(row[0]), `${row[1]}:${row[2]}`, row.at(-1)])
    const expected = room.controllers.map(node => [node.id, node.controllerAddress, 'controller'])
    assert.deepEqual(found, expected, `through ${name}`)
  }
}

function rowsAfterHeader(output: string): string[][] {
  const lines = output.split('\n').filter(line => /^\d/.test(line.trim()))
  return lines.map(line => line.trim().split(/\s+/)).sort(([a], [b]) => Number(a) - Number(b))
}

async function configs(checks: Checks): Promise<void> {
  const { room, tools } = checks
  const alter = (type: string, name: string | null, config: string) => {
    const entity = name === null ? ['--entity-default'] : ['--entity-name', name]
    return tools().succeed('configs', ['--alter', '--entity-type', type, ...entity, '--add-config', config])
  }
  await alter('topics', 'placed', 'retention.ms=777777777')
  await alter('brokers', null, 'log.retention.ms=888888888')
  for (const { id } of room.brokers) await alter('brokers', String(id), `message.max.bytes=${1_000_000 + id}`)
  for (const node of room.brokers) {
    const describe = (type: string, name: string) =>
      through(checks, node.id).succeed('configs', ['--describe', '--entity-type', type, '--entity-name', name])
    await eventually(async () => {
      assert.match(await describe('topics', 'placed'), /retention\.ms=777777777 /, node.name)
      const told = await describe('brokers', String(node.id))
      assert.match(told, new RegExp(`message\\.max\\.bytes=${1_000_000 + node.id} `), node.name)
      assert.match(told, /DEFAULT_CONFIG:message\.max\.bytes=1048588/, node.name)
    }, SETTLE_MS)
  }
}

/**
 * Quotas and credentials, which only controllers of Kafka write: our nodes keep them and hand them on in snapshots.
 * Kafka's own tools ask whichever broker they please first, and ours do not serve these requests yet.
 */
async function quotas({ room }: Checks): Promise<void> {
  const { address } = room.brokers.find(({ kind }) => kind === 'kafka')!
  const entry = (entityType: string, entityName: string, key: string, value: number) => ({
    entity: [{ entityType, entityName }],
    ops: [{ key, value, remove: false }],
  })
  const altered = await askAddress(address, AlterClientQuotas, {
    entries: [
      entry('client-id', 'some-client', 'producer_byte_rate', 123456789),
      entry('user', 'some-user', 'request_percentage', 200),
      entry('ip', '192.0.2.1', 'connection_creation_rate', 99),
    ],
    validateOnly: false,
  })
  assert.deepEqual(
    altered.entries.map(({ errorCode, errorMessage }) => [errorCode, errorMessage]),
    Array(3).fill([ErrorCode.NONE, null]),
  )
  const credential = { name: 'some-user', mechanism: SCRAM_SHA_256, iterations: 8192 }
  const upserted = await askAddress(address, AlterUserScramCredentials, {
    deletions: [],
    upsertions: [{ ...credential, salt: Buffer.alloc(16, 1), saltedPassword: Buffer.alloc(32, 2) }],
  })
  assert.deepEqual(
    upserted.results.map(({ errorCode, errorMessage }) => [errorCode, errorMessage]),
    [[ErrorCode.NONE, null]],
  )
}

async function reassign(checks: Checks): Promise<void> {
  const { room, tools } = checks
  const topic = 'moved'
  const [one, two, three] = room.brokers.map(({ id }) => id) as [number, number, number]
  await tools().succeed('topics', ['--create', '--topic', topic, '--replica-assignment', `${one},${two},${three}`])
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i}`)
  await tools().succeed('console-producer', ['--topic', topic], `${lines.join('\n')}\n`)
  const turns = [
    [[two], [three], [one]],
    [
      [three, two],
      [one, three],
      [two, one],
    ],
    [
      [one, two, three],
      [two, three, one],
      [three, one, two],
    ],
  ]
  for (const [turn, replicas] of turns.entries()) {
    const partitions = replicas.map((list, partition) => ({ topic, partition, replicas: list }))
    const file = checks.tools().file(`reassign-${turn}.json`, JSON.stringify({ version: 1, partitions }))
    const args = ['--reassignment-json-file', file]
    await tools().succeed('reassign-partitions', ['--execute', ...args])
    await eventually(async () => {
      const verified = await tools().succeed('reassign-partitions', ['--verify', ...args])
      assert.equal(
        rowsOf(verified, 'Reassignment').filter(row => row.at(-1) === 'completed.' || row.at(-1) === 'complete.')
          .length,
        3,
        verified,
      )
    }, SETTLE_MS)
    for (const { address } of room.brokers) {
      await eventually(async () => {
        const listed = await room.partitions(topic, address)
        assert.deepEqual(
          listed.map(partition => partition.replicas),
          replicas,
        )
        for (const { isr } of listed) assert.equal(isr.length, replicas[0]!.length, JSON.stringify(listed))
      }, SETTLE_MS)
    }
    const read = await tools().succeed('console-consumer', [
      '--topic',
      topic,
      '--from-beginning',
      '--max-messages',
      '500',
      '--timeout-ms',
      '30000',
    ])
    assert.deepEqual(read.trimEnd().split('\n').sort(), lines.toSorted())
  }
}

interface DescribedDirectories {
  readonly brokers: readonly {
    readonly broker: number
    readonly logDirs: readonly { readonly logDir: string; readonly partitions: readonly DescribedReplica[] }[]
  }[]
}

interface DescribedReplica {
  readonly partition: string
  readonly isFuture: boolean
}

/** Every replica of a partition goes to the other directory of its broker, and on to the first. */
async function otherDirectories({ room, tools }: Checks): Promise<void> {
  const where = async () => {
    const output = await tools().succeed('log-dirs', ['--describe', '--topic-list', 'moved'])
    const { brokers } = JSON.parse(output.split('\n').find(line => line.startsWith('{')) ?? '') as DescribedDirectories
    const all = brokers.flatMap(({ broker, logDirs }) =>
      logDirs.flatMap(({ logDir, partitions }) => partitions.map(one => ({ broker, logDir, ...one }))),
    )
    return all.filter(({ partition }) => partition === 'moved-0')
  }
  const ids = room.brokers.map(({ id }) => id)
  for (const turn of [1, 0]) {
    const directories = room.brokers.map(node => node.directories[turn]!)
    const partitions = [{ topic: 'moved', partition: 0, replicas: ids, log_dirs: directories }]
    const file = tools().file(`directories-${turn}.json`, JSON.stringify({ version: 1, partitions }))
    await tools().succeed('reassign-partitions', ['--execute', '--reassignment-json-file', file])
    const expected = room.brokers.map(({ id, directories: own }) => [id, own[turn], false])
    await eventually(async () => {
      const found = (await where()).map(({ broker, logDir, isFuture }) => [broker, logDir, isFuture])
      assert.deepEqual(found.sort(), expected)
    }, SETTLE_MS)
    await room.untilInSync(['moved'], 3)
  }
}

async function deleteTopic(checks: Checks): Promise<void> {
  const { room, tools } = checks
  await tools().succeed('topics', ['--delete', '--topic', 'moved'])
  for (const { id, name } of room.brokers) {
    await eventually(async () => {
      const listed = await through(checks, id).succeed('topics', ['--list'])
      assert.ok(!listed.split('\n').includes('moved'), name)
    }, SETTLE_MS)
  }
}
