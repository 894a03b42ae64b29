import assert from 'node:assert/strict'
import { test } from 'node:test'
import { folderName, markedFolderName, offsetName, offsetOfName, parseFolderName } from '#storage/file-names.js'

const unique = '0123456789abcdef0123456789abcdef'

test('offsets are twenty digits', () => {
  assert.equal(offsetName(42), '00000000000000000042')
  assert.equal(offsetOfName('00000000000000000042.log.deleted'), 42)
  assert.equal(offsetOfName(offsetName(2 ** 53 - 1)), 2 ** 53 - 1)
  for (const name of ['42.log', 'partition.metadata', '0000000000000000004x.log', '']) {
    assert.equal(offsetOfName(name), -1)
  }
})

test('the partition is what follows the last dash', () => {
  assert.equal(folderName('a-1', 2), 'a-1-2')
  assert.deepEqual(parseFolderName('a-1-2'), { topic: 'a-1', partition: 2, state: null })
  assert.deepEqual(parseFolderName(`a-1-2.${unique}-future`), { topic: 'a-1', partition: 2, state: 'future' })
  assert.deepEqual(parseFolderName(`a.b-0.${unique}-delete`), { topic: 'a.b', partition: 0, state: 'delete' })
  for (const name of ['a', '-1', 'a-', 'a-x', 'a b-1', 'a-99999999999', `a-0.${unique}-gone`, `${'a'.repeat(250)}-1`]) {
    assert.equal(parseFolderName(name), null, name)
  }
})

test('marked names fit into a folder', () => {
  const name = markedFolderName('t'.repeat(249), 12, unique, 'delete')
  assert.equal(name.length, 255)
  assert.ok(name.endsWith(`-12.${unique}-delete`))
  assert.equal(markedFolderName('events', 3, unique, 'stray'), `events-3.${unique}-stray`)
})
