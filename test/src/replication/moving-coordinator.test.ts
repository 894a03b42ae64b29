import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '#protocol/errors.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { FindCoordinator } from '#protocol/messages/find-coordinator.js'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import { type EmbeddedCluster, startCluster } from '#src/testing/start-cluster.js'
import { askAddress, until } from '../../support/cluster-client.js'

const GROUP = 'moving'
const TOPIC = 'read'

function running(kafka: EmbeddedCluster): string {
  return kafka.nodes.find(({ isRunning }) => isRunning)!.bootstrapServers
}

async function coordinatorOf(kafka: EmbeddedCluster): Promise<number> {
  const request = { keyType: 0, coordinatorKeys: [GROUP] }
  const { coordinators } = await askAddress(running(kafka), FindCoordinator, request, 4)
  const { errorCode, nodeId } = coordinators[0]!
  return errorCode === ErrorCode.NONE ? nodeId : -1
}

function addressOf(kafka: EmbeddedCluster, id: number): string {
  return kafka.nodes.find(({ nodeId }) => nodeId === id)!.bootstrapServers
}

async function commit(address: string, offset: number): Promise<string> {
  const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: '' }]
  const request = { groupId: GROUP, memberId: '', topics: [{ name: TOPIC, partitions }] }
  const { topics } = await askAddress(address, OffsetCommit, request, 8)
  return errorName(topics[0]!.partitions[0]!.errorCode)
}

async function committed(address: string): Promise<[string, number]> {
  const request = { groups: [{ groupId: GROUP, topics: [{ name: TOPIC, partitionIndexes: [0] }] }] }
  const { groups } = await askAddress(address, OffsetFetch, request, 8)
  const { errorCode, topics } = groups[0]!
  return [errorName(errorCode), topics[0]?.partitions[0]?.committedOffset ?? -1]
}

test('a group goes on with what it has committed when its coordinator is killed', async () => {
  await using kafka = await startCluster({ brokers: 3, options: { 'offsets.topic.num.partitions': '3' } })
  const topics = [{ name: TOPIC, numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] }]
  await askAddress(running(kafka), CreateTopics, { topics, timeoutMs: 10_000 }, 6)
  const first = await until(
    () => coordinatorOf(kafka),
    id => id > 0,
  )
  await until(
    () => commit(addressOf(kafka, first), 41),
    code => code === 'NONE',
  )
  assert.equal(await commit(addressOf(kafka, first), 42), 'NONE')
  const other = kafka.nodes.find(({ nodeId }) => nodeId !== first)!
  assert.equal(await commit(other.bootstrapServers, 1), 'NOT_COORDINATOR')
  const killed = kafka.nodes.find(({ nodeId }) => nodeId === first)!
  killed.kill()
  const second = await until(
    () => coordinatorOf(kafka),
    id => id > 0 && id !== first,
  )
  const found = await until(
    () => committed(addressOf(kafka, second)),
    ([code]) => code === 'NONE',
  )
  assert.equal(found[1], 42)
  await until(
    () => commit(addressOf(kafka, second), 43),
    code => code === 'NONE',
  )
  await killed.start()
  assert.deepEqual((await committed(addressOf(kafka, second)))[1], 43)
})

test('members that wait in a coordinator that stops are told to look for another', async () => {
  const options = { 'offsets.topic.num.partitions': '1', 'group.initial.rebalance.delay.ms': '60000' }
  await using kafka = await startCluster({ brokers: 3, options })
  const first = await until(
    () => coordinatorOf(kafka),
    id => id > 0,
  )
  const join = () =>
    askAddress(
      addressOf(kafka, first),
      JoinGroup,
      {
        groupId: GROUP,
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 30_000,
        memberId: '',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
      },
      3,
    ).then(
      ({ errorCode }) => errorName(errorCode),
      () => 'gone',
    )
  await until(
    () => committed(addressOf(kafka, first)),
    ([code]) => code === 'NONE',
  )
  const joining = join()
  const stopping = kafka.nodes.find(({ nodeId }) => nodeId === first)!.stop()
  assert.equal(await joining, 'NOT_COORDINATOR')
  await stopping
})
