import assert from 'node:assert/strict'
import { check, type SuiteContext } from '../../suite.js'
import { rows, type Tools } from './tools.js'

/** The tools that look at a cluster as a whole, and at offsets and log directories. */
export async function clusterChecks(context: SuiteContext, tools: Tools): Promise<void> {
  await check(context, 'get-offsets: earliest, latest, of the latest timestamp, by time', () => offsets(tools))
  await check(context, 'delete-records: moves the start of a partition', () => deleteRecords(tools))
  await check(context, 'log-dirs: says where partitions lie and how large they are', () => logDirectories(tools))
  await check(context, 'cluster: id and endpoints', async () => {
    assert.match(await tools.succeed('cluster', ['cluster-id']), /^Cluster ID: [\w-]{22}$/m)
    const [, endpoint] = rows(await tools.succeed('cluster', ['list-endpoints']))
    assert.equal(`${endpoint?.[1]}:${endpoint?.[2]}`, context.bootstrap)
    assert.deepEqual(endpoint?.slice(3), ['null', 'unfenced', 'broker'])
  })
  await check(context, 'broker-api-versions: what a client of every language needs is there', () =>
    apiVersions(context, tools),
  )
  await check(context, 'features: describes, and upgrades to where it is', () => features(tools))
  await check(context, 'metadata-quorum: status and replication', () => quorum(tools))
  await check(context, 'transactions: describes the idempotent producers of a partition', () => producers(tools))
  await check(context, 'leader-election, reassign-partitions: nothing to do', async () => {
    const topic = await tools.createTopic('election')
    const election = ['--election-type', 'preferred', '--topic', topic, '--partition', '0']
    const { stdout } = await tools.run('leader-election', election)
    assert.match(stdout, /Valid replica already elected for partitions/)
    assert.match(await tools.succeed('reassign-partitions', ['--list']), /No partition reassignments found/)
  })
}

/** Ten records in partition 0, one second apart; returns topic and the time of the first. */
async function tenRecords(tools: Tools, name: string): Promise<{ topic: string; first: number }> {
  const topic = await tools.createTopic(name)
  const first = Date.now() - 100_000
  for (const time of [first, first + 50_000]) {
    const times = ['--message-create-time', String(time), '--throughput', '-1']
    await tools.succeed('verifiable-producer', ['--topic', topic, '--max-messages', '5', ...times])
  }
  return { topic, first }
}

async function offsets(tools: Tools): Promise<void> {
  const { topic, first } = await tenRecords(tools, 'offsets')
  const at = async (time: string) => {
    const output = await tools.succeed('get-offsets', ['--topic-partitions', `${topic}:0`, '--time', time])
    return output.trim().replace(`${topic}:0:`, '')
  }
  assert.equal(await at('earliest'), '0')
  assert.equal(await at('latest'), '10')
  assert.ok(Number(await at('max-timestamp')) >= 5)
  assert.equal(await at('earliest-local'), '0')
  assert.equal(await at(String(first + 40_000)), '5')
  assert.equal(await at(String(first + 1_000_000)), '', 'no record is as late')
  const whole = await tools.succeed('get-offsets', ['--topic', topic])
  assert.equal(whole.trim(), `${topic}:0:10`)
}

async function deleteRecords(tools: Tools): Promise<void> {
  const { topic } = await tenRecords(tools, 'delete-records')
  const request = (offset: number) =>
    tools.file(`delete-${offset}.json`, JSON.stringify({ partitions: [{ topic, partition: 0, offset }], version: 1 }))
  const output = await tools.succeed('delete-records', ['--offset-json-file', request(6)])
  assert.match(output, new RegExp(`partition: ${topic}-0\\s+low_watermark: 6`))
  const earliest = await tools.succeed('get-offsets', ['--topic', topic, '--time', 'earliest'])
  assert.equal(earliest.trim(), `${topic}:0:6`)
  const beyond = ['--offset-json-file', request(11)]
  await tools.fail('delete-records', beyond, /OffsetOutOfRangeException/, 'any')
  await tools.succeed('delete-records', ['--offset-json-file', request(-1)])
  const emptied = await tools.succeed('get-offsets', ['--topic', topic, '--time', 'earliest'])
  assert.equal(emptied.trim(), `${topic}:0:10`)
}

