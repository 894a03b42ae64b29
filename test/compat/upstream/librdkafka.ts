import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { oracleScript } from '../broker.js'
import { installed, javaPackages, succeeds, systemPackages } from '../cache.js'
import { run, runOrThrow } from '../process.js'
import { readTable, runUnits, type TestTable } from './librdkafka-run.js'
import type { InstalledSuite, UpstreamSuite } from './suite.js'

/** The release of Debian that has this version of the source, and keeps it. */
const debian = { release: 'trixie', version: '2.8.0-1' }
const upstreamVersion = debian.version.replace(/-[^-]*$/, '')
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

const admin = '0081_admin'
const rebalance = '0113_cooperative_rebalance'
const latency = '0055_producer_latency'
const barrier = '0137_barrier_batch_consume'

/**
 * Tests of which only parts can be run here, or that take too long in one piece: their parts by the words that select
 * them. A part that is no unit of its own is not run, so all of them stand here or are left out by name.
 */
const parts: Readonly<Record<string, readonly string[]>> = {
  [latency]: [
    'standard settings',
    'low linger.ms',
    'microsecond linger.ms',
    'high linger.ms',
    'linger.ms < 1000',
    'no acks',
    'idempotence',
    'transactions',
  ],
  '0061_consumer_lag': ['without transactions', 'with transactions'],
  [admin]: [
    'do_test_unclean_destroy',
    'do_test_CreateTopics',
    'do_test_DeleteTopics',
    'do_test_CreatePartitions',
    'do_test_CreateAcls',
    'do_test_DescribeAcls',
    'do_test_DeleteAcls',
    'do_test_AlterConfigs',
    'do_test_IncrementalAlterConfigs',
    'do_test_DescribeConfigs',
    'do_test_DeleteRecords',
    'do_test_ListConsumerGroups',
    'do_test_DescribeConsumerGroups:',
    'do_test_DescribeConsumerGroups_with_authorized_ops',
    'do_test_DescribeTopics',
    'do_test_DescribeCluster',
    'do_test_DeleteGroups',
    'do_test_DeleteConsumerGroupOffsets',
    'do_test_ListOffsets',
    'do_test_AlterConsumerGroupOffsets',
    'do_test_ListConsumerGroupOffsets',
    'do_test_UserScramCredentials',
  ],
  [rebalance]: [
    'a_assign_tests',
    'b_subscribe_with_cb_test',
    'c_subscribe_no_cb_test',
    'd_change_subscription_add_topic',
    'e_change_subscription_remove_topic',
    'f_assign_call_cooperative',
    'g_incremental_assign_call_eager',
    'h_delete_topic',
    'i_delete_topic_2',
    'j_delete_topic_no_rb_callback',
    'k_add_partition',
    'l_unsubscribe',
    'm_unsubscribe_2',
    'n_wildcard',
    'o_java_interop',
    's_subscribe_when_rebalancing',
    't_max_poll_interval_exceeded',
    'use_rebalance_cb: 1',
    'use_rebalance_cb: 0',
    'v_commit_during_rebalance',
    'x_incremental_rebalances',
  ],
  [barrier]: [
    'do_test_consume_batch_with_seek',
    'do_test_consume_batch_store_offset',
    'do_test_consume_batch_with_pause_and_resume_different_batch',
    'do_test_consume_batch_with_pause_and_resume_same_batch',
    'do_test_consume_batch_control_msgs',
  ],
}

/** More than a minute each, for what shorter ones show as well. */
const long: readonly string[] = [
  '0076_produce_retry',
  '0094_idempotence_msg_timeout',
  ...parts[rebalance]!.filter(part => part.startsWith('use_')).map(part => `${rebalance}/${part}`),
]

/** These measure that a message is there within 5 ms: nothing else runs beside them. */
const alone: readonly string[] = [
  'standard settings',
  'low linger.ms',
  'microsecond linger.ms',
  'no acks',
  'idempotence',
].map(part => `${latency}/${part}`)

/** These make topics with three replicas, or read from the replica that is near. */
const threeNodes: readonly string[] = ['0101_fetch_from_follower', '0107_topic_recreate', '0111_delay_create_topics']

/** librdkafka's own tests, built from the source package of Debian. */
export const librdkafkaTests: UpstreamSuite = {
  name: 'librdkafka',
  about: 'the tests folder of librdkafka: the client behind kcat and most languages',
  // They wait most of the time.
  jobs: 8,
  // Four partitions is what its tests expect; with no delay members that start together do not join together.
  broker: { overrides: ['num.partitions=4', 'group.initial.rebalance.delay.ms=1000'] },
  unitOf: name => name,
  isLong: unit => long.includes(unit),
  install: () => install(unit => !threeNodes.includes(unit)),
}

