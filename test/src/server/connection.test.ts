import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reply, RequestOrder } from '#src/handlers/raw-handler.js'
import { BufferPool } from '#src/runtime/buffer-pool.js'
import { MemoryBudget } from '#src/runtime/memory-budget.js'
import { Turn } from '#src/runtime/turn.js'
import type { FrameHandler, ServerConnection } from '#src/server/connection.js'
import { Server, type ServerLimits } from '#src/server/server.js'
import { FakeNetwork, type FakeTransport } from '../../support/fake-network.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { SeededRandom, testSeed } from '../../support/random.js'
import { TEST_LIMITS } from '../../support/replica-broker.js'
import { VirtualClock } from '../../support/virtual-clock.js'

/** A frame with a key of an API, as the connection looks at it, and a number. */
function frame(apiKey: number, number: number, bytes = 8): Buffer {
  const buffer = Buffer.alloc(4 + bytes, number & 0xff)
  buffer.writeInt32BE(bytes, 0)
  buffer.writeInt16BE(apiKey, 4)
  buffer.writeInt32BE(number, 6)
  return buffer
}

const SERIAL = 1
const ALONE = 2
const FREE = 3
const ORDERS: Record<number, RequestOrder> = { [SERIAL]: 'serial', [ALONE]: 'alone', [FREE]: 'free' }

/** Answers each frame with its number, at once or when the test says so. */
class Frames implements FrameHandler {
  readonly started: number[] = []
  readonly bodies: Buffer[] = []
  readonly replies = new Map<number, Reply>()
  isLater = false
  keptBytes = 0
  answerBytes = 4

  orderOf(_kind: string, apiKey: number): RequestOrder {
    return ORDERS[apiKey] ?? 'serial'
  }

  onFrame(connection: ServerConnection, buffer: Buffer, start: number, end: number): void {
    const number = buffer.readInt32BE(start + 2)
    this.started.push(number)
    this.bodies.push(Buffer.from(buffer.subarray(start, end)))
    if (this.isLater) {
      const order = ORDERS[buffer.readInt16BE(start)] ?? 'serial'
      this.replies.set(number, connection.replies.defer(order, this.keptBytes))
      return
    }
    connection.replies.reserve(this.answerBytes)
    connection.replies.buffer.writeInt32BE(number, connection.replies.at)
    connection.replies.commit(connection.replies.at + this.answerBytes)
  }

  answer(number: number): void {
    const answer = Buffer.alloc(4)
    answer.writeInt32BE(number)
    this.replies.get(number)!.send([answer])
  }
}

interface Setting {
  readonly network: FakeNetwork
  readonly frames: Frames
  readonly server: Server
  readonly budget: MemoryBudget
  readonly clock: VirtualClock
  readonly transport: FakeTransport
  readonly logger: ReturnType<typeof keepingLogger>
  dial(port?: number): FakeTransport
  answers(): number[]
}

async function setting(limits: Partial<ServerLimits> = {}, memory = 100_000_000): Promise<Setting> {
  const network = new FakeNetwork()
  const clock = new VirtualClock()
  const frames = new Frames()
  const budget = new MemoryBudget(memory)
  const logger = keepingLogger()
  const server = new Server({
    network,
    clock,
    logger,
    turn: new Turn(),
    pool: new BufferPool(),
    budget,
    frames,
    limits: { ...TEST_LIMITS, ...limits },
  })
  const port = await server.listen({ name: 'PLAINTEXT', kind: 'broker', host: '', port: 0, backlog: 1 })
  const transport = network.dial(port)
  const answers = (): number[] => {
    const bytes = transport.take()
    return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32BE(i * 4))
  }
  return { network, frames, server, budget, clock, transport, logger, dial: (to = port) => network.dial(to), answers }
}

test('connections that cannot be accepted are errors in the log, a few a second', async () => {
  const { network, logger, clock } = await setting()
  const [onAcceptError] = network.onAcceptErrors
  for (let i = 0; i < 100; i++) onAcceptError!(new Error('accept EMFILE'))
  assert.equal(logger.lines.length, 5)
  const { level, fields, message } = logger.lines[0]!
  const expected = ['error', { listener: 'PLAINTEXT', error: 'accept EMFILE' }, 'a connection could not be accepted']
  assert.deepEqual([level, fields, message], expected)
  await clock.advance(1000)
  onAcceptError!(new Error('accept EMFILE'))
  assert.equal((logger.lines[5]!.fields as { readonly linesLeftOut: number }).linesLeftOut, 95)
})

