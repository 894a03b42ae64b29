import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DirectoryId, isOnlineDirectory, isReservedDirectoryId } from '#src/metadata/directory-id.js'

const own = 'prYxjz8gn12GKunKXS-oCg'

test('the lowest hundred ids are reserved', () => {
  const low = (value: number) => Buffer.from([...Array(15).fill(0), value]).toString('base64url')
  const reserved = [low(0), low(1), low(99), low(100), own].map(isReservedDirectoryId)
  assert.deepEqual(reserved, [true, true, true, false, false])
  assert.deepEqual([DirectoryId.MIGRATING, DirectoryId.UNASSIGNED, DirectoryId.LOST], [low(0), low(1), low(2)])
})

test('a replica is online where its directory is, or is not known yet', () => {
  const cases = [own, 'another', DirectoryId.UNASSIGNED, DirectoryId.MIGRATING, DirectoryId.LOST]
  assert.deepEqual(
    cases.map(id => isOnlineDirectory(id, [own])),
    [true, false, true, true, false],
  )
  assert.equal(isOnlineDirectory('another', []), true)
})
