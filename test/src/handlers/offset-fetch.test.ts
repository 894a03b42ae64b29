import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import { offsetCommit } from '#src/handlers/offset-commit.js'
import { offsetFetch } from '#src/handlers/offset-fetch.js'
import { GroupWorld, OTHER_ID, TOPIC_ID } from './group-support.js'

const UNKNOWN_ID = 'cccccccccccccccccccccA'

async function committed(): Promise<GroupWorld> {
  const world = new GroupWorld()
  const partitions = [{ partitionIndex: 1, committedOffset: 7, committedLeaderEpoch: 3, committedMetadata: 'm' }]
  await world.ask(OffsetCommit, offsetCommit, 8, { groupId: 'g', memberId: '', topics: [{ name: 't', partitions }] })
  return world
}

interface Partition {
  readonly partitionIndex: number
  readonly committedOffset: number
  readonly committedLeaderEpoch: number
  readonly metadata: string | null
  readonly errorCode: number
}

function line(partition: Partition): string {
  const { partitionIndex, committedOffset, committedLeaderEpoch, metadata, errorCode } = partition
  return `${partitionIndex}: ${committedOffset} ${committedLeaderEpoch} '${metadata}' ${errorName(errorCode)}`
}

test('before version 8 one group is asked for', async () => {
  const world = await committed()
  for (const version of [1, 2, 3, 5, 6, 7]) {
    const epoch = version >= 5 ? 3 : -1
    const topics = [
      { name: 't', partitionIndexes: [0, 1] },
      { name: 'nope', partitionIndexes: [4] },
    ]
    const answer = await world.ask(OffsetFetch, offsetFetch, version, { groupId: 'g', topics })
    assert.deepEqual(
      answer.topics.map(({ name }) => name),
      ['t', 'nope'],
    )
    assert.deepEqual(answer.topics[0]!.partitions.map(line), ["0: -1 -1 '' NONE", `1: 7 ${epoch} 'm' NONE`])
    assert.deepEqual(answer.topics[1]!.partitions.map(line), ["4: -1 -1 '' NONE"])
    if (version < 2) continue
    const all = await world.ask(OffsetFetch, offsetFetch, version, { groupId: 'g', topics: null })
    assert.deepEqual(
      all.topics.map(({ name, partitions }) => [name, partitions.length]),
      [['t', 1]],
    )
    assert.deepEqual((await world.ask(OffsetFetch, offsetFetch, version, { groupId: 'nope', topics: null })).topics, [])
  }
})

test('an error of the group stands in every partition in version 1, and above them from version 2 on', async () => {
  const world = new GroupWorld({}, false)
  const topics = [{ name: 't', partitionIndexes: [0, 1] }]
  const first = await world.ask(OffsetFetch, offsetFetch, 1, { groupId: 'g', topics })
  assert.deepEqual(first.topics[0]!.partitions.map(line), [
    "0: -1 -1 '' NOT_COORDINATOR",
    "1: -1 -1 '' NOT_COORDINATOR",
  ])
  const second = await world.ask(OffsetFetch, offsetFetch, 2, { groupId: 'g', topics })
  assert.deepEqual([errorName(second.errorCode), second.topics.length], ['NOT_COORDINATOR', 0])
  const eighth = await world.ask(OffsetFetch, offsetFetch, 8, { groups: [{ groupId: 'g', topics: null }] })
  assert.deepEqual([errorName(eighth.groups[0]!.errorCode), eighth.groups[0]!.topics.length], ['NOT_COORDINATOR', 0])
})

test('from version 8 on several groups are asked for, each with its own answer', async () => {
  const world = await committed()
  const topics = [{ name: 't', partitionIndexes: [1] }]
  for (const version of [8, 9]) {
    const { groups } = await world.ask(OffsetFetch, offsetFetch, version, {
      groups: [
        { groupId: 'g', topics: null },
        { groupId: 'nope', topics },
        { groupId: 'g', topics: [], ...(version >= 9 ? { memberId: 'm', memberEpoch: 4 } : {}) },
      ],
      requireStable: true,
    })
    assert.deepEqual(
      groups.map(({ groupId, topics: each }) => [groupId, each.length]),
      [
        ['g', 1],
        ['nope', 1],
        ['g', 0],
      ],
    )
    assert.deepEqual(groups[0]!.topics[0]!.partitions.map(line), ["1: 7 3 'm' NONE"])
    assert.deepEqual(groups[1]!.topics[0]!.partitions.map(line), ["1: -1 -1 '' NONE"])
  }
})

test('from version 10 on topics go by id', async () => {
  const world = await committed()
  const { groups } = await world.ask(OffsetFetch, offsetFetch, 10, {
    groups: [
      { groupId: 'g', topics: null },
      {
        groupId: 'g',
        topics: [
          { topicId: UNKNOWN_ID, partitionIndexes: [2] },
          { topicId: TOPIC_ID, partitionIndexes: [1] },
          { topicId: OTHER_ID, partitionIndexes: [1] },
        ],
      },
    ],
  })
  const topicsOf = (index: number) =>
    groups[index]!.topics.map(({ topicId, partitions }) => [topicId, ...partitions.map(line)])
  assert.deepEqual(topicsOf(0), [[TOPIC_ID, "1: 7 3 'm' NONE"]])
  assert.deepEqual(topicsOf(1), [
    [TOPIC_ID, "1: 7 3 'm' NONE"],
    [OTHER_ID, "1: -1 -1 '' NONE"],
    [UNKNOWN_ID, "2: -1 -1 '' UNKNOWN_TOPIC_ID"],
  ])
})

test('offsets of a topic that is no more are told by name, and cannot be by id', async () => {
  const world = await committed()
  const services = { topics: { ...world.topics, topicIdOf: () => undefined, topicNameOf: () => undefined } }
  const byName = await world.ask(OffsetFetch, offsetFetch, 8, { groups: [{ groupId: 'g', topics: null }] }, services)
  assert.deepEqual(
    byName.groups[0]!.topics.map(({ name }) => name),
    ['t'],
  )
  const byId = await world.ask(OffsetFetch, offsetFetch, 10, { groups: [{ groupId: 'g', topics: null }] }, services)
  assert.deepEqual(byId.groups[0]!.topics, [])
})

test('what is named twice is answered once, however often a request has room for it', async () => {
  const world = await committed()
  const topics = [{ name: 't', topicId: TOPIC_ID, partitionIndexes: [1, 1, 0] }]
  for (const version of [8, 10]) {
    const groups = [
      { groupId: 'g', topics },
      { groupId: 'h', topics: null },
      { groupId: 'h', topics: null },
    ]
    const answer = await world.ask(OffsetFetch, offsetFetch, version, { groups })
    assert.deepEqual(
      answer.groups.map(({ groupId }) => groupId),
      ['g', 'h'],
    )
    const partitions = answer.groups[0]!.topics.flatMap(topic => topic.partitions)
    assert.deepEqual(partitions.map(line), ["1: 7 3 'm' NONE", "0: -1 -1 '' NONE"])
    const everything = Array.from({ length: 200_000 }, () => ({ groupId: 'g', topics: null }))
    const all = await world.ask(OffsetFetch, offsetFetch, version, {
      groups: [{ groupId: 'g', topics }, ...everything],
    })
    assert.equal(all.groups.length, 2)
    assert.deepEqual(all.groups[1]!.topics[0]!.partitions.map(line), ["1: 7 3 'm' NONE"])
  }
})