test('frames that come in one read are handled in order and answered with one write', async () => {
  const { frames, transport, answers } = await setting()
  transport.feed(Buffer.concat([frame(FREE, 1), frame(SERIAL, 2, 100), frame(FREE, 3)]))
  assert.deepEqual(frames.started, [1, 2, 3])
  assert.equal(transport.writes, 1)
  assert.deepEqual(answers(), [1, 2, 3])
})

test('a stream cut anywhere gives the same frames', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  for (const pieceBytes of [1, 2, 3, 5, 7, 1000, 33_000, 70_000, 262_144]) {
    const { frames, transport, answers, budget } = await setting()
    const sizes = pieceBytes < 100 ? [8, 9, 300] : [8, 50, 5000, 40_000, 90_000, 700_000, 1_048_600]
    const sent = Array.from({ length: 30 }, (_, i) => frame(FREE, i, random.pick(sizes)))
    transport.feed(Buffer.concat(sent), pieceBytes)
    assert.equal(frames.bodies.length, sent.length, `pieces of ${pieceBytes}, seed ${seed}`)
    frames.bodies.forEach((body, i) => {
      assert.ok(body.equals(sent[i]!.subarray(4)), `frame ${i}, pieces of ${pieceBytes}, seed ${seed}`)
    })
    assert.deepEqual(
      answers(),
      sent.map((_, i) => i),
    )
    assert.equal(budget.used, 0, 'all memory is given back')
  }
})

test('the rest of a large frame is read straight into its buffer', async () => {
  const { frames, transport } = await setting()
  const large = frame(FREE, 1, 1_000_000)
  const handler = transport.handler!
  const first = Buffer.from(large.subarray(0, 200_000))
  handler.onData(first, 0, first.length)
  let at = first.length
  let direct = 0
  while (at < large.length) {
    const view = handler.nextBuffer!()
    if (view === null) {
      handler.onData(large, at, large.length)
      break
    }
    const length = Math.min(view.length, 100_000, large.length - at)
    large.copy(view, 0, at, at + length)
    handler.onData(view, 0, length)
    at += length
    direct += length
  }
  assert.ok(direct > 700_000, `${direct} bytes went straight into the frame`)
  assert.ok(frames.bodies[0]!.equals(large.subarray(4)))
})

test('answers leave in the order of the requests, whatever the order in which they come', async () => {
  const { frames, transport, answers, clock } = await setting()
  frames.isLater = true
  transport.feed(Buffer.concat([frame(FREE, 1), frame(FREE, 2), frame(FREE, 3)]))
  frames.isLater = false
  transport.feed(frame(FREE, 4))
  assert.deepEqual(frames.started, [1, 2, 3, 4])
  frames.answer(3)
  frames.answer(2)
  await clock.settle()
  assert.deepEqual(answers(), [])
  frames.answer(1)
  await clock.settle()
  assert.deepEqual(answers(), [1, 2, 3, 4])
  assert.equal(transport.writes, 1)
})

test('a request without an answer holds no place', async () => {
  const { frames, transport, answers, clock } = await setting()
  frames.isLater = true
  transport.feed(Buffer.concat([frame(FREE, 1), frame(FREE, 2)]))
  frames.answer(2)
  frames.replies.get(1)!.sendNothing()
  await clock.settle()
  assert.deepEqual(answers(), [2])
})

test('a serial request waits for all before it and holds up all after it', async () => {
  const { frames, transport, answers, clock } = await setting()
  frames.isLater = true
  transport.feed(Buffer.concat([frame(FREE, 1), frame(SERIAL, 2), frame(FREE, 3)]))
  assert.deepEqual(frames.started, [1])
  assert.equal(transport.isPaused, true)
  frames.answer(1)
  await clock.settle()
  assert.deepEqual(frames.started, [1, 2])
  frames.answer(2)
  await clock.settle()
  assert.deepEqual(frames.started, [1, 2, 3])
  assert.equal(transport.isPaused, false)
  frames.answer(3)
  await clock.settle()
  assert.deepEqual(answers(), [1, 2, 3])
})

