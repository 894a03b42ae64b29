import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader, textAt } from '#protocol/reader.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { FetchPartition } from './fetch-partition.js'
import type { TopicIndex } from './topic-index.js'
import { readTaggedFields, skipTaggedFields } from './wire.js'

/** Partitions that one request may name, forgotten ones included. */
const PARTITIONS_MAX = 500_000

const LOG_START_FROM = 5
const SESSIONS_FROM = 7
const LEADER_EPOCH_FROM = 9
const RACK_FROM = 11
const FLEXIBLE_FROM = 12
const TOPIC_IDS_FROM = 13
const REPLICA_STATE_FROM = 15
const REPLICA_STATE_TAG = 1

/** A partition that a session shall no longer fetch. */
export interface ForgottenPartition {
  readonly topicName: string
  readonly topicId: string
  readonly index: number
}

/** A Fetch request of a consumer or a follower. What only the metadata quorum uses is passed over. */
export interface FetchRequestData {
  replicaId: number
  replicaEpoch: number
  maxWaitMs: number
  minBytes: number
  maxBytes: number
  isolationLevel: number
  sessionId: number
  sessionEpoch: number
  readonly partitions: FetchPartition[]
  readonly forgotten: ForgottenPartition[]
  rackId: string
}

/** Reads the body in `buffer[start, end)`; throws ProtocolError if it is not one. Bytes behind it are passed over. */
export function readFetchRequest(
  buffer: Buffer,
  start: number,
  end: number,
  version: number,
  topics: TopicIndex,
): FetchRequestData {
  const reader = new Reader(buffer, start, end, PARTITIONS_MAX)
  const flexible = version >= FLEXIBLE_FROM
  const request: FetchRequestData = {
    replicaId: version < REPLICA_STATE_FROM ? reader.int32() : -1,
    replicaEpoch: -1,
    maxWaitMs: reader.int32(),
    minBytes: reader.int32(),
    maxBytes: reader.int32(),
    isolationLevel: reader.int8(),
    sessionId: version >= SESSIONS_FROM ? reader.int32() : 0,
    sessionEpoch: version >= SESSIONS_FROM ? reader.int32() : -1,
    partitions: [],
    forgotten: [],
    rackId: '',
  }
  for (let left = readCount(reader, flexible); left > 0; left--) readTopic(reader, version, flexible, topics, request)
  if (version >= SESSIONS_FROM) {
    for (let left = readCount(reader, flexible); left > 0; left--) readForgotten(reader, version, flexible, request)
  }
  if (version >= RACK_FROM) request.rackId = readString(reader, flexible)
  if (flexible) {
    readTaggedFields(reader, (tag, size) => {
      if (tag === REPLICA_STATE_TAG && version >= REPLICA_STATE_FROM) readReplicaState(reader, request)
      else reader.take(size)
    })
  }
  reader.finish()
  return request
}

function readTopic(
  reader: Reader,
  version: number,
  flexible: boolean,
  topics: TopicIndex,
  request: FetchRequestData,
): void {
  const { buffer } = reader
  const byId = version >= TOPIC_IDS_FROM
  const bytes = byId ? 16 : readLength(reader, flexible)
  const at = reader.take(bytes)
  const topic = byId ? topics.byIdBytes(buffer, at) : topics.byNameBytes(buffer, at, bytes)
  const name = topic?.name ?? (byId ? '' : textAt(buffer, at, at + bytes))
  const id = byId ? (topic?.id ?? buffer.base64urlSlice(at, at + bytes)) : ZERO_UUID
  for (let left = readCount(reader, flexible); left > 0; left--) {
    const partition = new FetchPartition(name, id, reader.int32(), topic)
    // Kafka takes any negative epoch for none.
    if (version >= LEADER_EPOCH_FROM) partition.currentLeaderEpoch = Math.max(-1, reader.int32())
    partition.fetchOffset = readInt64(reader)
    if (version >= FLEXIBLE_FROM) partition.lastFetchedEpoch = Math.max(-1, reader.int32())
    if (version >= LOG_START_FROM) partition.followerLogStartOffset = readInt64(reader)
    partition.maxBytes = reader.int32()
    if (flexible) skipTaggedFields(reader)
    request.partitions.push(partition)
  }
  if (flexible) skipTaggedFields(reader)
}

function readForgotten(reader: Reader, version: number, flexible: boolean, request: FetchRequestData): void {
  const byId = version >= TOPIC_IDS_FROM
  const topicName = byId ? '' : readString(reader, flexible)
  const topicId = byId ? reader.uuid() : ZERO_UUID
  for (let left = readCount(reader, flexible); left > 0; left--) {
    request.forgotten.push({ topicName, topicId, index: reader.int32() })
  }
  if (flexible) skipTaggedFields(reader)
}

function readReplicaState(reader: Reader, request: FetchRequestData): void {
  request.replicaId = reader.int32()
  request.replicaEpoch = readInt64(reader)
  skipTaggedFields(reader)
}

/**
 * An offset, exact up to 2^53; nobody has one beyond that, so it need not be told apart from others that are too high.
 */
function readInt64(reader: Reader): number {
  const high = reader.int32()
  return high * 0x1_0000_0000 + (reader.int32() >>> 0)
}

function readCount(reader: Reader, flexible: boolean): number {
  const count = flexible ? reader.unsignedVarint() - 1 : reader.int32()
  if (count < 0) throw new ProtocolError(`an array of ${count} elements`)
  return reader.count(count)
}

function readLength(reader: Reader, flexible: boolean): number {
  const length = flexible ? reader.unsignedVarint() - 1 : reader.int16()
  if (length < 0 || length > 32767) throw new ProtocolError(`a string of ${length} bytes`)
  return length
}

function readString(reader: Reader, flexible: boolean): string {
  return reader.string(readLength(reader, flexible))
}
