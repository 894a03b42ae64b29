import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '#src/controller/create-topics.js'
import { notableIn } from '#src/controller/notable-records.js'
import { directoryOf, TestController } from './support.js'

function withTopic(controller: TestController, ...replicas: readonly (readonly number[])[]): void {
  const assignments = replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds: [...brokerIds] }))
  const topics = [{ name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs: [] }]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
}

const messages = (controller: TestController, from: number) =>
  notableIn(controller.log.slice(from)).map(({ level, message, partitions }) =>
    [level, message, ...(partitions === undefined ? [] : [partitions])].join(' '),
  )

test('the log tells of brokers that come and go, and of partitions without a leader', () => {
  const controller = new TestController()
  let from = controller.log.length
  const told = (): readonly string[] => {
    const lines = messages(controller, from)
    from = controller.log.length
    return lines
  }
  controller.register(1, { logDirs: [directoryOf(1), directoryOf(7)] })
  controller.heartbeat(1)
  assert.deepEqual(told(), ['info broker 1 is registered', 'info broker 1 is unfenced'])
  withTopic(controller, [1], [1])
  assert.deepEqual(told(), [])
  controller.heartbeat(1, { offlineLogDirs: [directoryOf(7)] })
  assert.deepEqual(told(), ['info broker 1 has lost log directories'])
  controller.heartbeat(1, { wantShutDown: true })
  assert.deepEqual(told(), ['info broker 1 is about to stop', 'warn partitions have lost their last leader 2'])
  controller.heartbeat(1, { wantShutDown: true })
  assert.deepEqual(told(), ['info broker 1 is fenced'])
  controller.register(1)
  controller.heartbeat(1)
  const unclean = 'warn partitions got a leader by an unclean election: records may be lost 2'
  assert.deepEqual(told(), ['info broker 1 is registered', 'info broker 1 is unfenced', unclean])
})
