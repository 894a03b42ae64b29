import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '#src/controller/create-topics.js'
import { directoryOf, TestController } from './support.js'

function withTopics(controller: TestController, ...assignments: readonly (readonly number[])[]): void {
  const topics = assignments.map((brokerIds, i) => ({
    name: `t${i}`,
    numPartitions: -1,
    replicationFactor: -1,
    assignments: [{ partitionIndex: 0, brokerIds: [...brokerIds] }],
    configs: [],
  }))
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
}

const told = (outcome: ReturnType<TestController['heartbeat']>) => {
  const { isCaughtUp, isFenced, shouldShutDown } = outcome.response
  return { isCaughtUp, isFenced, shouldShutDown }
}
const leaders = (controller: TestController) => {
  return controller.image.topics.sortedNames().map(name => controller.image.topics.partition(name, 0)!.leader)
}

test('a broker is let in when it wants to and has replayed its registration', () => {
  const controller = new TestController()
  const epoch = controller.register(1)
  const fenced = { isCaughtUp: true, isFenced: true, shouldShutDown: false }
  const behind = controller.heartbeat(1, { currentMetadataOffset: epoch - 1 })
  assert.deepEqual(told(behind), { ...fenced, isCaughtUp: false })
  assert.deepEqual(told(controller.heartbeat(1, { wantFence: true })), fenced)
  const outcome = controller.heartbeat(1)
  assert.deepEqual(told(outcome), { isCaughtUp: true, isFenced: false, shouldShutDown: false })
  assert.deepEqual(
    outcome.records.map(record => [record.type, record.version]),
    [['BrokerRegistrationChangeRecord', 0]],
  )
  assert.deepEqual(controller.heartbeat(1).records, [])
})

test('another epoch is stale', () => {
  const controller = new TestController()
  const epoch = controller.register(1)
  const stale = (expected: string) => ({ code: 77, message: expected })
  assert.throws(
    () => controller.heartbeat(1, { brokerEpoch: epoch + 1 }),
    stale(`Expected broker epoch ${epoch}, but got broker epoch ${epoch + 1}`),
  )
  assert.throws(() => controller.heartbeat(9), stale('No broker registration found for broker id 9'))
})

test('a broker that stops leads nothing before it is let go', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  withTopics(controller, [1, 2], [2, 1])
  const first = controller.heartbeat(1, { wantShutDown: true })
  assert.deepEqual(told(first), { isCaughtUp: true, isFenced: false, shouldShutDown: false })
  assert.deepEqual(leaders(controller), [2, 2])
  assert.equal(controller.image.cluster.broker(1)!.inControlledShutdown, true)
  assert.deepEqual(controller.image.topics.partition('t1', 0)!.isr, [2])
  // The other broker has not replayed it yet.
  assert.equal(controller.heartbeat(1, { wantShutDown: true }).response.shouldShutDown, false)
  controller.heartbeat(2)
  const last = controller.heartbeat(1, { wantShutDown: true })
  assert.deepEqual(told(last), { isCaughtUp: true, isFenced: true, shouldShutDown: true })
  assert.equal(controller.image.cluster.broker(1)!.fenced, true)
})

test('a lone broker that stops leaves its partitions without a leader, and is let go', () => {
  const controller = new TestController()
  controller.addBrokers(1)
  withTopics(controller, [1])
  assert.equal(controller.heartbeat(1, { wantShutDown: true }).response.shouldShutDown, false)
  assert.deepEqual(leaders(controller), [-1])
  assert.equal(controller.heartbeat(1, { wantShutDown: true }).response.shouldShutDown, true)
})

test('a broker without leaderships, or a fenced one, is let go at once', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  withTopics(controller, [2, 1])
  assert.equal(controller.heartbeat(1, { wantShutDown: true }).response.shouldShutDown, true)
  const before = controller.log.length
  assert.equal(controller.heartbeat(1, { wantShutDown: true }).response.shouldShutDown, true)
  assert.equal(controller.log.length, before)
})

test('a broker that is silent for too long is fenced, and let in again by its next heartbeat', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  withTopics(controller, [1, 2])
  controller.now = 5000
  controller.heartbeat(2)
  controller.now = 8999
  assert.deepEqual(controller.tick(), [])
  assert.equal(controller.controller.deadline, 9000)
  controller.now = 9000
  const records = controller.tick()
  assert.deepEqual(
    records.map(record => record.type),
    ['PartitionChangeRecord', 'BrokerRegistrationChangeRecord'],
  )
  assert.deepEqual([controller.image.cluster.broker(1)!.fenced, leaders(controller)], [true, [2]])
  assert.equal(controller.heartbeat(1).response.isFenced, false)
})

