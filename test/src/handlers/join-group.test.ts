import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { DescribeGroups } from '#protocol/messages/describe-groups.js'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { SyncGroup } from '#protocol/messages/sync-group.js'
import { describeGroups } from '#src/handlers/describe-groups.js'
import { joinGroup } from '#src/handlers/join-group.js'
import { syncGroup } from '#src/handlers/sync-group.js'
import { GroupWorld } from './group-support.js'

const REQUEST = {
  groupId: 'g',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 9000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: Buffer.from('m') }],
}

test('before version 4 a member is taken in at once; its rebalance timeout is its session timeout in version 0', async () => {
  const world = new GroupWorld()
  const first = await world.ask(JoinGroup, joinGroup, 0, REQUEST)
  assert.deepEqual([first.errorCode, first.generationId, first.leader === first.memberId], [0, 1, true])
  assert.match(first.memberId, /^client-[0-9a-f]{8}-[0-9a-f]{4}-/)
  assert.deepEqual(
    first.members.map(each => Buffer.from(each.metadata).toString()),
    ['m'],
  )
  await world.ask(SyncGroup, syncGroup, 0, { groupId: 'g', generationId: 1, memberId: first.memberId, assignments: [] })
  const second = world.send(JoinGroup, joinGroup, 3, { ...REQUEST, rebalanceTimeoutMs: 1000 })
  await world.clock.advance(9999)
  assert(!second.isAnswered)
  await world.clock.advance(1)
  assert.equal(second.answer!.generationId, 2, 'ten seconds, the longer of both')
})

test('from version 4 on a member is given an id first', async () => {
  const world = new GroupWorld()
  for (const version of [4, 5, 6, 9]) {
    const answer = await world.ask(JoinGroup, joinGroup, version, { ...REQUEST, groupId: `g${version}` })
    assert.equal(errorName(answer.errorCode), 'MEMBER_ID_REQUIRED')
    const request = { ...REQUEST, groupId: `g${version}`, memberId: answer.memberId, rebalanceTimeoutMs: 1000 }
    const joined = await world.ask(JoinGroup, joinGroup, version, request)
    assert.deepEqual([joined.errorCode, joined.memberId], [0, answer.memberId])
  }
  const asStatic = await world.ask(JoinGroup, joinGroup, 5, { ...REQUEST, groupId: 'static', groupInstanceId: 'i' })
  assert.equal(asStatic.errorCode, 0, 'static members need no id')
  assert.match(asStatic.memberId, /^i-/)
})

test('the protocol name of a failure is empty before version 7, and null from then on', async () => {
  const world = new GroupWorld()
  for (const [version, name] of [
    [6, ''],
    [7, null],
  ] as const) {
    const answer = await world.ask(JoinGroup, joinGroup, version, { ...REQUEST, sessionTimeoutMs: 1 })
    assert.deepEqual([errorName(answer.errorCode), answer.protocolName], ['INVALID_SESSION_TIMEOUT', name])
    assert.deepEqual([answer.generationId, answer.leader, answer.members.length], [-1, '', 0])
  }
  const answer = await world.ask(JoinGroup, joinGroup, 7, { ...REQUEST, groupInstanceId: 'i' })
  assert.deepEqual([answer.protocolType, answer.protocolName], ['consumer', 'range'])
})

test('a static leader that comes back is told to skip the assignment from version 9 on', async () => {
  const world = new GroupWorld()
  const request = { ...REQUEST, groupInstanceId: 'i', rebalanceTimeoutMs: 1000 }
  const first = await world.ask(JoinGroup, joinGroup, 9, request)
  const { memberId } = first
  const sync = { groupId: 'g', generationId: 1, memberId, assignments: [{ memberId, assignment: Buffer.from('a') }] }
  await world.ask(SyncGroup, syncGroup, 5, { ...sync, protocolType: 'consumer', protocolName: 'range' })
  const older = await world.ask(JoinGroup, joinGroup, 8, request)
  assert.deepEqual([older.generationId, older.leader, older.members.length], [1, memberId, 0])
  assert.notEqual(older.memberId, memberId)
  const newer = await world.ask(JoinGroup, joinGroup, 9, request)
  assert.deepEqual([newer.leader, newer.skipAssignment, newer.members.length], [newer.memberId, true, 1])
})

test('the client is remembered by its id and address', async () => {
  const world = new GroupWorld()
  world.send(JoinGroup, joinGroup, 3, REQUEST)
  await world.clock.settle()
  const { groups } = await world.ask(DescribeGroups, describeGroups, 4, { groups: ['g'] })
  assert.deepEqual([groups[0]!.members[0]!.clientId, groups[0]!.members[0]!.clientHost], ['client', '/0:0:0:0:0:0:0:1'])
})
