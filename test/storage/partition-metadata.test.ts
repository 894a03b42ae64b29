/**
 * `partition.metadata` says whose a folder is; a log without it is set aside at the next start (see checkpoint.ts). The
 * machine fails at every moment of a young log's life and leaves this or that of what was not synced: a log with records
 * that were synced must say whose it is, one without any may have forgotten it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLogDirectory } from '#storage/log-directory.js'
import type { SimDisk } from '../support/sim-disk.js'
import { configOf, load, put, rig, startMs, topicId, values } from './support.js'

const SEEDS = 60

/** A moment at which the machine fails. `synced`: the records that are on the device for certain. */
interface Moment {
  readonly disk: SimDisk
  readonly synced: readonly string[]
}

type Life = (at: (moment: Moment) => void) => Promise<void>

const lives: Readonly<Record<string, Life>> = {
  'it is written, and synced': async at => {
    const { disk, log } = rig()
    at({ disk, synced: [] })
    put(log, ['a'])
    at({ disk, synced: [] })
    await log.sync()
    at({ disk, synced: ['a'] })
    put(log, ['b'])
    at({ disk, synced: ['a'] })
  },
  'its process is killed before the first sync, and the next one syncs': async at => {
    const first = rig()
    put(first.log, ['a'])
    const { disk, log } = rig({}, first.disk.killed())
    at({ disk, synced: [] })
    put(log, ['b'])
    at({ disk, synced: [] })
    await log.sync()
    at({ disk, synced: ['a', 'b'] })
  },
  'its process stops in order while it is empty, and the next one writes and syncs': async at => {
    const first = rig()
    await first.directory.close(7, log => log.logEndOffset)
    at({ disk: first.disk, synced: [] })
    const { disk, log } = rig({}, first.disk)
    put(log, ['a'])
    at({ disk, synced: [] })
    await log.sync()
    at({ disk, synced: ['a'] })
  },
  'it is rolled, and its first segment synced': async at => {
    const { disk, log } = rig()
    put(log, ['a'])
    log.roll(startMs)
    at({ disk, synced: [] })
    await log.sync()
    put(log, ['b'])
    at({ disk, synced: ['a'] })
  },
}

/** What the next start finds. */
function found(disk: SimDisk): { readonly topicId: string | null; readonly values: readonly unknown[] } | null {
  const directory = openLogDirectory({ disk, path: '/data' })
  load(directory, configOf())
  const log = directory.get('events', 0)
  return log === undefined ? null : { topicId: log.topicId, values: values(log) }
}

/** The moments of a life, each of a life that ends there. */
async function momentsOf(life: Life): Promise<readonly Moment[]> {
  const moments: Moment[] = []
  for (let wanted = 0; ; wanted++) {
    let seen = 0
    const isOver = await life(moment => {
      if (seen++ !== wanted) return
      moments.push(moment)
      throw new Error('the machine fails')
    }).then(
      () => true,
      (error: Error) => {
        if (error.message !== 'the machine fails') throw error
        return false
      },
    )
    if (isOver) return moments
  }
}

for (const [name, life] of Object.entries(lives)) {
  test(`a log that has synced records knows its topic id after a failure of the machine: ${name}`, async () => {
    const moments = await momentsOf(life)
    assert.ok(moments.length >= 2)
    for (const [i, { disk, synced }] of moments.entries()) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const after = found(disk.crashed(seed))
        const where = `moment ${i}, seed ${seed}`
        if (synced.length > 0) {
          assert.equal(after?.topicId, topicId, where)
          assert.deepEqual(after?.values.slice(0, synced.length), synced, where)
        } else if (after !== null) {
          assert.ok(after.topicId === null || after.topicId === topicId, where)
        }
      }
    }
  })
}

test('the first append begins to bring the topic id to the device, without a sync of the records', async () => {
  const { disk, log } = rig()
  put(log, ['a'])
  const isThere = () => disk.trace.includes('sync /data/events-0/partition.metadata')
  for (let turn = 0; turn < 10 && !isThere(); turn++) await new Promise(resolve => setImmediate(resolve))
  await new Promise(resolve => setImmediate(resolve))
  assert.ok(isThere() && !disk.trace.some(each => /^sync .*\.log$/.test(each)), disk.trace.join(', '))
})

test('a log that has no synced record may forget its topic id', () => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { disk, log } = rig()
    put(log, ['a'])
    const after = found(disk.crashed(seed))
    outcomes.add(after === null ? 'no folder' : after.topicId === null ? 'no id' : 'id')
  }
  assert.ok(outcomes.has('no id'), [...outcomes].join(', '))
})
