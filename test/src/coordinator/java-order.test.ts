import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  concurrentMapOrder,
  hashMapOrder,
  javaHash,
  partitionOf,
  timelineMapOrder,
  topicPartitionHash,
} from '#src/coordinator/java-order.js'

test('the hash of a string is that of Java, over UTF-16 units', () => {
  assert.equal(javaHash(''), 0)
  assert.equal(javaHash('a'), 97)
  assert.equal(javaHash('hello'), 99162322)
  assert.equal(javaHash('console-consumer-12345'), 158455506)
  assert.equal(javaHash('grüße'), 98768023)
  assert.equal(javaHash('😀'), 1772899)
  assert.equal(javaHash('polygenelubricants'), -2147483648)
})

test('a group belongs to the partition that Kafka finds for it', () => {
  assert.equal(partitionOf('hello', 50), 22)
  assert.equal(partitionOf('console-consumer-12345', 50), 6)
  assert.equal(partitionOf('', 50), 0)
  assert.equal(partitionOf('polygenelubricants', 50), 0, '|INT_MIN| counts as 0')
})

test('names come out of a hash map as they do in Java', () => {
  const order = (...names: string[]) => hashMapOrder(names, javaHash)
  const names = (count: number) => Array.from({ length: count }, (_, index) => `name-${index}`)
  assert.deepEqual(
    order(...names(9))
      .join(' ')
      .replaceAll('name-', ''),
    '1 0 8 7 6 5 4 3 2',
  )
  const twenty = '11 12 10 15 16 13 14 9 19 8 7 17 6 18 5 4 3 2 1 0'
  assert.deepEqual(
    order(...names(20))
      .join(' ')
      .replaceAll('name-', ''),
    twenty,
  )
  assert.deepEqual(order('alpha', 'zeta'), ['zeta', 'alpha'])
  assert.deepEqual(order('cooperative-sticky', 'range'), ['range', 'cooperative-sticky'])
  assert.deepEqual(order('roundrobin', 'range'), order('range', 'roundrobin'))
})

test('partitions come out of hash maps by the hash of topic and partition', () => {
  const hash = (partition: number) => topicPartitionHash('__consumer_offsets', partition)
  const partitions = [0, 1, 2, 3, 4]
  assert.deepEqual(concurrentMapOrder(partitions, hash), hashMapOrder(partitions, hash))
  assert.deepEqual(new Set(concurrentMapOrder(partitions, hash)), new Set(partitions))
  // Kafka answers DescribeGroups for g1, nope and '' of 5 partitions in this order.
  const ordered = hashMapOrder(['g1', 'nope', ''], groupId => hash(partitionOf(groupId, 5)))
  assert.deepEqual(ordered, ['', 'nope', 'g1'])
})

test('groups come out of a timeline map by slot, the latest of a slot first', () => {
  // What Kafka 4.4 has answered to ListGroups, the part of one partition.
  const partition = [
    'list33-r1',
    'list38-r1',
    'nosync-r1',
    'vote3-r1',
    'lag-r1',
    'list35-r1',
    'vote0-r1',
    'vote5-r1',
    'pend-r1',
  ]
  // They were made in another order, and there had been more of them.
  const made = [
    'lag-r1',
    'nosync-r1',
    'vote0-r1',
    'vote3-r1',
    'vote5-r1',
    'list33-r1',
    'list35-r1',
    'list38-r1',
    'pend-r1',
  ]
  const inFirst = made.filter(group => partitionOf(group, 5) === partitionOf('nosync-r1', 5))
  const expected = partition.filter(group => inFirst.includes(group))
  assert.deepEqual(timelineMapOrder(inFirst, javaHash, 12), expected)
  assert.deepEqual(timelineMapOrder([0, 1, 2, 3, 4, 5], each => each).length, 6)
})
