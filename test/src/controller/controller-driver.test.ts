import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { allocateProducerIds } from '#src/controller/allocate-producer-ids.js'
import { processHeartbeat } from '#src/controller/broker-heartbeat.js'
import { brokerLooksDead } from '#src/controller/broker-looks-dead.js'
import type { Command } from '#src/controller/command.js'
import { ControllerDriver, type RunOptions } from '#src/controller/controller-driver.js'
import { createTopics } from '#src/controller/create-topics.js'
import { registerBroker } from '#src/controller/register-broker.js'
import { MetadataPublisher } from '#src/metadata/publisher.js'
import { silentLogger } from '#src/testing/silent-logger.js'
import { SeededRandom } from '../../support/random.js'
import { identity, MemoryMetadataLog, nodeConfig, registration, settled, TestClock } from './support.js'

interface World {
  readonly clock: TestClock
  readonly log: MemoryMetadataLog
  readonly publisher: MetadataPublisher
  readonly driver: ControllerDriver
  /** Runs a command and notes what comes of it. */
  readonly ask: (command: Command<unknown>, options?: RunOptions) => { answer: unknown; error: unknown }
}

function begin(requestsMax = 100): World {
  const clock = new TestClock()
  const log = new MemoryMetadataLog()
  const publisher = new MetadataPublisher(fault => {
    throw fault
  })
  const driver = new ControllerDriver({
    identity: identity(),
    staticConfig: nodeConfig({ 'min.insync.replicas': '1' }),
    kraftVersion: () => 0,
    random: new SeededRandom(1),
    log,
    published: publisher,
    clock,
    logger: silentLogger,
    requestsMax,
  })
  log.register(publisher)
  log.register(driver)
  const ask: World['ask'] = (command, options) => {
    const result: { answer: unknown; error: unknown } = { answer: undefined, error: undefined }
    driver.run(command, options).then(
      answer => (result.answer = answer),
      (error: unknown) => (result.error = error instanceof ApiError ? error.code : error),
    )
    return result
  }
  return { clock, log, publisher, driver, ask }
}

/** An active controller with broker 1. */
async function active(): Promise<World> {
  const world = begin()
  world.log.lead(1)
  await settled()
  const registered = world.ask(registerBroker(registration(1), true), { untilPublished: true })
  await settled()
  const { brokerEpoch } = registered.answer as { brokerEpoch: number }
  world.ask(
    processHeartbeat({
      brokerId: 1,
      brokerEpoch,
      currentMetadataOffset: 1000,
      wantFence: false,
      wantShutDown: false,
      offlineLogDirs: [],
      cordonedLogDirs: null,
    }),
  )
  await settled()
  return world
}

function create(name: string): Command<unknown> {
  const topics = [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }]
  return createTopics({ topics, timeoutMs: 1, validateOnly: false })
}

const read: Command<number> = ({ image }) => ({ records: [], response: image.topics.topicCount })

test('a node that does not lead is not the controller', async () => {
  const { log, ask, driver } = begin()
  const before = ask(read)
  log.lead(2)
  const whileOther = ask(read)
  await settled()
  assert.deepEqual([before.error, whileOther.error, driver.isActive], [41, 41, false])
})

test('an empty log begins with what formatting left, in one transaction', async () => {
  const { log, driver, publisher } = begin()
  log.lead(1)
  await settled()
  assert.equal(driver.isActive, true)
  assert.deepEqual(
    log.batches.map(batch => batch.records.map(record => record.type)),
    [['BeginTransactionRecord', 'FeatureLevelRecord', 'FeatureLevelRecord', 'ConfigRecord', 'EndTransactionRecord']],
  )
  assert.equal(publisher.image.features.metadataVersion, 33)
  assert.equal(publisher.image.configs.of(4, '').get('min.insync.replicas'), '1')
  log.lead(1)
  await settled()
  assert.equal(log.batches.length, 1)
})

test('requests that come while the image is loaded wait for it', async () => {
  const { log, ask } = begin()
  log.lead(1)
  const early = ask(read)
  assert.equal(early.answer, undefined)
  await settled()
  assert.equal(early.answer, 0)
})

