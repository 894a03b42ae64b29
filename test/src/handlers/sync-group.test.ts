import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { SyncGroup } from '#protocol/messages/sync-group.js'
import { joinGroup } from '#src/handlers/join-group.js'
import { syncGroup } from '#src/handlers/sync-group.js'
import { GroupWorld } from './group-support.js'

async function joined(world: GroupWorld): Promise<string> {
  const protocols = [{ name: 'range', metadata: Buffer.from('m') }]
  const request = {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 9000,
    memberId: '',
    protocolType: 'consumer',
    protocols,
  }
  return (await world.ask(JoinGroup, joinGroup, 0, request)).memberId
}

test('the leader’s assignment comes back, with the protocol from version 5 on', async () => {
  for (const version of [0, 3, 4, 5]) {
    const world = new GroupWorld()
    const memberId = await joined(world)
    const assignments = [{ memberId, assignment: Buffer.from('mine') }]
    const request = { groupId: 'g', generationId: 1, memberId, assignments }
    const protocol = { protocolType: 'consumer', protocolName: 'range' }
    const answer = await world.ask(SyncGroup, syncGroup, version, { ...request, ...(version >= 5 ? protocol : {}) })
    assert.deepEqual([answer.errorCode, Buffer.from(answer.assignment).toString()], [0, 'mine'])
    assert.deepEqual([answer.protocolType, answer.protocolName], version >= 5 ? ['consumer', 'range'] : [null, null])
  }
})

test('version 5 must say which protocol, and say it right', async () => {
  const world = new GroupWorld()
  const memberId = await joined(world)
  const request = { groupId: 'g', generationId: 1, memberId, assignments: [] }
  for (const protocol of [
    {},
    { protocolType: 'consumer' },
    { protocolName: 'range' },
    { protocolType: 'connect', protocolName: 'range' },
    { protocolType: 'consumer', protocolName: 'sticky' },
  ]) {
    const answer = await world.ask(SyncGroup, syncGroup, 5, { ...request, ...protocol })
    assert.equal(errorName(answer.errorCode), 'INCONSISTENT_GROUP_PROTOCOL')
    assert.equal(answer.assignment.length, 0)
  }
  assert.equal((await world.ask(SyncGroup, syncGroup, 4, request)).errorCode, 0)
})

test('errors have no assignment', async () => {
  const world = new GroupWorld()
  const answer = await world.ask(SyncGroup, syncGroup, 1, {
    groupId: 'g',
    generationId: 1,
    memberId: 'm',
    assignments: [],
  })
  assert.deepEqual([errorName(answer.errorCode), answer.assignment.length], ['UNKNOWN_MEMBER_ID', 0])
})
