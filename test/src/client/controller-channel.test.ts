import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { AllocateProducerIds } from '#protocol/messages/allocate-producer-ids.js'
import { BrokerHeartbeat } from '#protocol/messages/broker-heartbeat.js'
import type { Decoded, Fields } from '#protocol/schema.js'
import { type ControllerPlace, QuorumControllerChannel } from '#src/client/controller-channel.js'
import { pauseUntil } from '#src/runtime/pause.js'
import type { ConnectOptions } from '#src/runtime/ports.js'
import { AnsweringNetwork, answerer } from '../../support/answering-network.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { VirtualClock } from '../../support/virtual-clock.js'

const request = { brokerId: 1, brokerEpoch: 7 }
const at = (nodeId: number): ControllerPlace => ({ kind: 'remote', nodeId, host: 'node', port: 9000 + nodeId })
const block = (producerIdStart: number) =>
  answerer(AllocateProducerIds, () => ({ throttleTimeMs: 0, errorCode: 0, producerIdStart, producerIdLen: 1000 }))
const refuses = (errorCode: ErrorCode) =>
  answerer(AllocateProducerIds, () => ({ throttleTimeMs: 0, errorCode, producerIdStart: 0, producerIdLen: 0 }))
const silent = answerer(AllocateProducerIds, () => null)

function begin(callsMax = 10) {
  const clock = new VirtualClock()
  const network = new AnsweringNetwork()
  const world = {
    place: null as ControllerPlace | null,
    localCalls: 0,
    localError: null as ApiError | null,
    connectMs: 0,
  }
  const logger = keepingLogger()
  const connect = async (options: ConnectOptions) => {
    if (world.connectMs > 0) await pauseUntil(clock, clock.now() + world.connectMs)
    return network.connect(options)
  }
  const channel = new QuorumControllerChannel({
    find: () => world.place,
    local: {
      call: async <R extends Fields>() => {
        world.localCalls++
        if (world.localError !== null) throw world.localError
        return { throttleTimeMs: 0, errorCode: 0, producerIdStart: 5, producerIdLen: 1 } as unknown as Decoded<R>
      },
    },
    network: { listen: network.listen, connect, addressOf: network.addressOf },
    clock,
    logger,
    clientId: 'test',
    connectTimeoutMs: 1000,
    requestTimeoutMs: 1000,
    callsMax,
  })
  const ask = (waitMs = 5000) => {
    const outcome: { answer?: number; error?: unknown } = {}
    const answer = channel.call(AllocateProducerIds, request, clock.now() + waitMs)
    answer.then(
      ({ errorCode, producerIdStart }) => (outcome.answer = errorCode === 0 ? producerIdStart : -errorCode),
      error => (outcome.error = error),
    )
    return outcome
  }
  return { clock, network, world, channel, logger, ask }
}

test('a call waits until a controller is known, and goes to it', async () => {
  const { clock, network, world, channel, ask } = begin()
  network.serve(9001, block(3000))
  const outcome = ask()
  await clock.advance(100)
  assert.deepEqual(outcome, {})
  world.place = at(1)
  channel.controllerChanged()
  await clock.settle()
  assert.deepEqual(outcome, { answer: 3000 })
  assert.deepEqual(network.requests, ['9001 AllocateProducerIds 0'])
})

test('calls share one connection', async () => {
  const { clock, network, world, ask } = begin()
  network.serve(9001, block(1))
  world.place = at(1)
  const outcomes = [ask(), ask()]
  await clock.settle()
  outcomes.push(ask())
  await clock.settle()
  assert.deepEqual(outcomes, [{ answer: 1 }, { answer: 1 }, { answer: 1 }])
  assert.deepEqual(network.connects, [9001])
})

test('who says NOT_CONTROLLER, refuses or goes away is asked again, or the one who leads by then', async () => {
  const { clock, network, world, ask } = begin()
  world.place = at(1)
  network.serve(9001, refuses(ErrorCode.NOT_CONTROLLER))
  const first = ask()
  await clock.settle()
  network.stop(9001)
  await clock.advance(50)
  assert.deepEqual(first, {})
  network.serve(9002, block(2000))
  world.place = at(2)
  await clock.advance(300)
  assert.deepEqual(first, { answer: 2000 })
})

test('when another node leads, what waits for the old one goes to the new one a moment later', async () => {
  const { clock, network, world, channel, ask } = begin()
  network.serve(9001, silent)
  network.serve(9002, block(2000))
  world.place = at(1)
  const outcome = ask()
  await clock.settle()
  assert.equal(network.openConnections(9001), 1)
  world.place = at(2)
  channel.controllerChanged()
  const next = ask()
  await clock.advance(99)
  assert.deepEqual([outcome, next], [{}, { answer: 2000 }])
  await clock.advance(50)
  assert.deepEqual([outcome, network.openConnections(9001)], [{ answer: 2000 }, 0])
})

