import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '#src/controller/create-topics.js'
import { registerBroker, unregisterBroker } from '#src/controller/register-broker.js'
import { directoryOf, registration, TestController } from './support.js'

function withTopic(controller: TestController, brokerIds: readonly number[]): void {
  const assignments = [{ partitionIndex: 0, brokerIds: [...brokerIds] }]
  const topics = [{ name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs: [] }]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
}

const partition = (controller: TestController) => {
  const { isr, elr, lastKnownElr, leader } = controller.image.topics.partition('t', 0)!
  return { isr, elr, lastKnownElr, leader }
}

test('a broker begins fenced, with the offset of its registration as its epoch', () => {
  const controller = new TestController()
  const offset = controller.log.length
  const request = registration(1, { rack: 'r' })
  const { response, records } = controller.run(registerBroker(request, false))
  assert.deepEqual(response, { throttleTimeMs: 0, errorCode: 0, brokerEpoch: offset })
  assert.deepEqual(
    records.map(record => [record.type, record.version]),
    [['RegisterBrokerRecord', 4]],
  )
  assert.deepEqual(controller.image.cluster.broker(1), {
    id: 1,
    epoch: offset,
    incarnationId: request.incarnationId,
    endpoints: [{ name: 'PLAINTEXT', host: 'localhost', port: 9001, securityProtocol: 0 }],
    features: request.features,
    rack: 'r',
    fenced: true,
    inControlledShutdown: false,
    isMigratingZkBroker: false,
    directories: [directoryOf(1)],
    cordonedDirectories: null,
  })
})

test('the same process may register again, and keeps epoch and state', () => {
  const controller = new TestController()
  const request = registration(1)
  const { response } = controller.run(registerBroker(request, false))
  controller.heartbeat(1)
  const again = controller.run(registerBroker({ ...request, rack: 'elsewhere' }, false))
  assert.equal(again.response.brokerEpoch, response.brokerEpoch)
  const { rack, fenced } = controller.image.cluster.broker(1)!
  assert.deepEqual([rack, fenced], ['elsewhere', false])
})

test('another process is refused as long as the first one has a session', () => {
  const controller = new TestController()
  controller.addBrokers(1)
  const duplicate = { code: 101, message: /^Another broker is registered with that broker id\./ }
  assert.throws(() => controller.register(1), duplicate)
  controller.now = 8999
  assert.throws(() => controller.register(1), duplicate)
  controller.now = 9000
  assert.ok(controller.register(1) > 0)
})

test('a broker of this very process need not wait for the end of an old session', () => {
  const controller = new TestController()
  controller.addBrokers(1)
  assert.ok(controller.register(1, {}, true) > 0)
})

test('a session begins with the first heartbeat: up to then another process may take the id', () => {
  const controller = new TestController()
  const first = controller.register(1)
  const second = controller.register(1)
  assert.ok(second > first)
  controller.heartbeat(1)
  assert.throws(() => controller.register(1), { code: 101 })
})

test('the same process that registers again goes on with its session', () => {
  const controller = new TestController()
  const incarnationId = 'AAAAAAAAAAAAAAAAAAAABw'
  const epoch = controller.register(1, { incarnationId })
  controller.heartbeat(1)
  controller.now = 4000
  assert.equal(controller.register(1, { incarnationId, rack: 'elsewhere' }), epoch)
  const { fenced, rack } = controller.image.cluster.broker(1)!
  assert.deepEqual([fenced, rack], [false, 'elsewhere'])
  assert.equal(controller.controller.deadline, 9000)
})

test('the next process of a broker that was let go registers at once', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  const { epoch } = controller.image.cluster.broker(1)!
  assert.equal(controller.heartbeat(1, { wantShutDown: true }).response.shouldShutDown, true)
  assert.ok(controller.register(1, { previousBrokerEpoch: epoch }) > epoch)
})

test('a broker that was removed and comes back is taken for one that crashed', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  withTopic(controller, [1])
  controller.run(unregisterBroker(1))
  assert.deepEqual(partition(controller), { isr: [], elr: [1], lastKnownElr: [1], leader: -1 })
  controller.register(1)
  assert.deepEqual(partition(controller), { isr: [], elr: [], lastKnownElr: [1], leader: -1 })
})

