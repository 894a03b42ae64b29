import assert from 'node:assert/strict'
import type { Room } from '../mixed/room.js'
import { SETTLE_MS } from '../mixed/room.js'
import { check, eventually, type SuiteContext } from '../suite.js'
import { makeTools, rows, type Tools } from '../suites/tools/tools.js'
import { electionChecks } from './elections.js'
import { quorumChecks } from './quorum.js'
import { reassignChecks } from './reassign.js'
import { shellChecks } from './shell.js'

/** A cluster, and Kafka's tools against it. */
export interface ToolRoom extends SuiteContext {
  readonly room: Room
  /** Through all brokers that run. */
  readonly tools: () => Tools
  /** Through the listeners for controllers. */
  readonly controllerTools: () => Tools
}

/** Every tool for a cluster, in an order in which one check builds on the last. */
export async function toolChecks(context: SuiteContext, room: Room): Promise<void> {
  const controllers = () => room.controllers.filter(node => node.isRunning).map(node => node.controllerAddress)
  const checks: ToolRoom = {
    ...context,
    room,
    tools: () => makeTools({ ...context, bootstrap: room.bootstrap }),
    controllerTools: () => makeTools({ ...context, bootstrap: controllers().join(',') }, '--bootstrap-controller'),
  }
  await room.startAll()
  await check(checks, 'topics: --describe, --at-min-isr-partitions and the others while all is well', () =>
    topicsAllWell(checks),
  )
  await check(checks, 'cluster: id and endpoints, through brokers and controllers', () => cluster(checks))
  await check(checks, 'configs: brokers, all brokers, topics, through brokers and controllers', () => configs(checks))
  await check(checks, 'log-dirs: each replica on each node', () => logDirectories(checks))
  await check(checks, 'get-offsets: of all partitions', () => offsets(checks))
  await check(checks, 'replica-verification: no lag', () => replicaVerification(checks))
  await featureChecks(checks)
  await reassignChecks(checks)
  await electionChecks(checks)
  await quorumChecks(checks)
  await check(checks, 'all nodes end in order', () => room.stopAll())
  // The shell wants a directory that nobody uses.
  await shellChecks(checks)
}

export const TOPIC = 'orders'

async function topicsAllWell({ room, tools }: ToolRoom): Promise<void> {
  const create = ['--create', '--topic', TOPIC, '--partitions', '6', '--replication-factor', '3']
  await tools().succeed('topics', [...create, '--config', 'min.insync.replicas=2'])
  await room.untilInSync([TOPIC], 3)
  const described = await tools().succeed('topics', ['--describe', '--topic', TOPIC])
  assert.match(described, /PartitionCount: 6\s+ReplicationFactor: 3\s+Configs: .*min\.insync\.replicas=2/)
  assert.equal(
    [...described.matchAll(/Leader: [123]\s+Replicas: [123],[123],[123]\s+Isr: [123],[123],[123]/g)].length,
    6,
  )
  for (const kind of ['under-replicated', 'unavailable', 'under-min-isr', 'at-min-isr']) {
    assert.equal((await tools().succeed('topics', ['--describe', `--${kind}-partitions`])).trim(), '', kind)
  }
  const lines = Array.from({ length: 3000 }, (_, i) => `order ${i}`)
  const settings = ['--command-property', 'acks=all']
  await tools().succeed('console-producer', ['--topic', TOPIC, ...settings], `${lines.join('\n')}\n`)
}

async function cluster({ room, tools, controllerTools }: ToolRoom): Promise<void> {
  const throughBrokers = await tools().succeed('cluster', ['cluster-id'])
  assert.match(throughBrokers, /^Cluster ID: [\w-]{22}$/m)
  assert.equal(await controllerTools().succeed('cluster', ['cluster-id']), throughBrokers)
  const endpoints = (output: string) =>
    rows(output)
      .filter(row => /^\d+$/.test(row[0] ?? ''))
      .map(row => [`${row[1]}:${row[2]}`, row.at(-1)])
      .sort()
  const brokers = await tools().succeed('cluster', ['list-endpoints', '--include-fenced-brokers'])
  assert.deepEqual(
    endpoints(brokers),
    room.brokers.map(({ address }) => [address, 'broker']),
  )
  const controllers = await controllerTools().succeed('cluster', ['list-endpoints'])
  const running = room.controllers.filter(node => node.isRunning)
  assert.deepEqual(
    endpoints(controllers),
    running.map(({ controllerAddress }) => [controllerAddress, 'controller']),
  )
}

