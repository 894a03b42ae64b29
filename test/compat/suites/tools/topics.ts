import assert from 'node:assert/strict'
import { check, type SuiteContext } from '../../suite.js'
import { rows, type Tools } from './tools.js'

/** The tools that administer topics and configs. */
export async function topicChecks(context: SuiteContext, tools: Tools): Promise<void> {
  const node = await nodeId(tools)
  await check(context, 'topics: creates, lists, describes, widens and deletes', () => topics(context, tools, node))
  await check(context, 'topics: says why it cannot', () => badTopics(context, tools))
  await check(context, 'configs: alters and describes those of a topic', () => topicConfigs(tools))
  await check(context, 'configs: alters and describes those of a broker, of all brokers and of a group', () =>
    otherConfigs(context, tools, node),
  )
}

/** The id of the only broker. */
async function nodeId(tools: Tools): Promise<string> {
  const listed = rows(await tools.succeed('cluster', ['list-endpoints']))
  return listed[1]?.[0] ?? ''
}

async function topics(context: SuiteContext, tools: Tools, node: string): Promise<void> {
  const topic = await tools.createTopic('topics', 3, 'retention.ms=123456', 'cleanup.policy=compact')
  const describe = async (...args: string[]) => tools.succeed('topics', ['--describe', '--topic', topic, ...args])
  const described = await describe()
  const fields = /TopicId: (\S+)\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: (\S+)/.exec(described)
  assert.ok(fields, described)
  const configs = fields[2]?.split(',') ?? []
  assert.ok(configs.includes('retention.ms=123456') && configs.includes('cleanup.policy=compact'), described)
  const partitions = [...described.matchAll(/Partition: (\d+)\s+Leader: (\d+)\s+Replicas: (\S+)\s+Isr: (\S+)/g)]
  assert.deepEqual(
    partitions.map(match => match.slice(1)),
    ['0', '1', '2'].map(partition => [partition, node, node, node]),
  )
  assert.equal((await describe('--under-replicated-partitions')).trim(), '')
  assert.equal((await describe('--unavailable-partitions')).trim(), '')
  const byId = await tools.succeed('topics', ['--describe', '--topic-id', fields[1] ?? ''])
  assert.match(byId, new RegExp(`Topic: ${topic}\\s`))
  await tools.succeed('topics', ['--create', '--topic', topic, '--if-not-exists'])
  await tools.succeed('topics', ['--alter', '--topic', topic, '--partitions', '5'])
  assert.match(await describe(), /PartitionCount: 5\s/)
  const assigned = `${context.prefix}assigned`
  await tools.succeed('topics', ['--create', '--topic', assigned, '--replica-assignment', `${node},${node}`])
  const listed = rows(await tools.succeed('topics', ['--list', '--exclude-internal'])).flat()
  assert.ok(listed.includes(topic) && listed.includes(assigned))
  assert.ok(!listed.includes('__consumer_offsets'))
  await tools.succeed('topics', ['--delete', '--topic', `(${topic}|${assigned})`])
  const left = rows(await tools.succeed('topics', ['--list'])).flat()
  assert.ok(!left.includes(topic) && !left.includes(assigned))
}

async function badTopics(context: SuiteContext, tools: Tools): Promise<void> {
  const topic = await tools.createTopic('bad-topics', 2)
  const create = (...args: string[]) => ['--create', '--topic', `${context.prefix}never`, ...args]
  await tools.fail('topics', ['--create', '--topic', topic], /already exists/)
  await tools.fail('topics', ['--create', '--topic', 'bad name'], /invalid/)
  await tools.fail('topics', create('--replication-factor', '3'), /replication factor of 3 cannot be reached/)
  await tools.fail('topics', create('--config', 'retention.ms=soon'), /retention\.ms/)
  await tools.fail('topics', ['--alter', '--topic', topic, '--partitions', '1'], /would not be an increase/)
  await tools.fail('topics', ['--delete', '--topic', `${context.prefix}never`], /does not exist/)
}

