import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetadataDelta } from '#src/metadata/delta.js'
import { MetadataPublisher } from '#src/metadata/publisher.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import type { CommittedBatch } from '#src/raft/metadata-log.js'
import { record } from './examples.js'

async function settled(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

const fail = (error: Error): void => {
  throw error
}

function batch(baseOffset: number, ...records: readonly MetadataRecord[]): CommittedBatch {
  const lastOffset = baseOffset + records.length - 1
  return { baseOffset, lastOffset, epoch: 1, appendTimestamp: 0, sizeInBytes: 100, records }
}

function idOf(name: string): string {
  return Buffer.from(name.padEnd(16)).toString('base64url')
}

function topic(name: string): MetadataRecord {
  return record('TopicRecord', { name, topicId: idOf(name) })
}

function snapshot(endOffset: number, records: readonly MetadataRecord[]) {
  return { id: { endOffset, epoch: 1 }, lastContainedLogTimestamp: 0, batches: [records] }
}

const namesIn = (delta: MetadataDelta): string[] => {
  return [...delta.topics.values()].map(({ name, after }) => (after === null ? `-${name}` : name))
}

test('batches that come together make one step, with one delta', async () => {
  const publisher = new MetadataPublisher(fail)
  const seen: string[][] = []
  publisher.subscribe({ name: 's', onMetadata: delta => void seen.push(namesIn(delta)) })
  publisher.onCommitted(batch(0, topic('a')))
  publisher.onCommitted(batch(1, topic('b'), topic('c')))
  await settled()
  publisher.onCommitted(batch(3, topic('d')))
  await settled()
  assert.deepEqual(seen, [['a', 'b', 'c'], ['d']])
  assert.deepEqual([publisher.image.offset, publisher.image.epoch, publisher.publishedOffset], [3, 1, 3])
})

test('subscribers are called one after the other, with the new image', async () => {
  const publisher = new MetadataPublisher(fail)
  const calls: string[] = []
  for (const name of ['first', 'second']) {
    publisher.subscribe({
      name,
      onMetadata: async (_, image) => {
        calls.push(`${name} begins at ${image.offset}`)
        await settled()
        calls.push(`${name} ends`)
      },
    })
  }
  publisher.onCommitted(batch(0, topic('a')))
  await publisher.waitFor(0)
  assert.deepEqual(calls, ['first begins at 0', 'first ends', 'second begins at 0', 'second ends'])
})

test('who waits for an offset goes on when everyone has acted on it', async () => {
  const publisher = new MetadataPublisher(fail)
  let release = (): void => {}
  publisher.subscribe({ name: 's', onMetadata: () => new Promise<void>(resolve => (release = resolve)) })
  const reached: number[] = []
  for (const offset of [0, 1, 2]) publisher.waitFor(offset).then(() => reached.push(offset))
  publisher.onCommitted(batch(0, topic('a'), topic('b')))
  await settled()
  assert.deepEqual([reached, publisher.image.topics.topicCount], [[], 2])
  release()
  await settled()
  assert.deepEqual(reached, [0, 1])
  await publisher.waitFor(1)
})

test('who gives up waiting is forgotten, and the others are not', async () => {
  const publisher = new MetadataPublisher(fail)
  const reached: string[] = []
  const gone = publisher.beginWait(0)
  const patient = publisher.beginWait(0)
  gone.reached.then(() => reached.push('gone'))
  patient.reached.then(() => reached.push('patient'))
  assert.equal(publisher.waiterCount, 2)
  gone.cancel()
  gone.cancel()
  assert.equal(publisher.waiterCount, 1)
  publisher.onCommitted(batch(0, topic('a')))
  await settled()
  assert.deepEqual([reached, publisher.waiterCount], [['patient'], 0])
  patient.cancel()
  const last = publisher.beginWait(5)
  publisher.close()
  await assert.rejects(last.reached, /stopping/)
  assert.equal(publisher.waiterCount, 0)
})

test("a step that changes nothing is nobody's business but moves the offset", async () => {
  const publisher = new MetadataPublisher(fail)
  let calls = 0
  publisher.subscribe({ name: 's', onMetadata: () => void calls++ })
  publisher.onCommitted(batch(0, record('NoOpRecord', {})))
  await publisher.waitFor(0)
  publisher.onCommitted(batch(1, record('BeginTransactionRecord', { name: null }), topic('a')))
  await publisher.waitFor(2)
  assert.deepEqual([calls, publisher.publishedOffset, publisher.inTransaction], [0, 2, true])
  publisher.onCommitted(batch(3, record('EndTransactionRecord', {})))
  await publisher.waitFor(3)
  assert.deepEqual([calls, publisher.image.topics.topicCount], [1, 1])
})

test('a snapshot replaces the image, and the delta tells the difference', async () => {
  const publisher = new MetadataPublisher(fail)
  const { image } = publisher
  const seen: unknown[] = []
  publisher.subscribe({ name: 's', onMetadata: delta => void seen.push([delta.fromSnapshot, namesIn(delta)]) })
  publisher.onCommitted(batch(0, topic('a'), topic('b')))
  await settled()
  publisher.onSnapshot(snapshot(10, [topic('b'), topic('c')]))
  publisher.onCommitted(batch(10, topic('d')))
  await settled()
  assert.deepEqual(seen, [
    [false, ['a', 'b']],
    [true, ['-a', 'c']],
    [false, ['d']],
  ])
  assert.equal(publisher.image, image)
  assert.deepEqual([image.offset, image.topics.sortedNames()], [10, ['b', 'c', 'd']])
})

test('the controller gets a copy once the image is there', async () => {
  const publisher = new MetadataPublisher(fail)
  const copied = publisher.copyAt(1)
  publisher.onCommitted(batch(0, topic('a'), topic('b')))
  const state = await copied
  state.replay(topic('mine'))
  assert.deepEqual([state.topics.topicCount, publisher.image.topics.topicCount], [3, 2])
})

test('a subscriber that fails, or a record that does not fit, is a fault, and everyone who waits is told', async () => {
  for (const [onMetadata, records] of [
    [() => Promise.reject(new Error('broken')), [topic('a')]],
    [() => undefined, [record('RemoveTopicRecord', { topicId: 'AAAAAAAAAAAAAAAAAAAABA' })]],
  ] as const) {
    const faults: string[] = []
    const publisher = new MetadataPublisher(fault => faults.push(fault.message))
    publisher.subscribe({ name: 's', onMetadata })
    const waiting = assert.rejects(publisher.waitFor(0))
    publisher.onCommitted(batch(0, ...records))
    await waiting
    assert.equal(faults.length, 1)
    await assert.rejects(publisher.waitFor(5))
    publisher.onCommitted(batch(1, topic('b')))
    await settled()
    assert.equal(faults.length, 1)
  }
})

test('a snapshot that ends within a transaction is refused', () => {
  const publisher = new MetadataPublisher(fail)
  const open = snapshot(3, [record('BeginTransactionRecord', { name: null })])
  assert.throws(() => publisher.onSnapshot(open), /ends within a metadata transaction/)
})

test('nobody subscribes when something was published', async () => {
  const publisher = new MetadataPublisher(fail)
  publisher.onCommitted(batch(0, topic('a')))
  await settled()
  assert.throws(() => publisher.subscribe({ name: 'late', onMetadata: () => {} }), /too late/)
})

test('with waitsToCatchUp, nothing is published before all that is committed is here, and then all in one step', async () => {
  const publisher = new MetadataPublisher(fail, { waitsToCatchUp: true })
  const seen: unknown[] = []
  publisher.subscribe({ name: 's', onMetadata: delta => void seen.push([delta.fromSnapshot, namesIn(delta)]) })
  publisher.onSnapshot(snapshot(10, [topic('a'), topic('b')]))
  publisher.onCommitted(batch(10, topic('c'), record('RemoveTopicRecord', { topicId: idOf('a') })))
  await settled()
  assert.deepEqual([seen, publisher.image.offset], [[], -1])
  publisher.onCaughtUp()
  publisher.onCommitted(batch(12, topic('d')))
  await publisher.waitFor(12)
  assert.deepEqual(seen, [
    [true, ['b', 'c']],
    [false, ['d']],
  ])
})

test('a control batch moves what is published, once all before it is, and not the image', async () => {
  const publisher = new MetadataPublisher(fail)
  publisher.onCommitted(batch(0, topic('a')))
  publisher.onControlBatch(1)
  assert.equal(publisher.publishedOffset, -1)
  await publisher.waitFor(1)
  assert.deepEqual([publisher.image.offset, publisher.publishedOffset], [0, 1])
  publisher.onControlBatch(2)
  await publisher.waitFor(2)
  assert.deepEqual([publisher.image.offset, publisher.publishedOffset], [0, 2])
})
