import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { DescribeLogDirs } from '#protocol/messages/describe-log-dirs.js'
import { batchOf, produceTo, replicaSetting } from './replica-support.js'

test('directories and what is in them, all or what is named, in every version', async () => {
  const { broker, client } = await replicaSetting({ logDirs: ['/one', '/two'] })
  broker.createTopic('t', 4)
  const batch = batchOf(['a'])
  for (const partition of [0, 2]) produceTo(client, batch, { partition })
  for (let version = 1; version <= 5; version++) {
    const { errorCode, results } = client.ask(DescribeLogDirs, version, { topics: null })
    assert.equal(errorCode, 0)
    assert.deepEqual(
      results.map(({ logDir, errorCode, topics }) => [logDir, errorCode, topics.map(({ name }) => name)]),
      [
        ['/one', 0, ['t']],
        ['/two', 0, ['t']],
      ],
    )
    const partitions = results.flatMap(({ topics }) => topics[0]!.partitions)
    assert.deepEqual(partitions.map(({ partitionIndex }) => partitionIndex).sort(), [0, 1, 2, 3])
    for (const { partitionIndex, partitionSize, offsetLag, isFutureKey } of partitions) {
      assert.deepEqual([partitionSize, offsetLag, isFutureKey], [partitionIndex % 2 === 0 ? batch.length : 0, 0, false])
    }
    if (version >= 4) assert.ok(results[0]!.totalBytes >= results[0]!.usableBytes && results[0]!.usableBytes > 0)
  }
  const named = client.ask(DescribeLogDirs, 4, {
    topics: [
      { topic: 't', partitions: [0, 9] },
      { topic: 'nope', partitions: [0] },
    ],
  })
  assert.equal(named.results.flatMap(({ topics }) => topics.flatMap(({ partitions }) => partitions)).length, 1)
  assert.deepEqual(
    client.ask(DescribeLogDirs, 4, { topics: [] }).results.flatMap(({ topics }) => topics),
    [],
  )
})

test('an offline directory says so', async () => {
  const { broker, client, disk } = await replicaSetting({ logDirs: ['/one', '/two'] })
  broker.createTopic('t', 1)
  produceTo(client, batchOf(['a']))
  disk.failAt(1, 'EIO')
  produceTo(client, batchOf(['b']))
  const { results } = client.ask(DescribeLogDirs, 4, { topics: null })
  assert.deepEqual(results.map(({ errorCode }) => errorName(errorCode)).sort(), ['KAFKA_STORAGE_ERROR', 'NONE'])
})
