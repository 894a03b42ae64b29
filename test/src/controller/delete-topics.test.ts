import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ZERO_UUID } from '#protocol/schema.js'
import { createTopics } from '#src/controller/create-topics.js'
import { deleteTopics } from '#src/controller/delete-topics.js'
import { TestController } from './support.js'

function withTopics(...names: readonly string[]): TestController {
  const controller = new TestController()
  controller.addBrokers(1)
  const topics = names.map(name => ({ name, numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }))
  for (const topic of topics) topic.configs.push({ name: 'retention.ms', value: '5' } as never)
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  return controller
}

interface Request {
  readonly names?: readonly string[]
  readonly topics?: readonly { readonly name?: string | null; readonly topicId?: string }[]
}

function run(controller: TestController, { names = [], topics = [] }: Request) {
  const { response } = controller.run(
    deleteTopics({
      topicNames: [...names],
      topics: topics.map(({ name = null, topicId = ZERO_UUID }) => ({ name, topicId })),
      timeoutMs: 1000,
    }),
  )
  return response.responses!.map(({ name, topicId, errorCode, errorMessage }) => [
    name,
    topicId,
    errorCode,
    errorMessage,
  ])
}

test('topics are deleted by name and by id, with partitions and options', () => {
  const controller = withTopics('a', 'b', 'c')
  const { id } = controller.image.topics.byName('b')!
  const idOfA = controller.image.topics.byName('a')!.id
  assert.deepEqual(run(controller, { topics: [{ name: 'a' }, { topicId: id }] }), [
    ['b', id, 0, null],
    ['a', idOfA, 0, null],
  ])
  assert.deepEqual(controller.image.topics.sortedNames(), ['c'])
  assert.equal(controller.image.topics.partitionCount, 2)
  assert.equal(controller.image.configs.of(2, 'a').size, 0)
})

test('the names of versions below 6 do the same', () => {
  const controller = withTopics('a')
  const { id } = controller.image.topics.byName('a')!
  assert.deepEqual(run(controller, { names: ['a', 'nope'] }), [
    ['nope', ZERO_UUID, 3, 'This server does not host this topic-partition.'],
    ['a', id, 0, null],
  ])
})

test('what cannot be deleted is refused as Kafka refuses it', () => {
  const controller = withTopics('a')
  const topicId = controller.image.topics.byName('a')!.id
  const unknown = 'AAAAAAAAAAAAAAAAAAAABA'
  const cases: readonly (readonly [Request, readonly unknown[]])[] = [
    [{ topics: [{ name: 'a', topicId }] }, ['a', topicId, 42, 'You may not specify both topic name and topic id.']],
    [{ topics: [{}] }, [null, ZERO_UUID, 42, 'Neither topic name nor id were specified.']],
    [{ topics: [{ topicId }, { topicId }] }, [null, topicId, 42, 'Duplicate topic id.']],
    [{ topics: [{ name: 'a' }, { name: 'a' }, { name: 'a' }] }, ['a', ZERO_UUID, 42, 'Duplicate topic name.']],
    [
      { topics: [{ name: 'a' }, { topicId }] },
      ['a', topicId, 42, 'The provided topic name maps to an ID that was already supplied.'],
    ],
    [{ topics: [{ topicId: unknown }] }, [null, unknown, 100, 'This server does not host this topic ID.']],
    [{ topics: [{ name: '' }] }, ['', ZERO_UUID, 3, 'This server does not host this topic-partition.']],
  ]
  for (const [request, answer] of cases) assert.deepEqual(run(controller, request), [answer])
  assert.deepEqual(controller.image.topics.sortedNames(), ['a'])
})

test('nothing asked, nothing answered', () => {
  assert.deepEqual(run(withTopics('a'), {}), [])
})
