import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { Heartbeat } from '#protocol/messages/heartbeat.js'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { heartbeat } from '#src/handlers/heartbeat.js'
import { joinGroup } from '#src/handlers/join-group.js'
import { GroupWorld } from './group-support.js'

test('a member lives in every version; who is none is told so', async () => {
  const world = new GroupWorld()
  const protocols = [{ name: 'range', metadata: Buffer.from('m') }]
  const request = {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 9000,
    memberId: '',
    protocolType: 'consumer',
    protocols,
  }
  const { memberId } = await world.ask(JoinGroup, joinGroup, 5, { ...request, groupInstanceId: 'i' })
  for (const version of [0, 1, 2, 3, 4]) {
    const beat = async (id: string, generationId: number, instance: object = {}) => {
      const { errorCode } = await world.ask(Heartbeat, heartbeat, version, {
        groupId: 'g',
        generationId,
        memberId: id,
        ...instance,
      })
      return errorName(errorCode)
    }
    assert.equal(await beat(memberId, 1), 'NONE')
    assert.equal(await beat(memberId, 2), 'ILLEGAL_GENERATION')
    assert.equal(await beat('other', 1), 'UNKNOWN_MEMBER_ID')
    if (version >= 3) assert.equal(await beat('other', 1, { groupInstanceId: 'i' }), 'FENCED_INSTANCE_ID')
  }
})