test('a request that is alone waits only for one of its own kind', async () => {
  const { frames, transport, clock } = await setting()
  frames.isLater = true
  transport.feed(Buffer.concat([frame(ALONE, 1), frame(FREE, 2), frame(ALONE, 3)]))
  assert.deepEqual(frames.started, [1, 2])
  frames.answer(1)
  await clock.settle()
  assert.deepEqual(frames.started, [1, 2, 3])
})

test('no more requests are begun than the limits on their number and their memory allow', async () => {
  for (const limits of [{ inFlightRequestsMax: 3 }, { inFlightBytesMax: 300 }]) {
    const { frames, transport, answers, clock, budget } = await setting(limits)
    frames.isLater = true
    frames.keptBytes = 100
    transport.feed(Buffer.concat(Array.from({ length: 10 }, (_, i) => frame(FREE, i))))
    assert.deepEqual(frames.started, [0, 1, 2])
    assert.equal(transport.isPaused, true)
    for (let i = 0; i < 10; i++) {
      frames.answer(i)
      await clock.settle()
    }
    assert.deepEqual(answers(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert.equal(transport.isPaused, false)
    assert.equal(budget.used, 0)
  }
})

test('a client that does not take its answers is not read from until it has', async () => {
  const { frames, transport, answers } = await setting({ unsentBytesMax: 1000 })
  frames.answerBytes = 600
  transport.isStuck = true
  const left = transport.feed(Buffer.concat(Array.from({ length: 200 }, (_, i) => frame(FREE, i))), 24)
  assert.ok(frames.started.length <= 4, `${frames.started.length} requests were begun`)
  assert.equal(transport.isPaused, true)
  assert.ok(left.length > 2000)
  transport.unstick()
  transport.feed(left)
  assert.equal(frames.started.length, 200)
  assert.equal(answers().length, (200 * 600) / 4)
})

test('a size that is negative or too large ends the connection, with a line in the log', async () => {
  for (const size of [-1, -2147483648, 2147483647, 101]) {
    const { transport, server, logger, clock } = await setting({ requestBytesMax: 100 })
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(size)
    transport.feed(bytes)
    assert.equal(transport.isDestroyed, true)
    await clock.settle()
    assert.equal(server.counters.open, 0)
    assert.equal(server.counters.closedBad, 1)
    assert.match(logger.lines.at(-1)!.message, new RegExp(`a request of ${size} bytes was announced`))
  }
})

test('lines about bad requests are bounded, and those left out are counted', async () => {
  const { dial, clock, logger } = await setting()
  const bad = Buffer.from([0xff, 0xff, 0xff, 0xff])
  for (let i = 0; i < 50; i++) dial().feed(bad)
  assert.ok(logger.lines.length <= 6, `${logger.lines.length} lines`)
  await clock.advance(1000)
  dial().feed(bad)
  assert.ok((logger.lines.at(-1)!.fields as { linesLeftOut: number }).linesLeftOut >= 44)
})

test('a frame that is only announced takes little memory', async () => {
  const { dial, budget } = await setting({ requestBytesMax: 104_857_600 })
  const announced = Buffer.alloc(5)
  announced.writeInt32BE(40_000_000)
  const transports = Array.from({ length: 50 }, () => {
    const transport = dial()
    transport.feed(announced)
    return transport
  })
  assert.ok(budget.used < 50 * 100_000, `${budget.used} bytes`)
  for (const transport of transports) transport.close(null)
  assert.equal(budget.used, 0)
})

test('without memory a connection waits, and goes on when there is some', async () => {
  const { frames, dial, budget, clock, transport } = await setting({}, 3_000_000)
  budget.take(3_000_000)
  const other = dial()
  const left = [transport, other].map(each => each.feed(Buffer.concat([frame(FREE, 1), frame(FREE, 2, 300_000)])))
  assert.deepEqual(frames.started, [])
  assert.equal(transport.isPaused, true)
  budget.give(3_000_000)
  await clock.settle()
  transport.feed(left[0]!)
  other.feed(left[1]!)
  await clock.settle()
  assert.deepEqual([...frames.started].sort(), [1, 1, 2, 2])
  assert.equal(budget.used, 0)
})

test('while memory is short, those who hold some and do not move are closed', async () => {
  const { frames, dial, budget, clock, transport, server } = await setting({}, 1_200_000)
  budget.take(500_000)
  const slow = dial()
  slow.feed(frame(FREE, 1, 300_000).subarray(0, 100_000))
  const rest = transport.feed(frame(FREE, 2, 290_000), 100_000)
  assert.equal(transport.isPaused, true, 'the other one has the memory')
  assert.deepEqual(frames.started, [])
  await clock.advance(20_000)
  assert.equal(slow.isDestroyed, true)
  assert.equal(server.counters.closedStalled, 1)
  transport.feed(rest)
  await clock.settle()
  assert.deepEqual(frames.started, [2])
  assert.equal(budget.used, 500_000)
})

test('what consumers leave lying holds up other consumers, and neither followers nor anybody else', async () => {
  const { frames, dial, budget, clock, server, transport } = await setting({}, 1_000_000)
  const [follower, other] = [dial(), dial()]
  const [, second] = server.connections()
  second!.expectReplication()
  budget.take(800_000)
  const rest = transport.feed(frame(ALONE, 1))
  assert.equal(transport.isPaused, true)
  for (const [index, order] of [SERIAL, FREE, SERIAL].entries()) other.feed(frame(order, 2 + index))
  follower.feed(frame(ALONE, 5))
  assert.deepEqual(frames.started, [2, 3, 4, 5])
  assert.equal(budget.isShort, true, 'so that who does not move is closed')
  budget.give(100_000)
  await clock.settle()
  transport.feed(rest)
  await clock.settle()
  assert.deepEqual(frames.started, [2, 3, 4, 5, 1])
  assert.equal(budget.used, 700_000)
})

test('a connection that is closed gives everything back, at whatever point', async () => {
  const { frames, dial, budget, clock } = await setting({ inFlightRequestsMax: 2 })
  frames.isLater = true
  frames.keptBytes = 1000
  const sent = Buffer.concat([frame(FREE, 1), frame(FREE, 2), frame(FREE, 3, 5000), frame(FREE, 4, 100_000)])
  for (let cut = 1; cut < sent.length; cut += 997) {
    const transport = dial()
    transport.feed(sent.subarray(0, cut), 50_000)
    transport.close(new Error('gone'))
    for (const number of [1, 2]) if (frames.replies.get(number)?.isClosed === true) frames.answer(number)
    frames.replies.clear()
    await clock.settle()
    assert.equal(budget.used, 0, `cut at ${cut}`)
  }
})

test('what was registered for the end of a connection is called once', async () => {
  const { server, transport } = await setting()
  const [connection] = server.connections()
  const log: string[] = []
  connection!.onceClosed(() => log.push('first'))
  const takeBack = connection!.onceClosed(() => log.push('second'))
  takeBack()
  transport.close(null)
  connection!.close()
  connection!.onceClosed(() => log.push('late'))
  assert.deepEqual(log, ['first', 'late'])
})

test('idle connections are closed, busy ones and those that wait for an answer are not', async () => {
  const { frames, dial, clock, server, transport: idle } = await setting({ idleMs: 1000 })
  const busy = dial()
  const waiting = dial()
  frames.isLater = true
  waiting.feed(frame(FREE, 9))
  frames.isLater = false
  for (let i = 0; i < 10; i++) {
    busy.feed(frame(FREE, i))
    await clock.advance(300)
  }
  assert.equal(idle.isDestroyed, true)
  assert.equal(busy.isDestroyed, false)
  assert.equal(waiting.isDestroyed, false)
  assert.equal(server.counters.closedIdle, 1)
  frames.answer(9)
  await clock.advance(2000)
  assert.equal(waiting.isDestroyed, true)
  assert.equal(server.counters.open, 0)
})

test('requests before one that ends the connection are answered first', async () => {
  const { frames, dial, server } = await setting()
  const oversized = Buffer.from([0x7f, 0xff, 0xff, 0xff])
  const atOnce = dial()
  atOnce.feed(Buffer.concat([frame(FREE, 1), oversized, frame(FREE, 2)]))
  assert.deepEqual([atOnce.take().readInt32BE(0), atOnce.isDestroyed], [1, true])
  frames.isLater = true
  const later = dial()
  later.feed(Buffer.concat([frame(FREE, 3), frame(FREE, 4), oversized]))
  later.isStuck = true
  frames.answer(3)
  frames.answer(4)
  await Promise.resolve()
  assert.equal(later.isDestroyed, false)
  later.unstick()
  await Promise.resolve()
  assert.deepEqual([later.take().length, later.isDestroyed], [8, true])
  assert.deepEqual([frames.started, server.counters.closedBad], [[1, 3, 4], 2])
})

test('beyond the limit on all connections the next ones wait until others close', async () => {
  const { frames, dial, transport, server } = await setting({ connectionsMax: 1 })
  const second = dial()
  assert.equal(second.handler, null)
  transport.close(null)
  second.feed(frame(FREE, 5))
  assert.deepEqual(frames.started, [5])
  const third = dial()
  assert.equal(third.handler, null)
  server.updateLimits({ ...TEST_LIMITS, connectionsMax: 10 })
  third.feed(frame(FREE, 6))
  assert.deepEqual(frames.started, [5, 6])
  await server.close()
  assert.equal(second.isDestroyed && third.isDestroyed, true)
})

test('who is not ready for clients lets controllers in, and the clients that wait when it is', async () => {
  const { server, transport, frames, dial } = await setting({ closedTo: 'broker' })
  const forControllers = await server.listen({ name: 'CONTROLLER', kind: 'controller', host: '', port: 0, backlog: 1 })
  assert.equal(transport.handler, null)
  const controller = dial(forControllers)
  controller.feed(frame(FREE, 1))
  server.updateLimits({ ...TEST_LIMITS, closedTo: null })
  transport.feed(frame(FREE, 2))
  assert.deepEqual(frames.started, [1, 2])
})

test('a listener that opens while the server is closed does not stay', async () => {
  const { server, dial } = await setting()
  const opening = server.listen({ name: 'LATE', kind: 'broker', host: '', port: 0, backlog: 1 })
  await server.close()
  const port = await opening
  assert.throws(() => dial(port))
})

test('listeners of one kind close alone', async () => {
  const { server, transport, frames, dial } = await setting()
  const forControllers = await server.listen({ name: 'CONTROLLER', kind: 'controller', host: '', port: 0, backlog: 1 })
  const controller = dial(forControllers)
  await server.closeListeners('broker')
  assert.ok(transport.isEnded || transport.isDestroyed)
  controller.feed(frame(FREE, 1))
  assert.deepEqual(frames.started, [1])
  await server.close()
  assert.ok(controller.isEnded || controller.isDestroyed)
})

test('random requests, pieces, answers and slow peers: each gets its own answers, in order', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const { frames, dial, clock, budget } = await setting({
    inFlightRequestsMax: 5,
    unsentBytesMax: 200,
    inFlightBytesMax: 2000,
  })
  const clients = Array.from({ length: 4 }, (_, client) => {
    const numbers = Array.from({ length: 60 }, (_, i) => client * 1000 + i)
    const sent = Buffer.concat(
      numbers.map(number => frame(random.pick([SERIAL, ALONE, FREE]), number, 8 + random.below(500))),
    )
    return { transport: dial(), numbers, sent, got: [] as number[] }
  })
  const lefts = clients.map(({ sent }) => sent)
  const hasLeft = (): boolean =>
    lefts.some(left => left.length > 0) ||
    frames.replies.size > 0 ||
    clients.some(({ transport }) => transport.isPaused)
  for (let step = 0; hasLeft(); step++) {
    assert.ok(step < 20_000, `does not come to an end, seed ${seed}`)
    const i = random.below(clients.length)
    const { transport, got } = clients[i]!
    frames.isLater = random.below(2) === 0
    frames.keptBytes = random.below(300)
    const some = random.below(400)
    const left = lefts[i]!
    const refused = transport.feed(left.subarray(0, some), 1 + random.below(300))
    lefts[i] = left.subarray(Math.min(some, left.length) - refused.length)
    for (const number of [...frames.replies.keys()]) {
      if (random.below(3) > 0) continue
      frames.answer(number)
      frames.replies.delete(number)
    }
    await Promise.resolve()
    if (random.below(8) === 0) transport.isStuck = true
    else if (random.below(3) === 0) transport.unstick()
    const bytes = transport.take()
    for (let at = 0; at < bytes.length; at += 4) got.push(bytes.readInt32BE(at))
  }
  for (const { transport, got, numbers } of clients) {
    transport.unstick()
    await clock.settle()
    const bytes = transport.take()
    for (let at = 0; at < bytes.length; at += 4) got.push(bytes.readInt32BE(at))
    assert.deepEqual(got, numbers, `seed ${seed}`)
  }
  assert.equal(budget.used, 0, `seed ${seed}`)
})
