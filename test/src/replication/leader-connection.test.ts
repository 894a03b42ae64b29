import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LeaderConnection } from '#src/replication/leader-connection.js'
import { BufferPool } from '#src/runtime/buffer-pool.js'
import { MemoryBudget } from '#src/runtime/memory-budget.js'
import { Turn } from '#src/runtime/turn.js'
import { FakeTransport } from '../../support/fake-network.js'
import { SeededRandom } from '../../support/random.js'

function setting() {
  const transport = new FakeTransport()
  const budget = new MemoryBudget(1 << 30)
  const frames: string[] = []
  const ends: string[] = []
  const connection = new LeaderConnection(transport, {
    turn: new Turn(),
    pool: new BufferPool(),
    budget,
    onFrame: (buffer, start, end) => frames.push(buffer.toString('latin1', start, end)),
    onClosed: why => ends.push(why),
  })
  return { transport, budget, frames, ends, connection }
}

function framed(text: string): Buffer {
  const frame = Buffer.alloc(4 + text.length, text)
  frame.writeInt32BE(text.length)
  frame.write(text, 4, 'latin1')
  return frame
}

test('responses come whole, however they are cut on their way', () => {
  const random = new SeededRandom(11)
  for (let round = 0; round < 50; round++) {
    const { transport, budget, frames, ends } = setting()
    const sent = Array.from({ length: 1 + random.below(6) }, (_, i) => String(i).repeat(4 + random.below(100_000)))
    transport.feed(Buffer.concat(sent.map(framed)), 1 + random.below(70_000))
    assert.deepEqual(
      frames.map(frame => frame.length),
      sent.map(text => text.length),
    )
    assert.deepEqual(frames, sent)
    assert.deepEqual([budget.used, ends], [0, []], 'no memory is kept')
  }
})

test('after a large response little is read before the next one has a buffer, which what comes then goes into', () => {
  const { transport, frames, connection } = setting()
  const aims: number[] = []
  const aim = connection.nextBuffer.bind(connection)
  connection.nextBuffer = () => {
    const buffer = aim()
    aims.push(buffer?.length ?? 0)
    return buffer
  }
  const [large, small] = ['a'.repeat(300_000), 'b'.repeat(100)]
  transport.feed(Buffer.concat([framed(large), framed(large)]))
  assert.deepEqual(frames, [large, large])
  assert.equal(aims[0], 0, 'at first nothing is known')
  assert.ok(aims.includes(8192), `${aims}`)
  aims.length = 0
  transport.feed(framed(small))
  transport.feed(framed(small))
  assert.deepEqual(frames.slice(2), [small, small])
  assert.deepEqual(aims.slice(0, 2), [8192, 0])
})

test('an impossible size ends the connection, and so does the leader; memory is given back', () => {
  const first = setting()
  first.transport.feed(Buffer.from([0x7f, 0xff, 0xff, 0xff]))
  assert.equal(first.ends.length, 1)
  assert.equal(first.transport.isDestroyed, true)
  const second = setting()
  second.transport.feed(framed('x'.repeat(50_000)).subarray(0, 20_000))
  assert.ok(second.budget.used > 0)
  second.transport.close(null)
  assert.deepEqual([second.budget.used, second.ends.length], [0, 1])
})

test('who closes it hears nothing more', () => {
  const { transport, frames, ends, connection } = setting()
  connection.close()
  transport.feed(framed('late'))
  transport.close(null)
  assert.deepEqual([frames, ends], [[], []])
})
