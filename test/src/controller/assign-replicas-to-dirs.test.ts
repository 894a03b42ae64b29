import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assignReplicasToDirs } from '#src/controller/assign-replicas-to-dirs.js'
import { createTopics } from '#src/controller/create-topics.js'
import { DirectoryId } from '#src/metadata/directory-id.js'
import { directoryOf, TestController } from './support.js'

/** Topic t on brokers 1 (two directories) and 2. */
function ready(): TestController {
  const controller = new TestController()
  controller.register(1, { logDirs: [directoryOf(1), directoryOf(7)] })
  controller.heartbeat(1)
  controller.addBrokers(2)
  const assignments = [{ partitionIndex: 0, brokerIds: [1, 2] }]
  const topics = [{ name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs: [] }]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  return controller
}

function assign(controller: TestController, brokerId: number, id: string, partitionIndex = 0, topicId?: string) {
  const partitions = [{ partitionIndex }]
  const topics = [{ topicId: topicId ?? controller.image.topics.byName('t')!.id, partitions }]
  const brokerEpoch = controller.image.cluster.broker(brokerId)?.epoch ?? -1
  const request = { brokerId, brokerEpoch, directories: [{ id, topics }] }
  const { response, records } = controller.run(assignReplicasToDirs(request))
  return [response.directories![0]!.topics[0]!.partitions[0]!.errorCode, records.length]
}

test('a broker with several directories says which one it took', () => {
  const controller = ready()
  const directories = () => controller.image.topics.partition('t', 0)!.directories
  assert.deepEqual(directories(), [DirectoryId.UNASSIGNED, directoryOf(2)])
  assert.deepEqual(assign(controller, 1, directoryOf(7)), [0, 1])
  assert.deepEqual(directories(), [directoryOf(7), directoryOf(2)])
  assert.deepEqual(assign(controller, 1, directoryOf(7)), [0, 0])
  assert.equal(controller.image.topics.partition('t', 0)!.leaderEpoch, 0)
})

test('a replica in a directory that is not online does not lead', () => {
  const controller = ready()
  assert.deepEqual(assign(controller, 1, DirectoryId.LOST), [0, 2])
  const { leader, isr } = controller.image.topics.partition('t', 0)!
  assert.deepEqual([leader, isr], [2, [2]])
})

test('what is not there or not its own is refused', () => {
  const controller = ready()
  controller.addBrokers(3)
  assert.deepEqual(assign(controller, 1, directoryOf(7), 0, 'AAAAAAAAAAAAAAAAAAAABA'), [100, 0])
  assert.deepEqual(assign(controller, 1, directoryOf(7), 9), [3, 0])
  assert.deepEqual(assign(controller, 3, directoryOf(3)), [6, 0])
  assert.throws(() => assign(controller, 9, directoryOf(9)), { code: 77 })
})
