import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerLooksDead } from '#src/controller/broker-looks-dead.js'
import { registration, TestController } from './support.js'

const typesOf = ({ records }: { records: readonly { type: string }[] }) => records.map(record => record.type)

test('a broker that seems dead is fenced at once, and its next process need not wait', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  const { epoch } = controller.image.cluster.broker(1)!
  controller.now = 100
  const outcome = controller.run(brokerLooksDead(1, epoch))
  assert.equal(outcome.response, true)
  assert.deepEqual(typesOf(outcome), ['BrokerRegistrationChangeRecord'])
  assert.equal(controller.image.cluster.broker(1)!.fenced, true)
  assert.ok(controller.register(1) > epoch)
})

test('one that is wrongly taken for dead comes back with its next heartbeat', () => {
  const controller = new TestController()
  controller.addBrokers(1)
  controller.run(brokerLooksDead(1, controller.image.cluster.broker(1)!.epoch))
  assert.equal(controller.heartbeat(1).response.isFenced, false)
  assert.deepEqual(controller.tick(), [])
})

test('a fenced one only loses its session', () => {
  const controller = new TestController()
  const epoch = controller.register(1)
  controller.heartbeat(1, { wantFence: true })
  assert.throws(() => controller.register(1, registration(1)), { code: 101 })
  const { records, response } = controller.run(brokerLooksDead(1, epoch))
  assert.deepEqual([records, response], [[], true])
  controller.register(1)
})

test('news that is out of date changes nothing', () => {
  const controller = new TestController()
  controller.addBrokers(1)
  const { epoch } = controller.image.cluster.broker(1)!
  controller.now = 50
  controller.heartbeat(1)
  const nothing = { records: [], response: false }
  assert.deepEqual(controller.run(brokerLooksDead(1, epoch, 49)), nothing, 'it was heard of since')
  assert.deepEqual(controller.run(brokerLooksDead(1, epoch - 1)), nothing, 'it is another process')
  assert.deepEqual(controller.run(brokerLooksDead(9, 0)), nothing, 'nobody knows it')
  assert.equal(controller.run(brokerLooksDead(1, epoch, 50)).response, true)
})

test('the broker in this process is never dead', () => {
  const controller = new TestController()
  const epoch = controller.register(1, {}, true)
  controller.heartbeat(1)
  assert.equal(controller.run(brokerLooksDead(1, epoch)).response, false)
})
