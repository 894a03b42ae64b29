import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { ProducerIdBlocks } from '#src/metadata/producer-id-blocks.js'

function controller(length: number) {
  const failures: string[] = []
  const world = { asked: 0, isDown: false, failures, blocks: null as unknown as ProducerIdBlocks }
  world.blocks = new ProducerIdBlocks(
    async () => {
      if (world.isDown) throw new ApiError(ErrorCode.NOT_CONTROLLER)
      const producerIdStart = world.asked++ * length
      return { producerIdStart, producerIdLen: length }
    },
    error => failures.push((error as Error).message),
  )
  return world
}

test('ids follow each other over blocks, and the next block is there before the last one is used up', async () => {
  const world = controller(10)
  const ids: number[] = []
  for (let i = 0; i < 9; i++) ids.push(await world.blocks.next())
  assert.equal(world.asked, 1)
  ids.push(await world.blocks.next())
  await Promise.resolve()
  assert.equal(world.asked, 2)
  world.isDown = true
  for (let i = 0; i < 10; i++) ids.push(await world.blocks.next())
  assert.deepEqual(
    ids,
    Array.from({ length: 20 }, (_, i) => i),
  )
})

test('many at once never get the same id', async () => {
  const { blocks } = controller(7)
  const ids = await Promise.all(Array.from({ length: 100 }, () => blocks.next()))
  assert.equal(new Set(ids).size, 100)
})

test('without a controller the client is told to come again', async () => {
  const world = controller(10)
  world.isDown = true
  await assert.rejects(world.blocks.next(), { code: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS })
  world.isDown = false
  assert.equal(await world.blocks.next(), 0)
})

test('that the controller gives no block is told once a try, also where nobody waits for it yet', async () => {
  const world = controller(10)
  for (let i = 0; i < 9; i++) await world.blocks.next()
  world.isDown = true
  assert.equal(await world.blocks.next(), 9)
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(world.failures, ['NOT_CONTROLLER'])
  await Promise.all([assert.rejects(world.blocks.next()), assert.rejects(world.blocks.next())])
  assert.deepEqual(world.failures, ['NOT_CONTROLLER', 'NOT_CONTROLLER'])
})
