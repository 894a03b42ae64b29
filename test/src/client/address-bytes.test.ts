import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressBytes, addressText } from '#src/client/address-bytes.js'

test('addresses are 4 or 16 bytes', () => {
  const hex = (text: string) => addressBytes(text).toString('hex')
  assert.equal(hex('127.0.0.1'), '7f000001')
  assert.equal(hex('255.1.20.3'), 'ff011403')
  assert.equal(hex('::1'), '00000000000000000000000000000001')
  assert.equal(hex('fe80::1%eth0'), 'fe800000000000000000000000000001')
  assert.equal(hex('2001:db8:1:2:3:4:5:6'), '20010db8000100020003000400050006')
  assert.equal(hex('::ffff:10.1.2.3'), '00000000000000000000ffff0a010203')
})

test('what is no address is the one that means none', () => {
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.256'])
    assert.equal(addressBytes(text).toString('hex'), '00000000')
  for (const text of ['::g', '1:2', '1:2:3:4:5:6:7:8:9']) assert.deepEqual([...new Set(addressBytes(text))], [0])
})

test('bytes are text again, and other numbers of bytes are nothing', () => {
  assert.equal(addressText(addressBytes('10.0.0.7')), '10.0.0.7')
  assert.equal(addressText(addressBytes('2001:db8::7')), '2001:db8:0:0:0:0:0:7')
  assert.equal(addressText(Buffer.alloc(0)), null)
  assert.equal(addressText(Buffer.alloc(5)), null)
})