test('a broker of this process is never silent', () => {
  const controller = new TestController()
  controller.register(1, {}, true)
  controller.heartbeat(1)
  controller.now = 100_000
  assert.deepEqual(controller.tick(), [])
})

test('a broker that is known to be dead is fenced at once', () => {
  const controller = new TestController()
  controller.addBrokers(1)
  controller.controller.sessions.expire(1)
  assert.equal(controller.tick().length, 1)
  assert.equal(controller.image.cluster.broker(1)!.fenced, true)
})

test('replicas in a directory that failed leave the ISR, others stay', () => {
  const controller = new TestController()
  controller.register(1, { logDirs: [directoryOf(1), directoryOf(7)] })
  controller.addBrokers(2)
  controller.heartbeat(1)
  withTopics(controller, [1, 2], [1, 2])
  const lost = controller.image.topics.byName('t0')!
  const value = {
    ...{ partitionId: 0, topicId: lost.id, isr: null, leader: -2, replicas: null, removingReplicas: null },
    ...{ addingReplicas: null, leaderRecoveryState: -1, eligibleLeaderReplicas: null, lastKnownElr: null },
    directories: [directoryOf(7), directoryOf(2)],
  }
  controller.append([{ type: 'PartitionChangeRecord', version: 2, value }])
  const { records } = controller.heartbeat(1, { offlineLogDirs: [directoryOf(7)] })
  assert.deepEqual(
    records.map(record => [record.type, record.version]),
    [
      ['PartitionChangeRecord', 2],
      ['BrokerRegistrationChangeRecord', 2],
    ],
  )
  assert.deepEqual(leaders(controller), [2, 1])
  assert.deepEqual(controller.image.cluster.broker(1)!.directories, [directoryOf(1)])
  assert.deepEqual(controller.heartbeat(1, { offlineLogDirs: [directoryOf(7)] }).records, [])
})

test('cordoned directories are recorded when they change', () => {
  const controller = new TestController()
  controller.addBrokers(1)
  assert.equal(controller.heartbeat(1, { cordonedLogDirs: [directoryOf(1)] }).records.length, 1)
  assert.deepEqual(controller.image.cluster.broker(1)!.cordonedDirectories, [directoryOf(1)])
  assert.deepEqual(controller.heartbeat(1, { cordonedLogDirs: [directoryOf(1)] }).records, [])
  assert.deepEqual(controller.heartbeat(1, { cordonedLogDirs: null }).records, [])
})

test('nothing happens for long: a record says that the log moves', () => {
  const controller = new TestController({ options: { 'metadata.max.idle.interval.ms': '500' } })
  controller.now = 499
  assert.deepEqual(controller.tick(), [])
  controller.now = 500
  assert.deepEqual(
    controller.tick().map(record => record.type),
    ['NoOpRecord'],
  )
  assert.equal(controller.controller.deadline, 1000)
})

test('a broker whose directory has just failed is let in only after that is recorded', () => {
  const controller = new TestController()
  const incarnationId = 'AAAAAAAAAAAAAAAAAAAABw'
  controller.register(1, { logDirs: [directoryOf(1), directoryOf(7)], incarnationId })
  const first = controller.heartbeat(1, { offlineLogDirs: [directoryOf(7)] })
  assert.deepEqual(
    first.records.map(record => [record.type, record.version]),
    [['BrokerRegistrationChangeRecord', 2]],
  )
  assert.equal(first.response.isFenced, true)
  assert.equal(controller.heartbeat(1, { offlineLogDirs: [directoryOf(7)] }).response.isFenced, false)
})

test('a broker that is about to stop and loses a directory leaves each partition once', () => {
  const controller = new TestController()
  controller.register(1, { logDirs: [directoryOf(1), directoryOf(7)] })
  controller.heartbeat(1)
  controller.addBrokers(2)
  withTopics(controller, [1, 2], [1, 2])
  const { records } = controller.heartbeat(1, { wantShutDown: true, offlineLogDirs: [directoryOf(7)] })
  assert.deepEqual(
    records.map(record => [record.type, record.version]),
    [
      ['BrokerRegistrationChangeRecord', 1],
      ['PartitionChangeRecord', 2],
      ['PartitionChangeRecord', 2],
      ['BrokerRegistrationChangeRecord', 2],
    ],
  )
})

test('brokers that fall silent together are fenced one after the other', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2, 3)
  withTopics(controller, [1, 2, 3])
  controller.now = 9000
  const task = controller.controller.nextTask(controller.now)!
  controller.run(task)
  const fenced = [1, 2, 3].filter(id => controller.image.cluster.broker(id)!.fenced)
  assert.deepEqual([fenced, leaders(controller), controller.controller.deadline <= 9000], [[1], [2], true])
  controller.tick()
  assert.deepEqual(leaders(controller), [-1])
})
