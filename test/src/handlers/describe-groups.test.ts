import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { DescribeGroups } from '#protocol/messages/describe-groups.js'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { SyncGroup } from '#protocol/messages/sync-group.js'
import { describeGroups } from '#src/handlers/describe-groups.js'
import { joinGroup } from '#src/handlers/join-group.js'
import { syncGroup } from '#src/handlers/sync-group.js'
import { MemoryLog } from '../coordinator/support.js'
import { GroupWorld } from './group-support.js'

test('a group that is not there is Dead: without an error before version 6, with one from then on', async () => {
  const world = new GroupWorld()
  for (const version of [0, 3, 5, 6]) {
    const { groups } = await world.ask(DescribeGroups, describeGroups, version, { groups: ['nope'] })
    const { groupId, groupState, errorCode, errorMessage, protocolType, protocolData, members } = groups[0]!
    assert.deepEqual([groupId, groupState, protocolType, protocolData, members.length], ['nope', 'Dead', '', '', 0])
    const expected = version >= 6 ? ['GROUP_ID_NOT_FOUND', 'Group nope not found.'] : ['NONE', null]
    assert.deepEqual([errorName(errorCode), errorMessage], expected)
  }
})

test('members are told with what they said and got, once the group is stable', async () => {
  const world = new GroupWorld()
  const protocols = [{ name: 'range', metadata: Buffer.from('said') }]
  const request = {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 9000,
    memberId: '',
    protocolType: 'consumer',
    protocols,
  }
  const { memberId } = await world.ask(JoinGroup, joinGroup, 5, { ...request, groupInstanceId: 'i' })
  const before = (await world.ask(DescribeGroups, describeGroups, 5, { groups: ['g'] })).groups[0]!
  assert.deepEqual(
    [before.groupState, before.protocolType, before.protocolData],
    ['CompletingRebalance', 'consumer', ''],
  )
  assert.deepEqual([before.members[0]!.memberId, before.members[0]!.memberMetadata.length], [memberId, 0])
  const assignments = [{ memberId, assignment: Buffer.from('got') }]
  await world.ask(SyncGroup, syncGroup, 0, { groupId: 'g', generationId: 1, memberId, assignments })
  for (const version of [0, 4, 6]) {
    const group = (await world.ask(DescribeGroups, describeGroups, version, { groups: ['g'] })).groups[0]!
    assert.deepEqual([group.groupState, group.protocolData], ['Stable', 'range'])
    const [member] = group.members
    assert.deepEqual([member!.memberMetadata, member!.memberAssignment].map(String), ['said', 'got'])
    assert.equal(member!.groupInstanceId, version >= 4 ? 'i' : null)
  }
})

test('what may be done with a group is told to who asks, where there is one', async () => {
  const world = new GroupWorld({}, false)
  const operations = async (version: number, includeAuthorizedOperations: boolean) => {
    const { groups } = await world.ask(DescribeGroups, describeGroups, version, {
      groups: ['g'],
      includeAuthorizedOperations,
    })
    return groups[0]!.authorizedOperations
  }
  assert.equal(await operations(5, true), -2147483648, 'not with an error')
  for (const partition of [0, 1]) world.groups.lead(partition, new MemoryLog())
  assert.equal(await operations(5, true), 3400)
  assert.equal(await operations(5, false), -2147483648)
  assert.equal(await operations(6, true), -2147483648)
})

test('errors of the coordinator have nothing else to tell', async () => {
  const world = new GroupWorld({}, false)
  const { groups } = await world.ask(DescribeGroups, describeGroups, 6, { groups: ['g'] })
  const { errorCode, errorMessage, groupState } = groups[0]!
  assert.deepEqual([errorName(errorCode), errorMessage, groupState], ['NOT_COORDINATOR', null, ''])
})

test('a group that is named twice is described once, however often a request has room for it', async () => {
  const world = new GroupWorld()
  const groups = ['g', 'h', ...Array<string>(200_000).fill('g')]
  const answer = await world.ask(DescribeGroups, describeGroups, 5, { groups })
  assert.deepEqual(answer.groups.map(({ groupId }) => groupId).sort(), ['g', 'h'])
})