/** Those of librdkafka's tests that want three brokers. */
export const librdkafkaNodesTests: UpstreamSuite = {
  name: 'librdkafka-nodes',
  about: "librdkafka's tests that want three brokers",
  jobs: 3,
  broker: {
    nodeIds: [1, 2, 3],
    overrides: [
      'num.partitions=4',
      'group.initial.rebalance.delay.ms=1000',
      // What the scenario of two of them says.
      'auto.create.topics.enable=false',
      'replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector',
    ],
  },
  unitOf: name => name,
  isLong: () => false,
  install: () => install(unit => threeNodes.includes(unit)),
}

async function install(isWanted: (unit: string) => boolean): Promise<InstalledSuite> {
  await javaPackages()
  // Its jars as well, before a test waits for a command of Kafka's.
  await runOrThrow('bash', [oracleScript, 'classpath'], { timeoutMs: 900_000 })
  const has = (file: string) => () => succeeds('test', ['-e', file])
  await systemPackages([
    {
      packages: ['build-essential'],
      present: () => succeeds('sh', ['-c', 'gcc --version && g++ --version && make -v']),
    },
    { packages: ['libssl-dev'], present: has('/usr/include/openssl/ssl.h') },
    { packages: ['zlib1g-dev'], present: has('/usr/include/zlib.h') },
    { packages: ['libzstd-dev'], present: has('/usr/include/zstd.h') },
    { packages: ['rapidjson-dev'], present: has('/usr/include/rapidjson/schema.h') },
    { packages: ['debian-archive-keyring'], present: has(keyring) },
  ])
  const directory = await installed('librdkafka-tests', { ...debian, recipe: 1 }, async partial => {
    await fetchSource(partial)
    await build(join(partial, `librdkafka-${upstreamVersion}`))
  })
  const source = join(directory, `librdkafka-${upstreamVersion}`)
  const table = readTable(readFileSync(join(source, 'tests', 'test.c'), 'utf8'))
  return {
    version: upstreamVersion,
    units: unitsOf(table).filter(isWanted),
    run: async context => {
      const isAlone = (unit: string) => alone.includes(unit)
      await runUnits(source, table, { ...context, units: context.units.filter(unit => !isAlone(unit)) })
      await runUnits(source, table, { ...context, units: context.units.filter(isAlone), jobs: 1 })
    },
  }
}

/** Each test of the table, or its parts. */
function unitsOf(table: TestTable): string[] {
  return [...table.keys()].flatMap(test => parts[test]?.map(part => `${test}/${part}`) ?? [test])
}

/** Debian's source package, by an apt with lists of its own: the lists of this machine need not have sources. */
async function fetchSource(directory: string): Promise<void> {
  const apt = join(directory, 'apt')
  mkdirSync(join(apt, 'lists', 'partial'), { recursive: true })
  mkdirSync(join(apt, 'cache'), { recursive: true })
  const source = `deb-src [signed-by=${keyring}] http://deb.debian.org/debian ${debian.release} main\n`
  writeFileSync(join(apt, 'sources.list'), source)
  const settings = {
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::Cache': join(apt, 'cache'),
    'APT::Sandbox::User': '',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  await runOrThrow('apt-get', [...options, 'update'], { timeoutMs: 300_000 })
  await runOrThrow('apt-get', [...options, 'source', '--download-only', `librdkafka=${debian.version}`], {
    cwd: directory,
    timeoutMs: 300_000,
  })
  await runOrThrow('tar', ['-xf', `librdkafka_${upstreamVersion}.orig.tar.gz`], { cwd: directory })
  rmSync(apt, { recursive: true })
}

async function build(source: string): Promise<void> {
  const make = ['make', `-j${availableParallelism()}`]
  // What is not needed for PLAINTEXT; lz4 is the copy in the source.
  const without = ['--disable-gssapi', '--disable-curl', '--disable-lz4-ext']
  const steps = [
    ['./configure', ...without],
    [...make, '-C', 'src', 'librdkafka.a', 'librdkafka.so.1'],
    [...make, '-C', 'src-cpp'],
    [...make, '-C', 'tests', 'build'],
  ]
  for (const step of steps) await runOrThrow('nice', ['-n', '15', ...step], { cwd: source, timeoutMs: 1_800_000 })
  await run('find', [source, '-name', '*.o', '-delete'])
}
