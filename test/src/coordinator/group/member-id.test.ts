import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientHostOf, makeMemberId } from '#src/coordinator/group/member-id.js'
import { CountingRandom } from '../support.js'

test('a member id is the client id and a uuid in its long form', () => {
  const random = new CountingRandom()
  assert.equal(makeMemberId('client', random), 'client-00000000-0000-0000-0000-000000000001')
  assert.equal(makeMemberId('', random), '-00000000-0000-0000-0000-000000000002')
})

test('a member id that could not be stored is none', () => {
  assert.equal(makeMemberId('x'.repeat(32_730), new CountingRandom())?.length, 32_767)
  assert.equal(makeMemberId('x'.repeat(32_731), new CountingRandom()), null)
  assert.equal(makeMemberId('é'.repeat(20_000), new CountingRandom()), null)
})

test('addresses are written as Java writes them', () => {
  assert.equal(clientHostOf('127.0.0.1'), '/127.0.0.1')
  assert.equal(clientHostOf('::1'), '/0:0:0:0:0:0:0:1')
  assert.equal(clientHostOf('::'), '/0:0:0:0:0:0:0:0')
  assert.equal(clientHostOf('::ffff:10.1.2.3'), '/10.1.2.3')
  assert.equal(clientHostOf('fe80::0a1:2%eth0'), '/fe80:0:0:0:0:0:a1:2')
  assert.equal(clientHostOf('2001:db8:1:2:3:4:5:6'), '/2001:db8:1:2:3:4:5:6')
})