test('the broker epoch is the offset of the registration', async () => {
  const { log, publisher } = await active()
  const batch = log.batches.find(({ records }) => records[0]!.type === 'RegisterBrokerRecord')!
  assert.equal(publisher.image.cluster.broker(1)!.epoch, batch.baseOffset)
  assert.equal(publisher.image.cluster.broker(1)!.fenced, false)
})

test('an answer comes when the change is committed and this node shows it', async () => {
  const { log, ask, publisher } = await active()
  log.commitsByItself = false
  const created = ask(create('t'), { untilPublished: true })
  await settled()
  assert.deepEqual([created.answer, publisher.image.topics.byName('t')], [undefined, undefined])
  log.commit()
  await settled()
  assert.notEqual(created.answer, undefined)
  assert.notEqual(publisher.image.topics.byName('t'), undefined)
})

test('a command sees what was appended before it, and its answer waits for that', async () => {
  const { log, ask } = await active()
  log.commitsByItself = false
  ask(create('t'))
  const again = ask(create('t'))
  const count = ask(read)
  await settled()
  assert.deepEqual([again.answer, count.answer], [undefined, undefined])
  log.commit()
  await settled()
  assert.equal((again.answer as { topics: { errorCode: number }[] }).topics[0]!.errorCode, 36)
  assert.equal(count.answer, 1)
})

test('subscribers have acted before the answer comes', async () => {
  const clock = new TestClock()
  const log = new MemoryMetadataLog()
  const publisher = new MetadataPublisher(() => {})
  let release = (): void => {}
  publisher.subscribe({
    name: 'slow',
    onMetadata: delta => (delta.topics.size === 0 ? undefined : new Promise<void>(resolve => (release = resolve))),
  })
  const parts = { identity: identity(), staticConfig: nodeConfig(), kraftVersion: () => 0, random: new SeededRandom(1) }
  const driver = new ControllerDriver({
    ...parts,
    log,
    published: publisher,
    clock,
    logger: silentLogger,
    requestsMax: 9,
  })
  log.register(publisher)
  log.register(driver)
  log.lead(1)
  await settled()
  driver.run(registerBroker(registration(1), true))
  await settled()
  let isAnswered = false
  const request = {
    topics: [
      {
        name: 't',
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 0, brokerIds: [1] }],
        configs: [],
      },
    ],
    timeoutMs: 1,
    validateOnly: false,
  }
  const unfence = processHeartbeat({
    brokerId: 1,
    brokerEpoch: publisher.image.cluster.broker(1)!.epoch,
    currentMetadataOffset: 1000,
    wantFence: false,
    wantShutDown: false,
    offlineLogDirs: [],
    cordonedLogDirs: null,
  })
  await driver.run(unfence)
  driver.run(createTopics(request), { untilPublished: true }).then(() => (isAnswered = true))
  await settled()
  assert.equal(isAnswered, false)
  release()
  await settled()
  assert.equal(isAnswered, true)
})

test('time that is up is told, whether the request waits for the image or for the commit', async () => {
  const { log, ask, clock } = await active()
  assert.equal(await driverError(ask(read, { timeoutMs: 0 })), 7)
  assert.equal(await driverError(ask(read, { timeoutMs: -1 })), 7)
  log.commitsByItself = false
  const late = ask(create('t'), { timeoutMs: 500 })
  await clock.advance(499)
  assert.equal(late.error, undefined)
  await clock.advance(1)
  assert.equal(late.error, 7)
  log.commit()
  await settled()
  assert.equal(late.answer, undefined)
})

test('who was told that time is up waits for no image any more, however long that takes', async () => {
  const { log, publisher, ask, clock } = begin()
  let isStuck = false
  publisher.subscribe({ name: 's', onMetadata: () => (isStuck ? new Promise<void>(() => {}) : undefined) })
  log.lead(1)
  await settled()
  isStuck = true
  const late = ask(registerBroker(registration(1), true), { untilPublished: true, timeoutMs: 500 })
  await settled()
  assert.deepEqual([late.error, publisher.waiterCount], [undefined, 1])
  await clock.advance(500)
  assert.deepEqual([late.error, publisher.waiterCount], [ErrorCode.REQUEST_TIMED_OUT, 0])
})

