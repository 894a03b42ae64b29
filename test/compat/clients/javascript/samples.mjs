// The records that every codec has to carry, and how what was read is held against them.

import assert from 'node:assert/strict'

/**
 * Sixty records with what brokers and clients get wrong: null and empty keys and values, other alphabets, one value far
 * larger than the rest, headers that occur twice, are empty or are not text. Timestamps are not those of arrival.
 */
export function sampleRecords() {
  const first = Date.now() - 3_600_000
  const records = []
  for (let i = 0; i < 60; i++) {
    records.push({
      key: Buffer.from(`key-${i % 7}`),
      value: Buffer.from(`value ${i} ${'lorem ipsum '.repeat(i)}`),
      headers: [
        ['number', Buffer.from(String(i))],
        ['bytes', Buffer.from([0, 255, 128, i])],
      ],
      timestamp: first + i * 1_000,
    })
  }
  records[3].key = null
  records[4].value = null
  records[5].key = Buffer.alloc(0)
  records[6].value = Buffer.alloc(0)
  records[7].key = Buffer.from('клюк-鍵-🗝')
  records[7].headers = []
  records[8].headers = [['empty', Buffer.alloc(0)]]
  records[9].value = Buffer.from(Array.from({ length: 150_000 }, (_, i) => (i * i) & 0xff))
  records[10].headers = [
    ['twice', Buffer.from('one')],
    ['twice', Buffer.from('two')],
  ]
  return records
}

/** Throws unless `read` is the records in their order, with offsets from `baseOffset` on. */
export function assertSame(read, written, baseOffset = 0) {
  assert.deepEqual(
    read.map(record => record.offset),
    written.map((_, i) => baseOffset + i),
    'offsets',
  )
  for (const [i, record] of written.entries()) {
    const { key, value, headers, timestamp } = read[i]
    assert.deepEqual(plain({ key, value, headers, timestamp }), plain(record), `record ${i}`)
  }
}

function plain(record) {
  const hex = bytes => (bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('hex'))
  return {
    key: hex(record.key),
    value: hex(record.value),
    headers: record.headers.map(([name, value]) => [name, hex(value)]),
    timestamp: record.timestamp,
  }
}
