import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BrokerSessions } from '#src/controller/broker-sessions.js'
import { brokerSilentSince } from '#src/controller/broker-silent-since.js'
import type { ControllerContext } from '#src/controller/command.js'
import { TestController } from './support.js'

/** What a controller that begins at 1000 knows of brokers 1 and 2. */
function begin() {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  const sessions = new BrokerSessions(controller.image, 1000)
  const run = (brokerId: number, since: number) => brokerSilentSince(brokerId, since)({ sessions } as ControllerContext)
  return { sessions, run, lastContacts: () => [1, 2].map(id => sessions.get(id)!.lastContact) }
}

test('the session of the broker beside the controller of before counts from when that was heard last', () => {
  const { run, lastContacts } = begin()
  assert.deepEqual(run(2, 400), { records: [], response: undefined })
  assert.deepEqual(lastContacts(), [1000, 400])
  run(2, 700)
  assert.deepEqual(lastContacts(), [1000, 400])
})

test('a broker that has come to the new controller, or lives in its process, is not silent', () => {
  const { sessions, run, lastContacts } = begin()
  sessions.get(2)!.metadataOffset = 5
  sessions.get(1)!.lastContact = Number.POSITIVE_INFINITY
  run(1, 400)
  run(2, 400)
  run(3, 400)
  assert.deepEqual(lastContacts(), [Number.POSITIVE_INFINITY, 1000])
})
