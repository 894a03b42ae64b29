import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '#protocol/errors.js'
import { DeleteGroups } from '#protocol/messages/delete-groups.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { deleteGroups } from '#src/handlers/delete-groups.js'
import { offsetCommit } from '#src/handlers/offset-commit.js'
import { GroupWorld } from './group-support.js'

test('groups without members are deleted, each named once', async () => {
  for (const version of [0, 1, 2, 3]) {
    const world = new GroupWorld()
    const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }]
    await world.ask(OffsetCommit, offsetCommit, 8, { groupId: 'g', memberId: '', topics: [{ name: 't', partitions }] })
    const { results } = await world.ask(DeleteGroups, deleteGroups, version, { groupsNames: ['g', 'nope', 'g'] })
    assert.deepEqual(
      results.map(({ groupId, errorCode, errorMessage }) => [groupId, errorName(errorCode), errorMessage]).sort(),
      [
        ['g', 'NONE', null],
        ['nope', 'GROUP_ID_NOT_FOUND', null],
      ],
    )
  }
})

test('GROUP_DELETION_FAILED is UNKNOWN_SERVER_ERROR before version 3', async () => {
  const world = new GroupWorld()
  const result = { groupId: 'g', errorCode: ErrorCode.GROUP_DELETION_FAILED, errorMessage: 'because' }
  const groups = { deleteGroups: async () => [result] }
  for (const [version, error, message] of [
    [2, 'UNKNOWN_SERVER_ERROR', null],
    [3, 'GROUP_DELETION_FAILED', 'because'],
  ] as const) {
    const { results } = await world.ask(DeleteGroups, deleteGroups, version, { groupsNames: ['g'] }, { groups })
    assert.deepEqual([errorName(results[0]!.errorCode), results[0]!.errorMessage], [error, message])
  }
})
