import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FormatError } from '#src/metadata/format-error.js'
import { expectNeverRan } from '#src/metadata/node-format.js'
import { SimDisk } from '../../support/sim-disk.js'

test('a directory with logs and no meta.properties is not formatted by itself', () => {
  const disk = new SimDisk()
  const paths = ['/none', '/new', '/used']
  for (const path of ['/new/lost+found', '/new/__cluster_metadata-0', '/new/letters-0', '/used/letters-0']) {
    disk.makeDirectory(path)
  }
  // What an interrupted formatting leaves.
  disk.replaceFile('/new/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint', Buffer.from('x'))
  disk.replaceFile('/new/lost+found/a.log', Buffer.from('x'))
  expectNeverRan(disk, paths)
  disk.replaceFile('/used/letters-0/00000000000000000000.log', Buffer.from('x'))
  assert.throws(
    () => expectNeverRan(disk, paths),
    (error: unknown) => {
      assert.ok(error instanceof FormatError)
      assert.match(
        error.message,
        /^\/used has logs \(letters-0\) and no meta\.properties: .*Restore the file.*log\.dirs/,
      )
      return true
    },
  )
})