test('an answer of the old controller that is on its way is taken', async () => {
  const { clock, network, world, channel, ask } = begin()
  network.serve(9001, block(1000))
  world.place = at(1)
  const outcome = ask()
  world.place = null
  channel.controllerChanged()
  await clock.settle()
  assert.deepEqual(outcome, { answer: 1000 })
  channel.close()
  await clock.settle()
  assert.deepEqual([clock.timerCount, network.openConnections(9001)], [0, 0])
})

test('an error that the controller answers is an answer', async () => {
  const { clock, network, world, ask } = begin()
  network.serve(9001, refuses(ErrorCode.STALE_BROKER_EPOCH))
  world.place = at(1)
  const outcome = ask()
  await clock.settle()
  assert.deepEqual(outcome, { answer: -ErrorCode.STALE_BROKER_EPOCH })
})

test('when time is up the call ends, and its connection goes on', async () => {
  const { clock, network, world, ask } = begin()
  network.serve(9001, silent)
  world.place = at(1)
  const outcome = ask(100)
  await clock.advance(100)
  assert.equal((outcome.error as ApiError).code, ErrorCode.REQUEST_TIMED_OUT)
  assert.equal(network.openConnections(9001), 1)
})

test('a request whose connection breaks is sent again and again, until its time is up, and never after it', async () => {
  const { clock, network, world, ask } = begin()
  network.serve(9001, silent)
  world.place = at(1)
  const outcome = ask(45)
  await clock.settle()
  network.stop(9001)
  network.serve(9001, silent)
  await clock.advance(10)
  assert.deepEqual([outcome, network.requests.length], [{}, 2])
  network.stop(9001)
  world.connectMs = 20
  network.serve(9001, silent)
  await clock.advance(35)
  assert.equal((outcome.error as ApiError).code, ErrorCode.REQUEST_TIMED_OUT)
  await clock.advance(1000)
  assert.deepEqual([network.openConnections(9001), network.requests.length], [1, 2], 'connected, and nothing sent')
})

test('what is wrong with a request itself is told to who asked, and the connection goes on', async () => {
  const { clock, network, world, channel, ask } = begin()
  network.serve(9001, block(1))
  world.place = at(1)
  const broken = {
    brokerId: 1,
    get brokerEpoch(): number {
      throw new RangeError('no such epoch')
    },
  }
  await assert.rejects(channel.call(AllocateProducerIds, broken, Infinity), new RangeError('no such epoch'))
  const outcome = ask()
  await clock.settle()
  assert.deepEqual([outcome, network.connects], [{ answer: 1 }, [9001]])
})

test('the first failure of a connection is a warning, those that follow are details until an answer comes', async () => {
  const { clock, network, world, logger, ask } = begin()
  world.place = at(1)
  const outcome = ask()
  await clock.advance(100)
  assert.deepEqual(
    logger.lines.slice(0, 3).map(({ level }) => level),
    ['warn', 'debug', 'debug'],
  )
  assert.deepEqual(logger.lines[0]!.fields, {
    controllerId: 1,
    api: 'AllocateProducerIds',
    error: 'nothing listens on 9001',
  })
  network.serve(9001, block(1))
  await clock.advance(300)
  assert.deepEqual(outcome, { answer: 1 })
  network.stop(9001)
  ask()
  await clock.advance(100)
  assert.equal(logger.lines.filter(({ level }) => level === 'warn').length, 2)
})

test('an API that the controller does not have is not asked for again', async () => {
  const { clock, network, world, channel } = begin()
  network.serve(9001, block(1))
  world.place = at(1)
  const heartbeat = { brokerId: 1, brokerEpoch: 1, currentMetadataOffset: 1, wantFence: false, wantShutDown: false }
  const answer = channel.call(BrokerHeartbeat, heartbeat, clock.now() + 5000)
  await assert.rejects(answer, (error: ApiError) => error.code === ErrorCode.UNSUPPORTED_VERSION)
})

test('the controller of this process is asked directly, and what it refuses is not asked again', async () => {
  const { clock, world, ask } = begin()
  world.place = { kind: 'local' }
  const answered = ask()
  await clock.settle()
  assert.deepEqual(answered, { answer: 5 })
  world.localError = new ApiError(ErrorCode.NOT_CONTROLLER)
  const waits = ask()
  await clock.advance(10)
  assert.deepEqual([waits, world.localCalls], [{}, 3])
  world.localError = new ApiError(ErrorCode.INVALID_REQUEST)
  await clock.advance(100)
  assert.equal((waits.error as ApiError).code, ErrorCode.INVALID_REQUEST)
})

test('there is a limit to calls that wait, and an end to them when the node stops', async () => {
  const { clock, channel, ask } = begin(1)
  const waits = ask()
  const tooMany = ask()
  await clock.settle()
  assert.equal((tooMany.error as ApiError).code, ErrorCode.REQUEST_TIMED_OUT)
  channel.close()
  await clock.settle()
  assert.equal((waits.error as ApiError).code, ErrorCode.BROKER_NOT_AVAILABLE)
  assert.equal(clock.timerCount, 0)
})
