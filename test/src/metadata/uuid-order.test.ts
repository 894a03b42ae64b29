import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sortedUuids } from '#src/metadata/uuid-order.js'

const uuid = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')
const zeros = '0000000000000000'

test('uuids are in the order of two signed halves', () => {
  const expected = [
    uuid(`8000000000000000${zeros}`),
    uuid(`90e75248888bf1b4${zeros}`),
    uuid(`e7695fd33a013899${zeros}`),
    uuid(`ffffffffffffffff${zeros}`),
    uuid(`${zeros}8000000000000000`),
    uuid(`${zeros}ffffffffffffffff`),
    uuid(`${zeros}0000000000000001`),
    uuid(`0100000000000000${zeros}`),
    uuid(`7fffffffffffffff${zeros}`),
  ]
  assert.deepEqual(sortedUuids(expected.toReversed()), expected)
  assert.deepEqual(sortedUuids(expected.toSorted()), expected)
})

test('directories that Kafka wrote in this order into a snapshot stay so', () => {
  const written = ['kOdRSiK8bGTaDoFkOFRJeg', '52lX0zoBJOpmfBFilSFQcA']
  assert.deepEqual(sortedUuids(written.toReversed()), written)
})