async function topicConfigs(tools: Tools): Promise<void> {
  const topic = await tools.createTopic('configs')
  const entity = ['--entity-type', 'topics', '--entity-name', topic]
  const add = (configs: string) => tools.succeed('configs', ['--alter', ...entity, '--add-config', configs])
  const describe = async (...args: string[]) => {
    const lines = (await tools.succeed('configs', ['--describe', ...entity, ...args])).split('\n')
    return new Map(lines.map(line => line.trim().split('=', 1)[0] ?? '').map((name, i) => [name, lines[i]?.trim()]))
  }
  await add('cleanup.policy=[compact,delete],segment.bytes=2000000')
  const dynamic = await describe()
  assert.equal(
    dynamic.get('segment.bytes'),
    'segment.bytes=2000000 sensitive=false ' +
      'synonyms={DYNAMIC_TOPIC_CONFIG:segment.bytes=2000000, DEFAULT_CONFIG:log.segment.bytes=1073741824}',
  )
  assert.match(dynamic.get('cleanup.policy') ?? '', /^cleanup\.policy=compact,delete /)
  assert.equal(dynamic.get('retention.ms'), undefined, 'only what was set')
  await tools.succeed('configs', ['--alter', ...entity, '--delete-config', 'segment.bytes'])
  const all = await describe('--all')
  assert.equal(
    all.get('segment.bytes'),
    'segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}',
  )
  assert.match(all.get('retention.ms') ?? '', /^retention\.ms=604800000 /)
  assert.ok(all.size > 25, `${all.size} configs`)
  const bad = ['--alter', ...entity, '--add-config', 'retention.ms=soon']
  await tools.fail('configs', bad, /InvalidConfigurationException: Invalid value soon for configuration retention\.ms/)
}

async function otherConfigs(context: SuiteContext, tools: Tools, node: string): Promise<void> {
  const name = 'log.segment.delete.delay.ms'
  const broker = ['--entity-type', 'brokers', '--entity-name', node]
  const every = ['--entity-type', 'brokers', '--entity-default']
  const alter = (entity: string[], value: string) =>
    tools.succeed('configs', ['--alter', ...entity, '--add-config', `${name}=${value}`])
  const describe = (entity: string[], ...args: string[]) => tools.succeed('configs', ['--describe', ...entity, ...args])
  await alter(every, '50000')
  await alter(broker, '40000')
  assert.match(await describe(every), new RegExp(`${name}=50000 sensitive=false synonyms=\\{DYNAMIC_DEFAULT_BROKER`))
  const synonyms = [
    `DYNAMIC_BROKER_CONFIG:${name}=40000`,
    `DYNAMIC_DEFAULT_BROKER_CONFIG:${name}=50000`,
    `DEFAULT_CONFIG:${name}=60000`,
  ]
  const both = `${name}=40000 sensitive=false synonyms={${synonyms.join(', ')}}`
  const all = await describe(broker, '--all')
  assert.ok(all.includes(both), all.split('\n').find(line => line.includes(name)) ?? 'it is not there')
  assert.match(all, new RegExp(`node\\.id=${node} `))
  for (const entity of [broker, every]) {
    await tools.succeed('configs', ['--alter', ...entity, '--delete-config', name])
    assert.ok(!(await describe(entity)).includes(name))
  }
  const readOnly = ['--alter', ...broker, '--add-config', 'node.id=7']
  await tools.fail(
    'configs',
    readOnly,
    /InvalidRequestException: Cannot update these configs dynamically: \[node\.id\]/,
  )
  const group = ['--entity-type', 'groups', '--entity-name', `${context.prefix}group`]
  await tools.succeed('configs', ['--alter', ...group, '--add-config', 'consumer.session.timeout.ms=50000'])
  assert.match(await describe(group), /consumer\.session\.timeout\.ms=50000 .*DYNAMIC_GROUP_CONFIG/)
}
