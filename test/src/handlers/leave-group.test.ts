import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { LeaveGroup } from '#protocol/messages/leave-group.js'
import { joinGroup } from '#src/handlers/join-group.js'
import { leaveGroup } from '#src/handlers/leave-group.js'
import { GroupWorld } from './group-support.js'

async function joined(world: GroupWorld, instance: object = {}): Promise<string> {
  const protocols = [{ name: 'range', metadata: Buffer.from('m') }]
  const request = {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 9000,
    memberId: '',
    protocolType: 'consumer',
    protocols,
  }
  return (await world.ask(JoinGroup, joinGroup, 'groupInstanceId' in instance ? 5 : 0, { ...request, ...instance }))
    .memberId
}

test('before version 3 one member leaves, and its error is that of the answer', async () => {
  const world = new GroupWorld()
  for (const version of [0, 1, 2]) {
    const memberId = await joined(world)
    assert.equal((await world.ask(LeaveGroup, leaveGroup, version, { groupId: 'g', memberId })).errorCode, 0)
    const again = await world.ask(LeaveGroup, leaveGroup, version, { groupId: 'g', memberId })
    assert.equal(errorName(again.errorCode), 'UNKNOWN_MEMBER_ID')
    const nowhere = await world.ask(LeaveGroup, leaveGroup, version, { groupId: '', memberId })
    assert.equal(errorName(nowhere.errorCode), 'INVALID_GROUP_ID')
  }
})

test('from version 3 on several leave, each with its own error', async () => {
  for (const version of [3, 4, 5]) {
    const world = new GroupWorld()
    const memberId = await joined(world, { groupInstanceId: 'i' })
    const reason = version >= 5 ? { reason: 'enough' } : {}
    const answer = await world.ask(LeaveGroup, leaveGroup, version, {
      groupId: 'g',
      members: [
        { memberId: 'other', groupInstanceId: 'i' },
        { memberId: 'nobody', ...reason },
        { memberId: '', groupInstanceId: 'i', ...reason },
        { memberId, groupInstanceId: null },
      ],
    })
    assert.equal(answer.errorCode, 0)
    assert.deepEqual(
      answer.members.map(each => [each.memberId, each.groupInstanceId, errorName(each.errorCode)]),
      [
        ['other', 'i', 'FENCED_INSTANCE_ID'],
        ['nobody', null, 'UNKNOWN_MEMBER_ID'],
        ['', 'i', 'NONE'],
        [memberId, null, 'UNKNOWN_MEMBER_ID'],
      ],
    )
    const nowhere = await world.ask(LeaveGroup, leaveGroup, version, { groupId: '', members: [{ memberId }] })
    assert.deepEqual([errorName(nowhere.errorCode), nowhere.members.length], ['INVALID_GROUP_ID', 0])
    const unknown = await world.ask(LeaveGroup, leaveGroup, version, { groupId: 'nope', members: [{ memberId }] })
    assert.deepEqual([unknown.errorCode, errorName(unknown.members[0]!.errorCode)], [0, 'UNKNOWN_MEMBER_ID'])
  }
})
