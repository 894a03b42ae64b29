import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader } from '#protocol/reader.js'
import { writeInt16, writeInt32, writeInt64 } from '#protocol/records/batch.js'
import { writeUnsignedVarint } from '#protocol/writer.js'
import type { FetchAnswer, FetchedPart } from './fetcher-machine.js'
import type { FollowState } from './followed-replica.js'
import type { SessionRequest } from './follower-session.js'
import type { TopicIndex } from './topic-index.js'
import { readTaggedFields, skipTaggedFields } from './wire.js'

/*
 * Fetch as followers speak it, from version 13 (topic ids) on: the same bytes as the codec of all messages makes, in a
 * third of its time. A follower writes one and reads one for every few batches.
 */

const FETCH_KEY = 1
const REPLICA_STATE_FROM = 15
const REPLICA_STATE_TAG = 1
/** Size, tag fields and values of ReplicaState: int32, int64, no tagged fields. */
const REPLICA_STATE_BYTES = 13

const UUID_BYTES = 16
const MAX_VARINT_BYTES = 5
/** What one partition takes in a request, and a topic around its partitions. */
const PARTITION_BYTES = 33
const TOPIC_BYTES = UUID_BYTES + MAX_VARINT_BYTES + 1
const FORGOTTEN_BYTES = 4
/** The header without its client id, and what stands before and behind the arrays. */
const FRAME_BYTES = 96

const DIVERGING_EPOCH_TAG = 0

/** What a follower says of itself and of how much it takes, in every fetch. */
export interface FollowerTerms {
  readonly version: number
  readonly correlationId: number
  /** ASCII. */
  readonly clientId: string
  readonly replicaId: number
  readonly replicaEpoch: number
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly partitionMaxBytes: number
}

/** A whole Fetch request, size included. */
export function encodeFollowerFetch(terms: FollowerTerms, request: SessionRequest): Buffer {
  const { version, clientId } = terms
  const { named, forgotten } = request
  const target = Buffer.allocUnsafe(
    FRAME_BYTES +
      clientId.length +
      named.length * (TOPIC_BYTES + PARTITION_BYTES) +
      forgotten.length * (TOPIC_BYTES + FORGOTTEN_BYTES),
  )
  writeInt16(target, 4, FETCH_KEY)
  writeInt16(target, 6, version)
  writeInt32(target, 8, terms.correlationId)
  writeInt16(target, 12, clientId.length)
  let at = 14 + target.utf8Write(clientId, 14, clientId.length)
  target[at++] = 0
  if (version < REPLICA_STATE_FROM) {
    writeInt32(target, at, terms.replicaId)
    at += 4
  }
  writeInt32(target, at, terms.maxWaitMs)
  writeInt32(target, at + 4, terms.minBytes)
  writeInt32(target, at + 8, terms.maxBytes)
  target[at + 12] = 0
  writeInt32(target, at + 13, request.sessionId)
  writeInt32(target, at + 17, request.sessionEpoch)
  at = writeTopics(
    target,
    at + 21,
    named,
    state => state.replica.topicId,
    PARTITION_BYTES,
    (partition, state) => {
      writePartition(target, partition, state, terms.partitionMaxBytes)
    },
  )
  at = writeTopics(
    target,
    at,
    forgotten,
    ({ topicId }) => topicId,
    FORGOTTEN_BYTES,
    (partition, { index }) => {
      writeInt32(target, partition, index)
    },
  )
  // No rack.
  target[at++] = 1
  if (version < REPLICA_STATE_FROM) target[at++] = 0
  else {
    target[at] = 1
    target[at + 1] = REPLICA_STATE_TAG
    target[at + 2] = REPLICA_STATE_BYTES
    writeInt32(target, at + 3, terms.replicaId)
    writeInt64(target, at + 7, terms.replicaEpoch)
    target[at + 15] = 0
    at += 16
  }
  writeInt32(target, 0, at - 4)
  return target.subarray(0, at)
}