async function driverError(result: { error: unknown }): Promise<unknown> {
  await settled()
  return result.error
}

test('when leadership goes, everyone is told, and the next controller begins with what was committed', async () => {
  const { log, ask, driver, publisher } = await active()
  log.commitsByItself = false
  const lost = ask(create('lost'), { untilPublished: true })
  log.lead(2)
  await settled()
  assert.deepEqual([lost.error, driver.isActive], [41, false])
  log.commitsByItself = true
  log.lead(1)
  const count = ask(read)
  await settled()
  assert.deepEqual([count.answer, publisher.image.topics.topicCount], [0, 0])
  const created = ask(create('kept'), { untilPublished: true })
  await settled()
  assert.notEqual(created.answer, undefined)
  assert.equal(publisher.image.topics.topicCount, 1)
})

test('an open metadata transaction is aborted by the next controller', async () => {
  const { log, publisher } = await active()
  log.append(log.leader.epoch, [
    { type: 'BeginTransactionRecord', version: 0, value: { name: null } },
    { type: 'TopicRecord', version: 0, value: { name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAABA' } },
  ])
  await settled()
  log.lead(1)
  await settled()
  assert.deepEqual(
    log.batches.at(-1)!.records.map(record => record.type),
    ['AbortTransactionRecord'],
  )
  assert.equal(publisher.image.topics.topicCount, 0)
})

test('a command that fails in an unexpected way costs only itself', async () => {
  const { ask, driver, log } = await active()
  const failed = ask(() => {
    throw new Error('a bug')
  })
  const fine = ask(read)
  await settled()
  assert.deepEqual(
    [failed.error, fine.answer, driver.isActive, log.resigned],
    [ErrorCode.UNKNOWN_SERVER_ERROR, 0, true, []],
  )
})

test('records that cannot be replayed cost the controller its office', async () => {
  const { ask, driver, log } = await active()
  const bad = ask(() => ({
    records: [{ type: 'RemoveTopicRecord', version: 0, value: { topicId: 'AAAAAAAAAAAAAAAAAAAABA' } }],
    response: undefined,
  }))
  assert.equal(driver.isActive, false)
  log.batches.pop()
  await settled()
  assert.deepEqual([bad.error, log.resigned], [ErrorCode.UNKNOWN_SERVER_ERROR, [log.leader.epoch]])
})

test('an append that is refused leaves no trace', async () => {
  const { ask, log } = await active()
  const tooMuch = ask(() => ({
    records: Array.from({ length: 9000 }, () => ({ type: 'NoOpRecord' as const, version: 0, value: {} })),
    response: undefined,
  }))
  log.failure = new ApiError(ErrorCode.KAFKA_STORAGE_ERROR)
  const refused = ask(create('t'))
  const count = ask(read)
  await settled()
  assert.deepEqual([tooMuch.error, refused.error, count.answer], [undefined, ErrorCode.KAFKA_STORAGE_ERROR, 0])
})

test('too many requests at a time are refused', async () => {
  const { log, ask } = begin(2)
  log.lead(1)
  const results = [ask(read), ask(read), ask(read)]
  await settled()
  assert.deepEqual(
    results.map(result => result.error ?? result.answer),
    [0, 0, 7],
  )
})

test('closing tells everyone and leaves no timer behind', async () => {
  const { log, ask, driver, clock } = await active()
  log.commitsByItself = false
  const waiting = ask(create('t'), { timeoutMs: 1000 })
  driver.close()
  await settled()
  assert.deepEqual([waiting.error, clock.timers], [41, 0])
  assert.equal(await driverError(ask(read)), 41)
})

const heartbeat = (brokerId: number, brokerEpoch: number): Command<unknown> =>
  processHeartbeat({
    ...{ brokerId, brokerEpoch, currentMetadataOffset: 1000, wantFence: false, wantShutDown: false },
    ...{ offlineLogDirs: [], cordonedLogDirs: null },
  })

/** Broker 2, of another process; its epoch. */
async function joined({ ask, publisher }: World): Promise<number> {
  ask(registerBroker(registration(2), false))
  await settled()
  const { epoch } = publisher.image.cluster.broker(2)!
  ask(heartbeat(2, epoch))
  await settled()
  assert.equal(publisher.image.cluster.broker(2)!.fenced, false)
  return epoch
}

test('a broker that falls silent is fenced when its session is over, and no sooner', async () => {
  const world = await active()
  await joined(world)
  const isFenced = () => world.publisher.image.cluster.broker(2)!.fenced
  await world.clock.advance(8999)
  assert.equal(isFenced(), false)
  await world.clock.advance(1)
  assert.equal(isFenced(), true)
})

test('a new controller gives every broker a whole session', async () => {
  const world = await active()
  await joined(world)
  const isFenced = () => world.publisher.image.cluster.broker(2)!.fenced
  await world.clock.advance(8000)
  world.log.lead(2)
  world.log.lead(1)
  await world.clock.advance(8999)
  assert.equal(isFenced(), false)
  await world.clock.advance(1)
  assert.equal(isFenced(), true)
})

test('a broker that is known to be gone is fenced at once, unless it has come back', async () => {
  const world = await active()
  const epoch = await joined(world)
  const isFenced = () => world.publisher.image.cluster.broker(2)!.fenced
  world.ask(brokerLooksDead(2, epoch - 1))
  await settled()
  assert.equal(isFenced(), false)
  const fenced = world.ask(brokerLooksDead(2, epoch))
  await settled()
  assert.deepEqual([fenced.answer, isFenced()], [true, true])
})

test('whoever waits for the commit of a heartbeat, an ISR or ids is told when leadership goes', async () => {
  const world = await active()
  const epoch = await joined(world)
  world.log.commitsByItself = false
  const made = world.ask(create('t'))
  const beat = world.ask(heartbeat(2, epoch))
  const ids = world.ask(allocateProducerIds({ brokerId: 2, brokerEpoch: epoch }))
  await settled()
  assert.deepEqual([made.answer, beat.answer, ids.answer], [undefined, undefined, undefined])
  world.log.lead(3)
  await settled()
  assert.deepEqual([made.error, beat.error, ids.error], [41, 41, 41])
  assert.equal(world.clock.timers, 0)
})

test('what a lost epoch appended is not handed out again, and ids are not handed out twice', async () => {
  const world = await active()
  const epoch = await joined(world)
  const ids = allocateProducerIds({ brokerId: 2, brokerEpoch: epoch })
  const first = world.ask(ids)
  await settled()
  world.log.commitsByItself = false
  const lost = world.ask(ids)
  world.log.lead(2)
  await settled()
  world.log.commitsByItself = true
  world.log.lead(1)
  const next = world.ask(ids)
  await settled()
  const starts = [first, next].map(({ answer }) => (answer as { producerIdStart: number }).producerIdStart)
  assert.deepEqual([starts, lost.error], [[0, 1000], 41])
})

test('a process that stood still does not take the silence of that time for death', async () => {
  const world = await active()
  const epoch = await joined(world)
  const isFenced = () => world.publisher.image.cluster.broker(2)!.fenced
  await world.clock.advance(2000)
  world.clock.standStill(20_000)
  await world.clock.advance(0)
  assert.equal(isFenced(), false)
  world.ask(heartbeat(2, epoch))
  await world.clock.advance(8999)
  assert.equal(isFenced(), false)
  await world.clock.advance(1)
  assert.equal(isFenced(), true)
})

test('who is not heard of soon after that is fenced', async () => {
  const world = await active()
  await joined(world)
  const isFenced = () => world.publisher.image.cluster.broker(2)!.fenced
  world.clock.standStill(20_000)
  await world.clock.advance(1124)
  assert.equal(isFenced(), false)
  await world.clock.advance(1)
  assert.equal(isFenced(), true)
})
