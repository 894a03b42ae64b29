import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '#src/controller/create-topics.js'
import { directoryOf, TestController } from './support.js'

function withTopic(controller: TestController, ...replicas: readonly (readonly number[])[]): void {
  const assignments = replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds: [...brokerIds] }))
  const topics = [{ name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs: [] }]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
}

/** What was said since the last call. */
function told({ notable }: TestController): readonly string[] {
  return notable
    .splice(0)
    .map(({ level, message, partitions, names }) =>
      [level, message, ...(partitions === undefined ? [] : [partitions, ...names!])].join(' '),
    )
}

test('the log tells of brokers that come and go, and of partitions without a leader', () => {
  const controller = new TestController()
  controller.register(1, { logDirs: [directoryOf(1), directoryOf(7)] })
  controller.heartbeat(1)
  assert.deepEqual(told(controller), ['info broker 1 is registered', 'info broker 1 is unfenced'])
  withTopic(controller, [1], [1])
  assert.deepEqual(told(controller), [])
  controller.heartbeat(1, { offlineLogDirs: [directoryOf(7)] })
  assert.deepEqual(told(controller), ['info broker 1 has lost log directories'])
  controller.heartbeat(1, { wantShutDown: true })
  const leaderless = 'warn partitions have lost their last leader 2 t-0 t-1'
  assert.deepEqual(told(controller), ['info broker 1 is about to stop', leaderless])
  controller.heartbeat(1, { wantShutDown: true })
  assert.deepEqual(told(controller), ['info broker 1 is fenced'])
})

test('the return of the last known leader is not called an unclean election', () => {
  const controller = new TestController()
  controller.register(1)
  controller.heartbeat(1)
  withTopic(controller, [1], [1])
  controller.heartbeat(1, { wantShutDown: true })
  controller.heartbeat(1, { wantShutDown: true })
  told(controller)
  // It was killed after that: what it has may be less than it had.
  controller.register(1)
  controller.heartbeat(1)
  assert.deepEqual(told(controller), [
    'info broker 1 is registered',
    'info broker 1 is unfenced',
    'warn partitions are led by their last leader again: what it lost when it stopped is lost 2 t-0 t-1',
  ])
})

test('an unclean election is called so, and names ten of many partitions', () => {
  const controller = new TestController({ elr: 0, options: { 'unclean.leader.election.enable': 'true' } })
  for (const id of [1, 2]) {
    controller.register(id)
    controller.heartbeat(id)
  }
  withTopic(controller, ...Array.from({ length: 12 }, () => [1, 2]))
  controller.heartbeat(2, { wantFence: true })
  told(controller)
  controller.heartbeat(1, { wantFence: true })
  const first = Array.from({ length: 10 }, (_, i) => `t-${i}`).join(' ')
  assert.deepEqual(told(controller), [
    'info broker 1 is fenced',
    `warn partitions have lost their last leader 12 ${first} and 2 more`,
  ])
  controller.heartbeat(2)
  assert.deepEqual(told(controller), [
    'info broker 2 is unfenced',
    `warn partitions got a leader by an unclean election: records may be lost 12 ${first} and 2 more`,
  ])
})
