import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import { offsetCommit } from '#src/handlers/offset-commit.js'
import { offsetFetch } from '#src/handlers/offset-fetch.js'
import { GroupWorld, OTHER_ID, TOPIC_ID } from './group-support.js'

function partitions(...indexes: number[]) {
  return indexes.map(partitionIndex => ({ partitionIndex, committedOffset: 5, committedMetadata: 'm' }))
}

interface Answer {
  readonly topics: readonly {
    readonly name: string
    readonly topicId: string
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
  }[]
}

function summary({ topics }: Answer, key: 'name' | 'topicId' = 'name'): string[] {
  return topics.map(
    topic =>
      `${topic[key]}: ${topic.partitions.map(each => `${each.partitionIndex} ${errorName(each.errorCode)}`).join(', ')}`,
  )
}

test('partitions that are not there are refused one by one, and come first', async () => {
  for (const version of [2, 5, 8, 9]) {
    const world = new GroupWorld()
    const answer = await world.ask(OffsetCommit, offsetCommit, version, {
      groupId: 'g',
      memberId: '',
      topics: [
        { name: 't', partitions: partitions(0, 7, 1) },
        { name: 'nope', partitions: partitions(0) },
        { name: 'u', partitions: partitions(1) },
        { name: 'nothing', partitions: [] },
        { name: 't', partitions: [] },
      ],
    })
    assert.deepEqual(summary(answer), [
      't: 7 UNKNOWN_TOPIC_OR_PARTITION, 0 NONE, 1 NONE',
      'nope: 0 UNKNOWN_TOPIC_OR_PARTITION',
      'nothing: ',
      'u: 1 NONE',
    ])
  }
})

test('from version 10 on topics go by id', async () => {
  const world = new GroupWorld()
  const unknown = 'cccccccccccccccccccccA'
  const answer = await world.ask(OffsetCommit, offsetCommit, 10, {
    groupId: 'g',
    memberId: '',
    topics: [
      { topicId: OTHER_ID, partitions: partitions(0, 5) },
      { topicId: unknown, partitions: partitions(0) },
      { topicId: TOPIC_ID, partitions: partitions(1) },
    ],
  })
  assert.deepEqual(summary(answer, 'topicId'), [
    `${OTHER_ID}: 5 UNKNOWN_TOPIC_OR_PARTITION, 0 NONE`,
    `${unknown}: 0 UNKNOWN_TOPIC_ID`,
    `${TOPIC_ID}: 1 NONE`,
  ])
  const fetched = await world.ask(OffsetFetch, offsetFetch, 2, { groupId: 'g', topics: null })
  assert.deepEqual(fetched.topics.map(({ name }) => name).sort(), ['t', 'u'])
})

test('an unknown group with a generation is refused by version', async () => {
  const world = new GroupWorld()
  for (const [version, error] of [
    [2, 'ILLEGAL_GENERATION'],
    [8, 'ILLEGAL_GENERATION'],
    [9, 'GROUP_ID_NOT_FOUND'],
  ] as const) {
    const request = { groupId: 'g', generationIdOrMemberEpoch: 3, memberId: 'm' }
    const topics = [{ name: 't', partitions: partitions(0) }]
    assert.deepEqual(summary(await world.ask(OffsetCommit, offsetCommit, version, { ...request, topics })), [
      `t: 0 ${error}`,
    ])
  }
})

test('nothing to commit is answered without asking the coordinator', async () => {
  const world = new GroupWorld({}, false)
  assert.deepEqual(
    (await world.ask(OffsetCommit, offsetCommit, 8, { groupId: 'g', memberId: '', topics: [] })).topics,
    [],
  )
  const topics = [{ name: 'nope', partitions: partitions(0) }]
  const answer = await world.ask(OffsetCommit, offsetCommit, 8, { groupId: 'g', memberId: '', topics })
  assert.deepEqual(summary(answer), ['nope: 0 UNKNOWN_TOPIC_OR_PARTITION'])
})

test('what the coordinator says against it all is said of every partition that it was asked for', async () => {
  const world = new GroupWorld({}, false)
  const topics = [{ name: 't', partitions: partitions(0, 1, 9) }]
  const answer = await world.ask(OffsetCommit, offsetCommit, 8, { groupId: 'g', memberId: '', topics })
  assert.deepEqual(summary(answer), ['t: 9 UNKNOWN_TOPIC_OR_PARTITION, 0 NOT_COORDINATOR, 1 NOT_COORDINATOR'])
})

test('metadata may be null, and has a limit', async () => {
  const world = new GroupWorld()
  const given = [null, '0123456789', '0123456789a'].map((committedMetadata, partitionIndex) => ({
    partitionIndex: partitionIndex % 2,
    committedOffset: partitionIndex,
    committedMetadata,
  }))
  const answer = await world.ask(OffsetCommit, offsetCommit, 8, {
    groupId: 'g',
    memberId: '',
    topics: [{ name: 't', partitions: given }],
  })
  assert.deepEqual(summary(answer), ['t: 0 NONE, 1 NONE, 0 OFFSET_METADATA_TOO_LARGE'])
  const { topics } = await world.ask(OffsetFetch, offsetFetch, 5, {
    groupId: 'g',
    topics: [{ name: 't', partitionIndexes: [0, 1] }],
  })
  assert.deepEqual(
    topics[0]!.partitions.map(each => each.metadata),
    ['', '0123456789'],
  )
})