async function logDirectories(tools: Tools): Promise<void> {
  const { topic } = await tenRecords(tools, 'log-dirs')
  const output = await tools.succeed('log-dirs', ['--describe', '--topic-list', topic])
  const described = JSON.parse(output.split('\n').find(line => line.startsWith('{')) ?? '') as {
    brokers: {
      logDirs: { error: string | null; logDir: string; partitions: { partition: string; size: number }[] }[]
    }[]
  }
  const [directory] = described.brokers.flatMap(broker => broker.logDirs)
  assert.equal(directory?.error, null)
  assert.match(directory.logDir, /^\//)
  assert.deepEqual(
    directory.partitions.map(({ partition, size }) => [partition, size > 0]),
    [[`${topic}-0`, true]],
  )
}

/** Without these APIs, at these versions at least, some client takes a broker for one that lacks a feature. */
const apisOfClients: Readonly<Record<string, number>> = {
  Produce: 11,
  Fetch: 17,
  ListOffsets: 9,
  Metadata: 12,
  OffsetCommit: 9,
  OffsetFetch: 9,
  FindCoordinator: 6,
  JoinGroup: 9,
  Heartbeat: 4,
  LeaveGroup: 5,
  SyncGroup: 5,
  DescribeGroups: 5,
  ListGroups: 5,
  ApiVersions: 4,
  CreateTopics: 7,
  DeleteTopics: 6,
  DeleteRecords: 2,
  InitProducerId: 4,
  OffsetForLeaderEpoch: 4,
  DescribeConfigs: 4,
  AlterConfigs: 2,
  DescribeLogDirs: 4,
  CreatePartitions: 3,
  DeleteGroups: 2,
  IncrementalAlterConfigs: 1,
  OffsetDelete: 0,
  DescribeCluster: 1,
}

async function apiVersions(context: SuiteContext, tools: Tools): Promise<void> {
  const output = await tools.succeed('broker-api-versions', [])
  assert.ok(output.startsWith(`${context.bootstrap} (id: `))
  for (const [api, version] of Object.entries(apisOfClients)) {
    const found = new RegExp(`\\b${api}\\(\\d+\\): (?:(\\d+) to )?(\\d+) \\[usable: (\\d+)\\]`).exec(output)
    assert.ok(found, `${api} is not there`)
    assert.ok(Number(found[2]) >= version, `${api} only to ${found[2]}`)
  }
  assert.match(output, /Produce\(0\): 0 to /, 'older clients take compression off the table otherwise')
}

async function features(tools: Tools): Promise<void> {
  const described = await tools.succeed('features', ['describe'])
  for (const feature of ['metadata.version', 'kraft.version']) {
    assert.match(described, new RegExp(`Feature: ${feature}\\s+SupportedMinVersion: .*FinalizedVersionLevel: `))
  }
  const level = /metadata\.version\s.*FinalizedVersionLevel: (?:UNKNOWN )?(\S+)/.exec(described)?.[1] ?? ''
  const upgrade = [
    'upgrade',
    ...(/^\d+$/.test(level) ? ['--feature', `metadata.version=${level}`] : ['--release-version', level]),
  ]
  assert.match(await tools.succeed('features', [...upgrade, '--dry-run']), /metadata\.version can be upgraded to/)
  await tools.fail('features', ['upgrade', '--feature', 'no.such=1'], /does not support this feature/)
  const down = ['downgrade', '--feature', 'metadata.version=7']
  await tools.fail('features', down, /Refusing to perform the requested downgrade|Invalid|unsupported/i)
}

async function quorum(tools: Tools): Promise<void> {
  const status = await tools.succeed('metadata-quorum', ['describe', '--status'])
  const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1] ?? ''
  assert.match(field('ClusterId'), /^[\w-]{22}$/)
  assert.ok(Number(field('LeaderEpoch')) >= 1)
  assert.ok(Number(field('HighWatermark')) > 1)
  assert.equal(field('MaxFollowerLag'), '0')
  const voters = JSON.parse(field('CurrentVoters')) as { id: number }[]
  assert.deepEqual(
    voters.map(voter => String(voter.id)),
    [field('LeaderId')],
  )
  const [, leader] = rows(await tools.succeed('metadata-quorum', ['describe', '--replication']))
  assert.equal(leader?.[0], field('LeaderId'))
  assert.equal(leader?.at(-1), 'Leader')
}

async function producers(tools: Tools): Promise<void> {
  const topic = await tools.createTopic('producers')
  for (let run = 0; run < 2; run++) await tools.succeed('console-producer', ['--topic', topic], 'a\nb\nc\n')
  const output = await tools.succeed('transactions', ['describe-producers', '--topic', topic, '--partition', '0'])
  const [header = [], ...found] = rows(output)
  assert.equal(header[0], 'ProducerId')
  assert.equal(found.length, 2, 'one of each run')
  for (const row of found) assert.deepEqual([row[1], row[3], row[5]], ['0', '2', 'None'])
}