/** An array of topics, each with its partitions; returns where it ends. `bytes`: what `write` writes. */
function writeTopics<P>(
  target: Buffer,
  at: number,
  partitions: readonly P[],
  topicIdOf: (partition: P) => string,
  bytes: number,
  write: (at: number, partition: P) => void,
): number {
  const topics = byTopic(partitions, topicIdOf)
  at = writeUnsignedVarint(target, at, topics.size + 1)
  for (const [topicId, members] of topics) {
    target.base64urlWrite(topicId, at, UUID_BYTES)
    at = writeUnsignedVarint(target, at + UUID_BYTES, members.length + 1)
    for (const each of members) {
      write(at, each)
      at += bytes
    }
    target[at++] = 0
  }
  return at
}

function byTopic<P>(partitions: readonly P[], topicIdOf: (partition: P) => string): Map<string, readonly P[]> {
  // The usual case, of a follower that is close behind: one partition has moved.
  if (partitions.length === 1) return new Map([[topicIdOf(partitions[0]!), partitions]])
  const topics = new Map<string, P[]>()
  for (const partition of partitions) {
    const topicId = topicIdOf(partition)
    const members = topics.get(topicId)
    if (members === undefined) topics.set(topicId, [partition])
    else members.push(partition)
  }
  return topics
}

function writePartition(target: Buffer, at: number, state: FollowState, maxBytes: number): void {
  writeInt32(target, at, state.replica.index)
  writeInt32(target, at + 4, state.leaderEpoch)
  writeInt64(target, at + 8, state.fetchOffset)
  writeInt32(target, at + 16, state.lastFetchedEpoch)
  writeInt64(target, at + 20, state.logStartOffset)
  writeInt32(target, at + 28, maxBytes)
  target[at + 32] = 0
}

/** The correlation id of a response frame; throws ProtocolError if it has none. */
export function correlationIdOf(buffer: Buffer, start: number, end: number): number {
  return new Reader(buffer, start, end).int32()
}

/**
 * Reads a response frame, without its size, in `buffer[start, end)`. Records are views into it. Throws ProtocolError if
 * it is not one. `topics` spares the text of ids that it knows.
 */
export function decodeFollowerFetch(
  buffer: Buffer,
  start: number,
  end: number,
  topics: Pick<TopicIndex, 'byIdBytes'>,
): FetchAnswer {
  const reader = new Reader(buffer, start, end)
  // The correlation id.
  reader.take(4)
  skipTaggedFields(reader)
  // The throttle time.
  reader.take(4)
  const errorCode = reader.int16()
  const sessionId = reader.int32()
  const parts: FetchAnswer['parts'][number][] = []
  for (let left = readCount(reader); left > 0; left--) {
    const at = reader.take(UUID_BYTES)
    const topicId = topics.byIdBytes(buffer, at)?.id ?? buffer.base64urlSlice(at, at + UUID_BYTES)
    for (let each = readCount(reader); each > 0; each--) {
      const index = reader.int32()
      parts.push({ topicId, index, part: readPart(reader) })
    }
    skipTaggedFields(reader)
  }
  skipTaggedFields(reader)
  reader.finish()
  return { errorCode, sessionId, parts }
}

function readPart(reader: Reader): FetchedPart {
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  // The last stable offset, which a follower finds out by itself.
  reader.take(8)
  const logStartOffset = reader.int64()
  // Aborted transactions likewise: none is sent to followers.
  for (let left = reader.count(Math.max(0, reader.unsignedVarint() - 1)); left > 0; left--) {
    reader.take(16)
    skipTaggedFields(reader)
  }
  // The preferred replica.
  reader.take(4)
  const bytes = reader.unsignedVarint() - 1
  const records = bytes < 0 ? null : reader.bytes(bytes)
  let diverging: FetchedPart['diverging'] = null
  readTaggedFields(reader, (tag, size) => {
    if (tag !== DIVERGING_EPOCH_TAG) {
      reader.take(size)
      return
    }
    const epoch = reader.int32()
    const endOffset = reader.int64()
    skipTaggedFields(reader)
    if (epoch >= 0 || endOffset >= 0) diverging = { epoch, endOffset }
  })
  return { errorCode, highWatermark, logStartOffset, diverging, records }
}

/** The number of elements of an array that is not null. */
function readCount(reader: Reader): number {
  const count = reader.unsignedVarint() - 1
  if (count < 0) throw new ProtocolError(`an array of ${count} elements`)
  return reader.count(count)
}
