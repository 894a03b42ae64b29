import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RunDisk } from '#src/testing/run-disk.js'
import type { Disk } from '#storage/disk.js'

test('what a killed node began on its disk ends before the next one runs, and nothing more begins', async () => {
  const log: string[] = []
  let finish: () => void = () => {}
  const disk = {
    exists: (path: string) => path === '/there',
    syncDirectoryAsync: () =>
      new Promise<void>(resolve => {
        finish = () => {
          log.push('synced')
          resolve()
        }
      }),
    replaceFileAsync: async (_path: string, _content: Uint8Array, isStale: () => boolean) => {
      await Promise.resolve()
      log.push(isStale() ? 'left as it was' : 'replaced')
    },
    removeAsync: () => Promise.reject(new Error('a test')),
  } as unknown as Disk
  const run = new RunDisk(disk)
  assert.deepEqual([run.disk.exists('/there'), run.disk.exists('/elsewhere')], [true, false])
  await run.disk.replaceFileAsync('/there', Buffer.alloc(1))
  await assert.rejects(run.disk.removeAsync('/there'), /a test/)
  void run.disk.syncDirectoryAsync('/')
  void run.disk.replaceFileAsync('/there', Buffer.alloc(1))
  const killed = run.kill().then(() => log.push('killed'))
  await run.disk.removeAsync('/there')
  await run.disk.replaceFileAsync('/there', Buffer.alloc(1))
  finish()
  await killed
  assert.deepEqual(log, ['replaced', 'left as it was', 'synced', 'killed'])
})
