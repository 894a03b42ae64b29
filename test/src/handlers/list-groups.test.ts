import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { ListGroups } from '#protocol/messages/list-groups.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { joinGroup } from '#src/handlers/join-group.js'
import { listGroups } from '#src/handlers/list-groups.js'
import { offsetCommit } from '#src/handlers/offset-commit.js'
import { GroupWorld } from './group-support.js'

async function world(): Promise<GroupWorld> {
  const made = new GroupWorld()
  const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }]
  await made.ask(OffsetCommit, offsetCommit, 8, {
    groupId: 'simple',
    memberId: '',
    topics: [{ name: 't', partitions }],
  })
  const protocols = [{ name: 'range', metadata: Buffer.from('m') }]
  const request = {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 9000,
    memberId: '',
    protocolType: 'consumer',
    protocols,
  }
  await made.ask(JoinGroup, joinGroup, 0, request)
  return made
}

test('all groups are listed, with state and type where the version has them', async () => {
  const made = await world()
  for (const version of [0, 1, 2, 3, 4, 5]) {
    const { errorCode, groups } = await made.ask(ListGroups, listGroups, version, {})
    assert.equal(errorCode, 0)
    const listed = groups.map(each => [each.groupId, each.protocolType, each.groupState, each.groupType]).sort()
    const state = (name: string) => (version >= 4 ? name : '')
    const type = version >= 5 ? 'classic' : ''
    assert.deepEqual(listed, [
      ['g', 'consumer', state('CompletingRebalance'), type],
      ['simple', '', state('Empty'), type],
    ])
  }
})

test('filters take names in any case; unknown names match nothing', async () => {
  const made = await world()
  const names = async (filters: object) =>
    (await made.ask(ListGroups, listGroups, 5, filters)).groups.map(({ groupId }) => groupId).sort()
  assert.deepEqual(await names({ statesFilter: ['EMPTY'] }), ['simple'])
  assert.deepEqual(await names({ statesFilter: [' completingRebalance ', 'stable'] }), ['g'])
  assert.deepEqual(await names({ statesFilter: ['nonsense'] }), [])
  assert.deepEqual(await names({ typesFilter: ['Classic'] }), ['g', 'simple'])
  assert.deepEqual(await names({ typesFilter: ['consumer'] }), [])
  assert.deepEqual(await names({ typesFilter: ['nonsense'] }), [])
  assert.deepEqual(await names({ typesFilter: ['nonsense', 'classic'], statesFilter: ['empty'] }), ['simple'])
})