/** Registrations that are refused, each with its error. */
const refusals: readonly (readonly [string, Parameters<TestController['register']>[1], number, string])[] = [
  ['another cluster', { clusterId: 'x' }, 104, 'Expected cluster ID MkU3OEVBNTcwNTJENDM2Qk, but got cluster ID x'],
  ['no directory', { logDirs: [] }, 119, 'No directories specified in request'],
  ['a reserved directory', { logDirs: ['AAAAAAAAAAAAAAAAAAAAAg'] }, 119, 'Reserved directory ID in request'],
  ['a directory twice', { logDirs: [directoryOf(1), directoryOf(1)] }, 119, 'Duplicate directory ID in request'],
  [
    "another broker's directory",
    { logDirs: [directoryOf(1), directoryOf(2)] },
    119,
    `Broker 2 is already registered with directory ${directoryOf(2)}`,
  ],
  ['no metadata.version', { features: [] }, 119, "Request features do not contain 'metadata.version'"],
  [
    'a metadata.version that is too old',
    { features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 32 }] },
    35,
    'Unable to register because the broker does not support finalized version 33 of metadata.version. The broker wants a version between 7 and 32, inclusive.',
  ],
  [
    'a finalized feature that it does not know',
    { features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 33 }] },
    35,
    'Unable to register because the broker does not support finalized version 1 of eligible.leader.replicas.version. The broker wants a version between 0 and 0, inclusive.',
  ],
  ['an id that stands for none', { brokerId: -1 }, 42, 'Invalid broker ID -1'],
  ['a broker of ZooKeeper', { isMigratingZkBroker: true }, 102, 'Controller does not support registering ZK brokers.'],
]

for (const [what, changes, code, message] of refusals) {
  test(`a registration with ${what} is refused`, () => {
    const controller = new TestController()
    controller.addBrokers(2)
    assert.throws(() => controller.register(1, changes), { code, message })
  })
}

test('a new process after a clean stop may lead again what it led', () => {
  const controller = new TestController()
  const epoch = controller.register(1, {}, true)
  controller.heartbeat(1)
  withTopic(controller, [1])
  controller.register(1, { previousBrokerEpoch: epoch }, true)
  assert.deepEqual(partition(controller), { isr: [], elr: [1], lastKnownElr: [1], leader: -1 })
  controller.heartbeat(1)
  assert.deepEqual(partition(controller), { isr: [1], elr: [], lastKnownElr: [], leader: 1 })
  assert.equal(controller.image.topics.partition('t', 0)!.leaderRecoveryState, 0)
})

test('a new process after a crash leads again only as the last one who could, and recovers', () => {
  const controller = new TestController()
  controller.register(1, {}, true)
  controller.heartbeat(1)
  withTopic(controller, [1])
  controller.register(1, {}, true)
  assert.deepEqual(partition(controller), { isr: [], elr: [], lastKnownElr: [1], leader: -1 })
  controller.heartbeat(1)
  assert.deepEqual(partition(controller), { isr: [1], elr: [], lastKnownElr: [], leader: 1 })
  assert.equal(controller.image.topics.partition('t', 0)!.leaderRecoveryState, 1)
})

test('without eligible leader replicas a lone replica stays in the ISR', () => {
  const controller = new TestController({ elr: 0 })
  controller.register(1, {}, true)
  controller.heartbeat(1)
  withTopic(controller, [1])
  controller.register(1, {}, true)
  assert.deepEqual(partition(controller), { isr: [1], elr: [], lastKnownElr: [], leader: -1 })
  controller.heartbeat(1)
  assert.deepEqual(partition(controller), { isr: [1], elr: [], lastKnownElr: [], leader: 1 })
})

test('a broker that is removed leaves all partitions', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  withTopic(controller, [1, 2])
  controller.run(unregisterBroker(1))
  assert.deepEqual(partition(controller), { isr: [2], elr: [], lastKnownElr: [], leader: 2 })
  assert.equal(controller.image.cluster.broker(1), undefined)
  const unknown = { code: 102, message: 'Broker ID 1 is not currently registered' }
  assert.throws(() => controller.run(unregisterBroker(1)), unknown)
})

test('older metadata versions get older records', () => {
  for (const [metadataVersion, version] of [
    [7, 1],
    [8, 2],
    [17, 3],
    [30, 4],
  ] as const) {
    const controller = new TestController({ metadataVersion })
    const { records } = controller.run(registerBroker(registration(1), false))
    assert.equal(records[0]!.version, version)
    assert.deepEqual(controller.image.cluster.broker(1)!.directories, version >= 3 ? [directoryOf(1)] : [])
  }
})

test('directories of others are looked for in one pass, however many a registration has', () => {
  const controller = new TestController()
  const logDirs = (first: number) =>
    Array.from({ length: 50_000 }, (_, i) =>
      Buffer.from(`a directory ${1e6 + first + i}`.slice(-16)).toString('base64url'),
    )
  controller.run(registerBroker(registration(1, { logDirs: logDirs(0) }), false))
  controller.run(registerBroker(registration(2, { logDirs: logDirs(100_000) }), false))
  assert.throws(
    () => controller.run(registerBroker(registration(3, { logDirs: logDirs(149_999) }), false)),
    /Broker 2 is already registered with directory/,
  )
})
