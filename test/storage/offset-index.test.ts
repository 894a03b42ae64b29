import assert from 'node:assert/strict'
import { test } from 'node:test'
import { indexSuffix } from '#storage/file-names.js'
import { OffsetIndex } from '#storage/offset-index.js'
import { PageCache } from '#storage/page-cache.js'
import { TimeIndex } from '#storage/time-index.js'
import { SimDisk } from '../support/sim-disk.js'

function home() {
  const disk = new SimDisk()
  disk.makeDirectory('/data')
  return { disk, pages: new PageCache(3), pathOf: (suffix: string) => `/data/0${suffix}` }
}

/** An index with an entry for every tenth offset. */
function filled(count: number) {
  const at = home()
  const index = new OffsetIndex(at, 1000)
  for (let entry = 1; entry <= count; entry++) index.append(1000 + entry * 10, entry * 7)
  return { ...at, index }
}

test('a lookup finds the greatest entry that is not above the offset', () => {
  for (const count of [0, 1, 7, 511, 512, 513, 5000]) {
    const { index } = filled(count)
    for (const offset of [1000, 1009, 1010, 1011, 1019, 3000, 1000 + count * 10, 9e9]) {
      const entry = Math.min(count, Math.floor((offset - 1000) / 10))
      assert.equal(index.lookup(offset), entry * 7, `${offset} among ${count}`)
    }
    assert.equal(index.count, count)
  }
})

test('the offset behind a position is that of the first entry there or after it', () => {
  for (const count of [0, 1, 512, 700]) {
    const { index } = filled(count)
    for (const position of [0, 7, 8, 14, 3584, count * 7, count * 7 + 1]) {
      const entry = Math.max(1, Math.ceil(position / 7))
      assert.equal(index.offsetBehind(position), entry <= count ? 1000 + entry * 10 : -1, `${position} among ${count}`)
    }
  }
})

test('entries wait in memory and are written by the hundreds, in Kafka’s format', () => {
  const { disk, index } = filled(600)
  assert.equal(disk.fileSize('/data/0.index'), 512 * 8)
  index.file.flush()
  assert.equal(disk.fileSize('/data/0.index'), 600 * 8)
  assert.deepEqual([...disk.readFile('/data/0.index').subarray(8, 16)], [0, 0, 0, 20, 0, 0, 0, 14])
  const again = new OffsetIndex({ ...home(), disk, pathOf: (suffix: string) => `/data/0${suffix}` }, 1000)
  assert.equal(again.count, 600)
  assert.equal(again.offsetAt(599), 7000)
})

test('truncation takes the entries of batches that end at the offset or after it', () => {
  const { disk, index } = filled(600)
  index.truncateTo(6500)
  assert.equal(index.count, 549)
  index.truncateTo(2000)
  assert.equal(index.count, 99)
  assert.equal(disk.fileSize('/data/0.index'), 99 * 8)
  index.append(5000, 9999)
  assert.equal(index.lookup(6000), 9999)
  index.truncateTo(0)
  assert.equal(index.count, 0)
})

test('a tail of zeros does not count, and goes when entries are written', () => {
  const { disk, index } = filled(300)
  index.file.flush()
  disk.open('/data/0.index').append([Buffer.alloc(100_000)])
  const again = new OffsetIndex({ disk, pages: new PageCache(3), pathOf: (suffix: string) => `/data/0${suffix}` }, 1000)
  assert.equal(again.count, 300)
  again.append(9000, 8888)
  again.file.flush()
  assert.equal(disk.fileSize(`/data/0${indexSuffix}`), 301 * 8)
  assert.equal(again.lookup(9e9), 8888)
})

test('what cannot be an entry ends those that count', () => {
  const { index } = filled(20)
  assert.equal(index.countSound(9e9, 1e6), 20)
  assert.equal(index.countSound(1100, 1e6), 9)
  assert.equal(index.countSound(9e9, 70), 9)
  index.append(1150, 500)
  assert.equal(index.countSound(9e9, 1e6), 20)
})

test('times ascend, and are found with the offset that they hold up to', () => {
  const index = new TimeIndex(home(), 100)
  for (const [timestamp, offset] of [
    [50, 101],
    [50, 102],
    [40, 103],
    [70, 104],
    [-1, 105],
  ] as const) {
    index.maybeAppend(timestamp, offset)
  }
  assert.equal(index.count, 2)
  assert.deepEqual(
    [49, 50, 69, 70, 99].map(timestamp => index.slotOf(timestamp)),
    [-1, 0, 0, 1, 1],
  )
  assert.deepEqual([index.timestampAt(1), index.offsetAt(1)], [70, 104])
  assert.equal(index.countSound(104), 1)
  index.truncateTo(104)
  assert.equal(index.count, 1)
})
