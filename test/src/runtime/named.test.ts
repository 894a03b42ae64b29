import assert from 'node:assert/strict'
import { test } from 'node:test'
import { named } from '#src/runtime/named.js'

test('a line of the log names ten things, and says how many more there are', () => {
  const some = Array.from({ length: 10 }, (_, i) => `t-${i}`)
  assert.deepEqual(named(some), some)
  assert.deepEqual(named([...some, 't-10', 't-11']), [...some, 'and 2 more'])
})