async function configs({ room, tools, controllerTools }: ToolRoom): Promise<void> {
  const broker = ['--entity-type', 'brokers', '--entity-name', '2']
  const all = ['--entity-type', 'brokers', '--entity-default']
  const topic = ['--entity-type', 'topics', '--entity-name', TOPIC]
  const says = async (through: () => Tools, entity: readonly string[], text: RegExp) =>
    eventually(async () => assert.match(await through().succeed('configs', ['--describe', ...entity]), text))
  await tools().succeed('configs', ['--alter', ...broker, '--add-config', 'log.cleaner.threads=2'])
  await says(tools, broker, /log\.cleaner\.threads=2 sensitive=false synonyms=\{DYNAMIC_BROKER_CONFIG:/)
  await tools().succeed('configs', ['--alter', ...all, '--add-config', 'log.retention.ms=99999999'])
  await says(tools, all, /log\.retention\.ms=99999999/)
  await tools().succeed('configs', [
    '--alter',
    ...topic,
    '--add-config',
    'retention.ms=77777777,max.message.bytes=2000000',
  ])
  await says(tools, topic, /retention\.ms=77777777/)
  await tools().succeed('configs', ['--alter', ...topic, '--delete-config', 'max.message.bytes'])
  await controllerTools().succeed('configs', ['--alter', ...broker, '--add-config', 'log.cleaner.threads=3'])
  await says(tools, broker, /log\.cleaner\.threads=3/)
  // Not the controller, but the broker itself says so.
  const leader = await room.quorumLeader()
  const follower = room.brokers.find(({ id }) => id !== leader.id && id !== 2)!
  const steps = [
    '--entity-type',
    'brokers',
    '--entity-name',
    String(follower.id),
    '--add-config',
    'log.cleaner.threads=4',
  ]
  await tools().fail('configs', ['--alter', ...steps], /more than double/)
  const controller = ['--entity-type', 'brokers', '--entity-name', '1']
  await says(controllerTools, controller, /Dynamic configs for broker 1 are/)
  await tools().succeed('configs', ['--alter', ...broker, '--delete-config', 'log.cleaner.threads'])
  await tools().succeed('configs', ['--alter', ...all, '--delete-config', 'log.retention.ms'])
  await tools().fail(
    'configs',
    ['--alter', ...topic, '--add-config', 'no.such=1'],
    /InvalidConfigurationException|Unknown topic config/,
  )
}

interface DescribedDirectories {
  readonly brokers: readonly {
    readonly broker: number
    readonly logDirs: readonly {
      readonly error: string | null
      readonly partitions: readonly { readonly partition: string; readonly size: number; readonly offsetLag: number }[]
    }[]
  }[]
}

async function logDirectories({ tools }: ToolRoom): Promise<void> {
  const output = await tools().succeed('log-dirs', ['--describe', '--topic-list', TOPIC])
  const { brokers } = JSON.parse(output.split('\n').find(line => line.startsWith('{')) ?? '') as DescribedDirectories
  assert.deepEqual(brokers.map(({ broker }) => broker).sort(), [1, 2, 3])
  const sizes = brokers.map(({ logDirs }) => {
    assert.equal(logDirs[0]?.error, null)
    return logDirs
      .flatMap(({ partitions }) => partitions.map(one => `${one.partition} ${one.size} ${one.offsetLag}`))
      .sort()
  })
  assert.equal(sizes[0]?.length, 6)
  assert.deepEqual(sizes[1], sizes[0])
  assert.deepEqual(sizes[2], sizes[0])
  const some = await tools().succeed('log-dirs', ['--describe', '--broker-list', '2'])
  assert.match(some, /"broker":2/)
}

async function offsets({ tools }: ToolRoom): Promise<void> {
  const sum = async (...args: string[]) => {
    const output = await tools().succeed('get-offsets', ['--topic', TOPIC, ...args])
    const found = output
      .trim()
      .split('\n')
      .map(line => line.split(':'))
    assert.equal(found.length, 6, output)
    return found.reduce((total, row) => total + Number(row[2]), 0)
  }
  assert.equal(await sum(), 3000)
  assert.equal(await sum('--time', 'earliest'), 0)
  assert.equal(await sum('--time', 'latest'), 3000)
}

async function replicaVerification({ room, tools }: ToolRoom): Promise<void> {
  const args = [
    '--topics-include',
    TOPIC,
    '--time',
    '-2',
    '--report-interval-ms',
    '1000',
    '--broker-list',
    room.bootstrap,
  ]
  const lags: string[] = []
  // It reports until it is ended.
  await tools().runAsIs('replica-verification', args, {
    timeoutMs: 40_000,
    onLine: line => lags.push(...(/max lag is (\d+)/.exec(line)?.slice(1) ?? [])),
    onStart: child => {
      const timer = setInterval(() => {
        if (lags.length >= 3 || child.exitCode !== null) {
          clearInterval(timer)
          child.kill('SIGTERM')
        }
      }, 100)
    },
  })
  assert.ok(lags.length >= 3, `it reported ${lags.length} times`)
  assert.deepEqual(new Set(lags), new Set(['0']))
}

async function featureChecks(checks: ToolRoom): Promise<void> {
  const { tools, controllerTools } = checks
  const level = async (through: Tools, feature: string) => {
    const described = await through.succeed('features', ['describe'])
    return new RegExp(`${feature}\\s.*FinalizedVersionLevel: (?:UNKNOWN )?(\\S+)`).exec(described)?.[1]
  }
  const isAt = (feature: string, expected: string) =>
    eventually(async () => {
      assert.equal(await level(tools(), feature), expected)
      assert.equal(await level(controllerTools(), feature), expected)
    }, SETTLE_MS)
  const elr = 'eligible.leader.replicas.version'
  await check(checks, 'features: downgrade and upgrade, through brokers and controllers', async () => {
    await isAt(elr, '1')
    await tools().succeed('features', ['downgrade', '--feature', `${elr}=0`])
    await isAt(elr, '0')
    await controllerTools().succeed('features', ['upgrade', '--feature', `${elr}=1`])
    await isAt(elr, '1')
    const min = ['--describe', '--entity-type', 'brokers', '--entity-default']
    assert.match(await tools().succeed('configs', min), /min\.insync\.replicas=2/)
  })
  await check(checks, 'features: metadata.version is raised', async () => {
    await isAt('metadata.version', '4.2-IV1')
    const upgraded = await tools().succeed('features', ['upgrade', '--feature', 'metadata.version=30'])
    assert.match(upgraded, /metadata\.version was upgraded to 30/)
    await isAt('metadata.version', '4.3-IV0')
  })
  await check(checks, 'features: refuses what cannot be', async () => {
    await tools().fail('features', ['upgrade', '--feature', `${elr}=0`], /upgradeType/)
    await tools().fail('features', ['upgrade', '--feature', `${elr}=9`], /Could not upgrade/)
    await tools().fail('features', ['downgrade', '--feature', 'metadata.version=20'], /metadata\.version/)
  })
  await check(checks, 'features: kraft.version is raised to 1', async () => {
    await isAt('kraft.version', '0')
    // Voters tell the leader of themselves some seconds after they have found it; until then it refuses.
    await eventually(() => tools().succeed('features', ['upgrade', '--feature', 'kraft.version=1']), SETTLE_MS)
    await isAt('kraft.version', '1')
    await tools().fail('features', ['downgrade', '--feature', 'kraft.version=0'], /Could not downgrade/)
  })
}
