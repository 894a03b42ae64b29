import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Disk } from '#storage/disk.js'
import { makeDurableDirectory, parentOf } from '#storage/durable-directory.js'
import { nodeDisk } from '#storage/node-disk.js'

test('a path lies in the folder before its last slash, a name alone in the working directory', () => {
  const parents = ['/a/b', 'a/b', '/a', 'a', '.', '/'].map(path => [path, parentOf(path)])
  assert.deepEqual(parents, [
    ['/a/b', '/a'],
    ['a/b', 'a'],
    ['/a', '/'],
    ['a', '.'],
    ['.', '.'],
    ['/', '/'],
  ])
})

/** The disk of this machine, and which folders it was asked to sync. */
function watchedDisk(): { disk: Disk; synced: string[] } {
  const real = nodeDisk()
  const synced: string[] = []
  const disk = new Proxy(real, {
    get: (target, name: keyof Disk) => {
      if (name !== 'syncDirectory') return (target[name] as (...args: unknown[]) => unknown).bind(target)
      return (path: string) => {
        synced.push(path)
        target.syncDirectory(path)
      }
    },
  })
  return { disk, synced }
}

for (const [path, parents] of [
  ['data', ['.']],
  ['./data', ['.']],
  ['data/broker-1', ['data', '.']],
  ['data/a/b', ['data/a', 'data', '.']],
] as const) {
  test(`${path} is made under the working directory, with the folders that hold the new names synced`, context => {
    const before = process.cwd()
    const folder = mkdtempSync(join(tmpdir(), 'ottla-test-'))
    context.after(() => {
      process.chdir(before)
      rmSync(folder, { recursive: true, force: true })
    })
    process.chdir(folder)
    const { disk, synced } = watchedDisk()
    makeDurableDirectory(disk, path)
    assert.deepEqual(synced, parents)
    assert.ok(disk.exists(join(folder, path)))
  })
}
