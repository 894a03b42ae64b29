import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPartitions } from '#src/controller/create-partitions.js'
import { createTopics } from '#src/controller/create-topics.js'
import { TestController } from './support.js'

function ready(): TestController {
  const controller = new TestController()
  controller.addBrokers(1)
  const topics = ['p1', 'p2'].map(name => ({
    name,
    numPartitions: 2,
    replicationFactor: 1,
    assignments: [],
    configs: [],
  }))
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  return controller
}

type Ask = readonly [name: string, count: number, assignments?: readonly (readonly number[])[]]

function run(controller: TestController, asked: readonly Ask[], validateOnly = false) {
  const topics = asked.map(([name, count, assignments]) => ({
    name,
    count,
    assignments: assignments?.map(brokerIds => ({ brokerIds: [...brokerIds] })) ?? null,
  }))
  const { response } = controller.run(createPartitions({ topics, timeoutMs: 1000, validateOnly }))
  return response.results.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage])
}

test('a topic gets partitions up to the new total', () => {
  const controller = ready()
  assert.deepEqual(run(controller, [['p1', 4]]), [['p1', 0, null]])
  assert.deepEqual(run(controller, [['p1', 5, [[1]]]]), [['p1', 0, null]])
  const { partitions } = controller.image.topics.byName('p1')!
  assert.equal(partitions.length, 5)
  assert.deepEqual(partitions[4]!.isr, [1])
})

/** Requests that Apache Kafka 4.4 refuses, each with its answer. */
const refusals: readonly (readonly [Ask, number, string | null])[] = [
  [['p1', 2], 37, 'Topic already has 2 partition(s).'],
  [['p1', 0], 37, 'The topic p1 currently has 2 partition(s); 0 would not be an increase.'],
  [['p1', -1], 37, 'The topic p1 currently has 2 partition(s); -1 would not be an increase.'],
  [['nope', 2], 3, null],
  [['p1', 3, []], 39, 'Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.'],
  [['p1', 5, [[1]]], 39, 'Attempted to add 3 additional partition(s), but only 1 assignment(s) were specified.'],
  [['p1', 3, [[2]]], 39, 'The manual partition assignment includes broker 2, but no such broker is registered.'],
  [['p1', 3, [[1, 1]]], 39, 'The manual partition assignment includes the broker 1 more than once.'],
  [['p1', 3, [[]]], 39, 'The manual partition assignment includes an empty replica list.'],
]

for (const [request, code, message] of refusals) {
  test(`${JSON.stringify(request)} is refused as Kafka refuses it`, () => {
    const controller = ready()
    const before = controller.log.length
    assert.deepEqual(run(controller, [request]), [[request[0], code, message]])
    assert.equal(controller.log.length, before)
  })
}

test('answers come in the order of a hash table, doubles first', () => {
  const controller = ready()
  assert.deepEqual(
    run(controller, [
      ['p1', 0],
      ['p2', -1],
      ['nope', 2],
      ['a b', 2],
    ]).map(([name]) => name),
    ['p1', 'p2', 'a b', 'nope'],
  )
  assert.deepEqual(
    run(controller, [
      ['p1', 4],
      ['p2', 3],
      ['p2', 3],
    ]),
    [
      ['p2', 42, 'Duplicate topic name.'],
      ['p1', 0, null],
    ],
  )
})

test('validate only writes nothing', () => {
  const controller = ready()
  const before = controller.log.length
  assert.deepEqual(run(controller, [['p1', 10]], true), [['p1', 0, null]])
  assert.equal(controller.log.length, before)
})

test('more than ten thousand new partitions in one request are refused as a whole', () => {
  const controller = ready()
  const tooMany = { code: 44, message: 'Excessively large number of additional partitions per request.' }
  assert.throws(
    () =>
      run(
        controller,
        [
          ['p1', 6002],
          ['p2', 6002],
        ],
        true,
      ),
    tooMany,
  )
  assert.deepEqual(run(controller, [['p1', 10_002]], true), [['p1', 0, null]])
  const ofNone = run(controller, [
    ['p1', 6002],
    ['nope', 20_000],
  ])
  assert.deepEqual(
    new Map(ofNone.map(([name, code]) => [name, code])),
    new Map([
      ['p1', 0],
      ['nope', 3],
    ]),
  )
})
