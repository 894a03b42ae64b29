import assert from 'node:assert/strict'
import { test } from 'node:test'
import { remedyOf } from '#src/broker/disk-remedy.js'

test('the remedy for a failed log directory goes by what the operating system said', () => {
  const remedy = (code: string) => remedyOf(new Error('failed', { cause: Object.assign(new Error(code), { code }) }))
  assert.match(remedy('ENOSPC'), /room/)
  assert.match(remedy('EMFILE'), /ulimit -n/)
  assert.match(remedy('EROFS'), /write/)
  assert.match(remedy('EIO'), /Mend the disk/)
  assert.match(remedyOf(new Error('failed')), /Mend the disk/)
})
