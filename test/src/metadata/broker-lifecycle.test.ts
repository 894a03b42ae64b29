import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { BrokerHeartbeatRequest } from '#protocol/messages/broker-heartbeat.js'
import { BrokerLifecycle } from '#src/metadata/broker-lifecycle.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { registration, settled, TestClock } from '../controller/support.js'

/** A controller that does as it is told: answers by hand or by itself. */
class FakeController {
  readonly registrations: number[] = []
  readonly heartbeats: BrokerHeartbeatRequest[] = []
  readonly #clock: TestClock
  /** What the next registrations come to, before one succeeds. */
  refusals: ErrorCode[] = []
  isFenced = true
  brokerEpoch = 42
  /** Lets a broker in that wants to. */
  letsIn = true
  letsGo: boolean[] = []
  failure: ErrorCode | null = null
  hangs = false

  constructor(clock: TestClock) {
    this.#clock = clock
  }

  async register(): Promise<{ errorCode: number; brokerEpoch: number }> {
    this.registrations.push(this.#clock.now())
    const refusal = this.refusals.shift()
    if (refusal === ErrorCode.NOT_CONTROLLER) throw new ApiError(refusal)
    return { errorCode: refusal ?? 0, brokerEpoch: refusal === undefined ? this.brokerEpoch : -1 }
  }

  heartbeat(request: BrokerHeartbeatRequest) {
    this.heartbeats.push(request)
    if (this.hangs) return new Promise<never>(() => {})
    if (this.failure !== null) return Promise.reject(new ApiError(this.failure))
    if (!request.wantFence && this.letsIn) this.isFenced = false
    const shouldShutDown = request.wantShutDown && (this.letsGo.shift() ?? true)
    return Promise.resolve({ errorCode: 0, isCaughtUp: true, isFenced: this.isFenced, shouldShutDown })
  }
}

function begin() {
  const clock = new TestClock()
  const controller = new FakeController(clock)
  const faults: string[] = []
  const logger = keepingLogger()
  const lifecycle = new BrokerLifecycle({
    registration: () => registration(7),
    controller,
    metadataOffset: () => 99,
    clock,
    logger,
    heartbeatIntervalMs: 2000,
    registrationTimeoutMs: 60_000,
    onFault: error => faults.push(error.message),
  })
  return { clock, controller, lifecycle, faults, logger }
}

test('a broker registers, waits until it is ready, and is let in without a pause', async () => {
  const { clock, controller, lifecycle } = begin()
  assert.equal(lifecycle.state, 'idle')
  lifecycle.start()
  await settled()
  assert.deepEqual([lifecycle.state, lifecycle.epoch, controller.heartbeats.at(-1)!.wantFence], ['fenced', 42, true])
  let isIn = false
  lifecycle.setReady().then(() => (isIn = true))
  await settled()
  assert.deepEqual([lifecycle.state, isIn, clock.now()], ['running', true, 0])
  assert.deepEqual(controller.heartbeats.at(-1), {
    brokerId: 7,
    brokerEpoch: 42,
    currentMetadataOffset: 99,
    wantFence: false,
    wantShutDown: false,
    offlineLogDirs: [],
    cordonedLogDirs: [],
  })
})

test('readiness that comes before the registration counts', async () => {
  const { lifecycle, controller } = begin()
  lifecycle.start()
  const ready = lifecycle.setReady()
  await ready
  assert.deepEqual([lifecycle.state, controller.heartbeats.length], ['running', 1])
})

test('a heartbeat goes out every interval', async () => {
  const { clock, controller, lifecycle } = begin()
  lifecycle.start()
  await lifecycle.setReady()
  const before = controller.heartbeats.length
  await clock.advance(6000)
  assert.equal(controller.heartbeats.length, before + 3)
})

test('a refused registration is tried again with growing pauses, and at once when there is another controller', async () => {
  const { clock, controller, lifecycle } = begin()
  controller.refusals = Array.from({ length: 9 }, () => ErrorCode.NOT_CONTROLLER)
  lifecycle.start()
  await clock.advance(700)
  assert.deepEqual(controller.registrations, [0, 10, 30, 70, 150, 310, 630])
  lifecycle.controllerChanged()
  await settled()
  assert.equal(controller.registrations.at(-1), 700)
  controller.refusals = []
  await clock.advance(10)
  assert.equal(lifecycle.epoch, 42)
})

test('a registration that never succeeds is a fault', async () => {
  const { clock, controller, lifecycle, faults } = begin()
  controller.refusals = Array.from({ length: 999 }, () => ErrorCode.DUPLICATE_BROKER_REGISTRATION)
  lifecycle.start()
  await clock.advance(59_999)
  assert.deepEqual(faults, [])
  await clock.advance(1001)
  assert.deepEqual([faults, lifecycle.state], [['the broker could not register with a controller in time'], 'stopped'])
})

test('a broker whose place an earlier process takes by a late request registers again', async () => {
  const { controller, lifecycle, faults } = begin()
  lifecycle.start()
  await lifecycle.setReady()
  controller.brokerEpoch = 60
  controller.isFenced = true
  lifecycle.seenOther(50)
  await settled()
  assert.deepEqual([lifecycle.state, lifecycle.epoch, controller.registrations.length], ['running', 60, 2])
  lifecycle.seenOther(59)
  await settled()
  assert.deepEqual([controller.registrations.length, faults], [2, []])
})

test('so it does when it hears of that before it hears that it is registered', async () => {
  const { clock, controller, lifecycle } = begin()
  lifecycle.start()
  lifecycle.seenOther(50)
  await settled()
  assert.deepEqual([lifecycle.state, lifecycle.epoch], ['registering', 42])
  controller.brokerEpoch = 60
  await clock.advance(10)
  assert.deepEqual([lifecycle.state, lifecycle.epoch], ['fenced', 60])
})

test('a broker whose place a living process has taken ends', async () => {
  const { controller, lifecycle, faults } = begin()
  lifecycle.start()
  await lifecycle.setReady()
  controller.refusals = [ErrorCode.DUPLICATE_BROKER_REGISTRATION]
  lifecycle.seenOther(50)
  await settled()
  assert.equal(lifecycle.state, 'stopped')
  assert.deepEqual(faults, ['another process, which is alive, has taken the place of this broker'])
})

test('a broker that is fenced by the controller wants in again', async () => {
  const { clock, controller, lifecycle } = begin()
  lifecycle.start()
  await lifecycle.setReady()
  controller.isFenced = true
  controller.letsIn = false
  await clock.advance(2000)
  assert.equal(lifecycle.state, 'fenced')
  controller.letsIn = true
  await clock.advance(10)
  assert.equal(lifecycle.state, 'running')
})

test('a failed directory is told at once, and with every heartbeat from then on', async () => {
  const { clock, controller, lifecycle } = begin()
  lifecycle.start()
  await lifecycle.setReady()
  lifecycle.setOfflineDirectories(['d'])
  await settled()
  await clock.advance(2000)
  assert.deepEqual(
    controller.heartbeats.slice(-2).map(heartbeat => heartbeat.offlineLogDirs),
    [['d'], ['d']],
  )
})

test('a heartbeat that fails is sent again soon', async () => {
  const { clock, controller, lifecycle } = begin()
  lifecycle.start()
  await lifecycle.setReady()
  controller.failure = ErrorCode.NOT_CONTROLLER
  await clock.advance(2000)
  const before = controller.heartbeats.length
  controller.failure = null
  await clock.advance(10)
  assert.deepEqual([controller.heartbeats.length, lifecycle.state], [before + 1, 'running'])
})

test('a broker that stops asks to be let go until it is', async () => {
  const { clock, controller, lifecycle } = begin()
  lifecycle.start()
  await lifecycle.setReady()
  controller.letsGo = [false, false, true]
  let released: boolean | undefined
  lifecycle.stop(30_000).then(result => (released = result))
  await clock.advance(19)
  assert.deepEqual([lifecycle.state, controller.letsGo.length], ['stopping', 2])
  await clock.advance(1)
  assert.equal(controller.letsGo.length, 1)
  await clock.advance(39)
  assert.equal(controller.letsGo.length, 1)
  await clock.advance(1)
  assert.deepEqual([released, lifecycle.state, clock.timers], [true, 'stopped', 0])
})

test('who is not let go in time stops without it, even when nobody answers', async () => {
  for (const hangs of [false, true]) {
    const { clock, controller, lifecycle } = begin()
    lifecycle.start()
    await lifecycle.setReady()
    controller.hangs = hangs
    controller.letsGo = Array.from({ length: 99 }, () => false)
    let released: boolean | undefined
    lifecycle.stop(5000).then(result => (released = result))
    await clock.advance(4999)
    assert.equal(released, undefined)
    await clock.advance(1)
    assert.deepEqual([released, clock.timers], [false, 0])
  }
})

test('a broker that never registered stops at once', async () => {
  const { lifecycle } = begin()
  assert.equal(await lifecycle.stop(1000), true)
  assert.equal(await lifecycle.stop(1000), true)
})

test('closing leaves no timer behind', async () => {
  const { clock, lifecycle } = begin()
  lifecycle.start()
  await lifecycle.setReady()
  lifecycle.close()
  assert.equal(clock.timers, 0)
})

test('a failure is told once a reason, a refused heartbeat as a warning, and again after a success', async () => {
  const { clock, controller, lifecycle, logger } = begin()
  const told = () => {
    const lines = logger.lines.splice(0).filter(({ message }) => /failed/.test(message))
    return lines.map(({ level, fields }) => `${level} ${(fields as { readonly reason: string }).reason}`)
  }
  controller.refusals = [ErrorCode.NOT_CONTROLLER, ErrorCode.NOT_CONTROLLER, ErrorCode.INCONSISTENT_CLUSTER_ID]
  lifecycle.start()
  await clock.advance(1000)
  assert.deepEqual(told(), ['info NOT_CONTROLLER', 'debug NOT_CONTROLLER', 'info INCONSISTENT_CLUSTER_ID'])
  controller.failure = ErrorCode.STALE_BROKER_EPOCH
  await clock.advance(2020)
  assert.deepEqual(told().slice(0, 2), ['warn STALE_BROKER_EPOCH', 'debug STALE_BROKER_EPOCH'])
  controller.failure = ErrorCode.REQUEST_TIMED_OUT
  await clock.advance(2000)
  assert.equal(
    told().find(line => !line.startsWith('debug')),
    'info REQUEST_TIMED_OUT',
  )
  controller.failure = null
  await clock.advance(4000)
  controller.failure = ErrorCode.REQUEST_TIMED_OUT
  await clock.advance(2000)
  assert.equal(told()[0], 'info REQUEST_TIMED_OUT')
})
