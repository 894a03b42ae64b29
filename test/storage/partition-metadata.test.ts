/**
 * `partition.metadata` says whose a folder is; a log without it may be set aside at the next start (see checkpoint.ts).
 * The machine fails at every moment of a young log's life and leaves this or that of what was not synced: a log with
 * records that were synced must say whose it is, one without any may have forgotten it, and none loses a record by that.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLogDirectory } from '#storage/log-directory.js'
import type { SimDisk } from '../support/sim-disk.js'
import { configOf, load, put, type Rig, rig, startMs, topicId, values } from './support.js'

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
  'it is written to more than once before the first sync': async at => {
    const { disk, log } = rig()
    for (const value of ['a', 'b', 'c']) put(log, [value])
    at({ disk, synced: [] })
    await log.sync()
    at({ disk, synced: ['a', 'b', 'c'] })
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
      // What is under way at this moment comes to nothing, however late the test looks at what is left.
      moment.disk.crashed(1)
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

/** What the next start finds once the log is said to belong to the topic. */
function adopted(disk: SimDisk): Rig | null {
  const directory = openLogDirectory({ disk, path: '/data' })
  load(directory, configOf())
  if (directory.get('events', 0) === undefined) return null
  directory.abandon()
  return rig({}, disk.killed())
}

test('whatever is left of partition.metadata, the records beside it stay, and the id comes back for good', async () => {
  const left = new Set<string>()
  for (const life of Object.values(lives)) {
    for (const [i, { disk, synced }] of (await momentsOf(life)).entries()) {
      for (let seed = 1; synced.length === 0 && seed <= SEEDS / 2; seed++) {
        const where = `moment ${i}, seed ${seed}`
        const before = found(disk.crashed(seed))
        const again = adopted(disk.crashed(seed))
        if (before === null || again === null) {
          assert.equal(before, again, where)
          continue
        }
        if (before.topicId === null) left.add(before.values.length > 0 ? 'records without an id' : 'nothing')
        assert.deepEqual([again.log.topicId, values(again.log)], [topicId, before.values], where)
        put(again.log, ['later'])
        await again.log.sync()
        const last = found(again.disk.crashed(seed + 1))
        assert.deepEqual(last, { topicId, values: [...before.values, 'later'] }, where)
      }
    }
  }
  assert.deepEqual([...left].sort(), ['nothing', 'records without an id'])
})

test('a partition.metadata that is empty, cut short or full of zeros says nothing, and hurts nothing', () => {
  const whole = Buffer.from(`version: 0\ntopic_id: ${topicId}`)
  const remains: Buffer[] = []
  for (let size = 0; size < whole.length; size++) {
    remains.push(whole.subarray(0, size), Buffer.concat([whole.subarray(0, size), Buffer.alloc(whole.length - size)]))
  }
  for (const remaining of remains) {
    const first = rig()
    put(first.log, ['a', 'b'])
    const disk = first.disk.killed()
    disk.replaceFile('/data/events-0/partition.metadata', remaining)
    assert.deepEqual(found(disk), { topicId: null, values: ['a', 'b'] }, JSON.stringify(remaining.toString()))
  }
})

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
