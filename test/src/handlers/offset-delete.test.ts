import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { OffsetDelete } from '#protocol/messages/offset-delete.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import { offsetCommit } from '#src/handlers/offset-commit.js'
import { offsetDelete } from '#src/handlers/offset-delete.js'
import { offsetFetch } from '#src/handlers/offset-fetch.js'
import { GroupWorld } from './group-support.js'

test('offsets of topics that there are can be removed; what is not there is refused and comes first', async () => {
  const world = new GroupWorld()
  const partitions = [0, 1].map(partitionIndex => ({ partitionIndex, committedOffset: 5, committedMetadata: '' }))
  await world.ask(OffsetCommit, offsetCommit, 8, { groupId: 'g', memberId: '', topics: [{ name: 't', partitions }] })
  const answer = await world.ask(OffsetDelete, offsetDelete, 0, {
    groupId: 'g',
    topics: [
      { name: 't', partitions: [{ partitionIndex: 0 }, { partitionIndex: 8 }] },
      { name: 'u', partitions: [{ partitionIndex: 0 }] },
      { name: 'nope', partitions: [{ partitionIndex: 0 }] },
    ],
  })
  assert.equal(answer.errorCode, 0)
  assert.deepEqual(
    answer.topics.map(topic => [
      topic.name,
      ...topic.partitions.map(each => `${each.partitionIndex} ${errorName(each.errorCode)}`),
    ]),
    [
      ['t', '8 UNKNOWN_TOPIC_OR_PARTITION', '0 NONE'],
      ['nope', '0 UNKNOWN_TOPIC_OR_PARTITION'],
      ['u', '0 NONE'],
    ],
  )
  const { topics } = await world.ask(OffsetFetch, offsetFetch, 2, { groupId: 'g', topics: null })
  assert.deepEqual(
    topics.map(topic => topic.partitions.map(each => each.partitionIndex)),
    [[1]],
  )
})

test('an error of the group is all that is said', async () => {
  const world = new GroupWorld()
  const topics = [{ name: 'nope', partitions: [{ partitionIndex: 0 }] }]
  for (const [groupId, error] of [
    ['unknown', 'GROUP_ID_NOT_FOUND'],
    ['', 'INVALID_GROUP_ID'],
  ] as const) {
    const answer = await world.ask(OffsetDelete, offsetDelete, 0, { groupId, topics })
    assert.deepEqual([errorName(answer.errorCode), answer.topics.length], [error, 0])
  }
})
