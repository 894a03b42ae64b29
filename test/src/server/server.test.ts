import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reply } from '#src/handlers/raw-handler.js'
import { BufferPool } from '#src/runtime/buffer-pool.js'
import { MemoryBudget } from '#src/runtime/memory-budget.js'
import { Turn } from '#src/runtime/turn.js'
import type { FrameHandler, ServerConnection } from '#src/server/connection.js'
import { Server, type ServerLimits } from '#src/server/server.js'
import { FakeNetwork } from '../../support/fake-network.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { TEST_LIMITS } from '../../support/replica-broker.js'
import { VirtualClock } from '../../support/virtual-clock.js'

const OVERSIZED = Buffer.from([0x7f, 0xff, 0xff, 0xff])

function frame(bytes: number): Buffer {
  const buffer = Buffer.alloc(4 + bytes)
  buffer.writeInt32BE(bytes)
  return buffer
}

/** Answers when the test says so. */
class Frames implements FrameHandler {
  readonly replies: Reply[] = []
  readonly connections: ServerConnection[] = []

  orderOf(): 'free' {
    return 'free'
  }

  onFrame(connection: ServerConnection): void {
    this.connections.push(connection)
    this.replies.push(connection.replies.defer('free', 0))
  }
}

async function setting(limits: Partial<ServerLimits> = {}, memory = 1e8) {
  const network = new FakeNetwork()
  const clock = new VirtualClock()
  const frames = new Frames()
  const budget = new MemoryBudget(memory)
  const shared = { network, clock, frames, budget, turn: new Turn(), pool: new BufferPool(), logger: keepingLogger() }
  const server = new Server({ ...shared, limits: { ...TEST_LIMITS, ...limits } })
  const port = await server.listen({ name: 'PLAINTEXT', kind: 'broker', host: '', port: 0, backlog: 1 })
  return { frames, budget, clock, server, dial: () => network.dial(port) }
}

test('a connection that waits to be closed does so no longer than idle ones may stay, though answers are to come', async () => {
  const { frames, clock, dial } = await setting({ idleMs: 1000 })
  const [refused, waiting] = [dial(), dial()]
  refused.feed(Buffer.concat([frame(8), OVERSIZED]))
  waiting.feed(frame(8))
  await clock.advance(500)
  assert.equal(refused.isDestroyed, false)
  await clock.advance(2000)
  assert.deepEqual([refused.isDestroyed, waiting.isDestroyed], [true, false])
  for (const reply of frames.replies) reply.sendNothing()
})

test('a connection that waits to be closed holds no place in the line for memory, and nothing that it kept back', async () => {
  const { frames, budget, clock, dial } = await setting({}, 4_000_000)
  const [first, second] = [dial(), dial()]
  first.feed(frame(8))
  budget.take(4_000_000)
  first.feed(frame(900_000).subarray(0, 1000))
  second.feed(frame(800_000).subarray(0, 1000))
  assert.deepEqual([first.isPaused, second.isPaused], [true, true])
  // As when records sent with acks=0 cannot be written.
  frames.connections[0]!.refuse('a test')
  assert.equal(first.isDestroyed, false)
  budget.give(4_000_000)
  await clock.settle()
  assert.equal(second.isPaused, false)
  const { used } = budget
  frames.replies[0]!.sendNothing()
  await clock.settle()
  assert.equal(first.isDestroyed, true)
  assert.equal(budget.used, used)
})

test('who takes a large answer slowly is not idle', async () => {
  const { frames, clock, dial } = await setting({ idleMs: 1000 })
  const [slow, silent] = [dial(), dial()]
  for (const each of [slow, silent]) {
    each.feed(frame(8))
    each.isStuck = true
  }
  for (const reply of frames.replies) reply.send([Buffer.alloc(1_000_000)])
  for (let i = 0; i < 10; i++) {
    await clock.advance(300)
    slow.takenBytes += 1000
  }
  assert.deepEqual([slow.isDestroyed, silent.isDestroyed], [false, true])
})

test('while memory is short, who holds the most of it goes first', async () => {
  const { budget, clock, server, dial } = await setting({}, 1_200_000)
  budget.take(500_000)
  const [small, large, other] = [dial(), dial(), dial()]
  small.feed(frame(1000).subarray(0, 100))
  large.feed(frame(290_000).subarray(0, 100_000))
  other.feed(frame(290_000), 100_000)
  await clock.advance(20_000)
  assert.deepEqual([small.isDestroyed, large.isDestroyed], [false, true])
  assert.equal(server.counters.closedStalled, 1)
})

test('while memory is short, a byte now and then does not keep what others wait for', async () => {
  const { budget, clock, server, dial } = await setting({}, 1_200_000)
  budget.take(500_000)
  const [trickling, moving, other] = [dial(), dial(), dial()]
  trickling.feed(frame(290_000).subarray(0, 60_000))
  moving.feed(frame(60_000).subarray(0, 30_000))
  other.feed(frame(290_000), 100_000)
  assert.equal(other.isPaused, true, 'the others have the memory')
  for (let i = 0; i < 20; i++) {
    await clock.advance(1000)
    trickling.feed(Buffer.alloc(1))
    moving.feed(frame(60_000).subarray(0, 60_000))
  }
  assert.deepEqual([trickling.isDestroyed, moving.isDestroyed], [true, false])
  assert.equal(server.counters.closedStalled, 1)
})
