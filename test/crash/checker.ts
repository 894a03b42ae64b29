import { Fetch } from '#protocol/messages/fetch.js'
import { batchPositions } from '#protocol/records/batch.js'
import { readRecords } from '#protocol/records/reader.js'
import type { Peer } from '#src/client/peer.js'
import type { NumberedWriter } from './writer.js'

const FETCH_BYTES_MAX = 4 << 20

/** Reads a whole partition: the value at every offset. */
export async function readPartition(peer: Peer, topic: string, partition: number): Promise<Map<number, string>> {
  const values = new Map<number, string>()
  let next = 0
  for (;;) {
    const answer = await peer.send(Fetch, 11, {
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: FETCH_BYTES_MAX,
      topics: [{ topic, partitions: [{ partition, fetchOffset: next, partitionMaxBytes: FETCH_BYTES_MAX }] }],
    })
    const data = answer.responses[0]?.partitions[0]
    if (data === undefined || data.errorCode !== 0) throw new Error(`fetch at ${next} answered ${data?.errorCode}`)
    const records = Buffer.from(data.records ?? [])
    let read = 0
    for (const position of batchPositions(records)) {
      for (const record of readRecords(records, position)) {
        if (record.offset < next) continue
        values.set(record.offset, record.value === null ? '' : Buffer.from(record.value).toString())
        next = record.offset + 1
        read++
      }
    }
    if (read === 0) return values
  }
}

/** What is wrong in one partition, as sentences: nothing acknowledged may be missing, moved, doubled or out of order. */
export async function checkPartition(
  peer: Peer,
  topic: string,
  partition: number,
  writers: readonly NumberedWriter[],
): Promise<string[]> {
  const values = await readPartition(peer, topic, partition)
  return checkHistory(
    values,
    writers.filter(writer => writer.partition === partition),
  )
}

/** The history checker itself: `values` is what the partition holds, `writers` know what was acknowledged. */
export function checkHistory(
  values: ReadonlyMap<number, string>,
  writers: readonly Pick<NumberedWriter, 'name' | 'acknowledged'>[],
): string[] {
  const failures: string[] = []
  const offsetOf = new Map<string, number>()
  const lastNumber = new Map<string, number>()
  let expected = 0
  for (const [offset, value] of values) {
    if (offset !== expected) failures.push(`offset ${expected} is missing before ${offset}`)
    expected = offset + 1
    const first = offsetOf.get(value)
    if (first !== undefined) failures.push(`${value} is there twice, at ${first} and ${offset}`)
    offsetOf.set(value, offset)
    const dash = value.lastIndexOf('-')
    const [writer, number] = [value.slice(0, dash), Number(value.slice(dash + 1))]
    const previous = lastNumber.get(writer) ?? -1
    if (number <= previous) failures.push(`${value} at ${offset} comes after number ${previous}`)
    lastNumber.set(writer, number)
  }
  for (const { acknowledged } of writers) {
    for (const { value, offset } of acknowledged) {
      const found = values.get(offset)
      if (found !== value) failures.push(`${value} was acknowledged at ${offset}, where ${found ?? 'nothing'} is`)
    }
  }
  return failures
}
