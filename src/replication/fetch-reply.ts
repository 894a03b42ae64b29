import { writeInt16, writeInt32, writeInt64 } from '#protocol/records/batch.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { writeUnsignedVarint } from '#protocol/writer.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { FetchPartition } from './fetch-partition.js'
import type { LeaderHint } from './produce-reply.js'

const LOG_START_FROM = 5
const SESSIONS_FROM = 7
const REPLICA_FROM = 11
const FLEXIBLE_FROM = 12
const TOPIC_IDS_FROM = 13
const LEADER_FROM = 16

/** Records go into buffers of about this size; an answer with more has several of them. */
const CHUNK_BYTES = 1048576
/** What stands around the records of one partition takes at most this, aborted transactions apart. */
const PARTITION_BYTES = 80
const ABORTED_BYTES = 17
const TOPIC_BYTES = 24
const FRAME_BYTES = 40
const MAX_VARINT_BYTES = 5

/** Tags of a partition's answer. */
const DIVERGING_EPOCH_TAG = 0
const CURRENT_LEADER_TAG = 1
const DIVERGING_EPOCH_BYTES = 13
const CURRENT_LEADER_BYTES = 9

export interface FetchReplyHead {
  readonly version: number
  readonly correlationId: number
  readonly errorCode: number
  readonly sessionId: number
}

/** A piece of records that is to be read into a chunk. */
export interface RecordPiece {
  readonly partition: FetchPartition
  /** Where it begins among the bytes of its partition. */
  readonly from: number
  readonly length: number
  readonly target: Buffer
  readonly at: number
}

/**
 * An answer with room for its records:
 *
 *   chunk 0  [size|header|..|topic|partition|......records......]
 *   chunk 1  [..records..|partition|..records..|tagged fields]
 *
 * Everything but the records is written; `pieces` says which of them are to be read where. So a record is copied once,
 * by the operating system, out of the page cache.
 */
export class FetchReply {
  readonly chunks: Buffer[] = []
  readonly pieces: RecordPiece[] = []
  /** Bytes of the buffers, for the memory budget. */
  bufferBytes = 0
  readonly #pool: BufferPool
  #chunk: Buffer
  #at = 0
  #leftBytes: number
  readonly #ends: number[] = []

  constructor(pool: BufferPool, head: FetchReplyHead, partitions: readonly FetchPartition[]) {
    this.#pool = pool
    this.#leftBytes = bytesMax(partitions, head)
    this.#chunk = this.#take(0)
    this.#write(head, partitions)
  }

  /** What to send, in order. */
  frames(): Buffer[] {
    return this.chunks.map((chunk, i) => chunk.subarray(0, this.#ends[i]))
  }

  /** Gives the buffers back. */
  release(): void {
    for (const chunk of this.chunks) this.#pool.give(chunk)
    this.chunks.length = 0
  }

  #take(atLeast: number): Buffer {
    const chunk = this.#pool.take(Math.max(atLeast, Math.min(this.#leftBytes, CHUNK_BYTES)))
    this.chunks.push(chunk)
    this.bufferBytes += chunk.length
    return chunk
  }

  /** Sees to it that `bytes` fit behind each other; returns where. */
  #need(bytes: number): number {
    if (this.#at + bytes > this.#chunk.length) {
      this.#ends.push(this.#at)
      this.#chunk = this.#take(bytes)
      this.#at = 0
    }
    return this.#at
  }

  #write(head: FetchReplyHead, partitions: readonly FetchPartition[]): void {
    const { version } = head
    const flexible = version >= FLEXIBLE_FROM
    const first = this.#chunk
    this.#writeHead(head)
    this.#writeCount(countTopics(partitions), flexible)
    for (let i = 0; i < partitions.length; ) {
      const end = endOfTopic(partitions, i)
      this.#writeTopicKey(partitions[i]!, version)
      this.#writeCount(end - i, flexible)
      for (; i < end; i++) this.#writePartition(partitions[i]!, version)
      if (flexible) this.#chunk[this.#need(1)] = 0
      if (flexible) this.#at++
    }
    if (flexible) this.#writeEndpoints(partitions, version)
    this.#ends.push(this.#at)
    writeInt32(first, 0, this.#ends.reduce((sum, end) => sum + end, 0) - 4)
  }

  #writeHead({ version, correlationId, errorCode, sessionId }: FetchReplyHead): void {
    let at = this.#need(FRAME_BYTES)
    const target = this.#chunk
    writeInt32(target, at + 4, correlationId)
    at += 8
    if (version >= FLEXIBLE_FROM) target[at++] = 0
    writeInt32(target, at, 0)
    at += 4
    if (version >= SESSIONS_FROM) {
      writeInt16(target, at, errorCode)
      writeInt32(target, at + 2, sessionId)
      at += 6
    }
    this.#at = at
  }

  #writeCount(count: number, flexible: boolean): void {
    const at = this.#need(MAX_VARINT_BYTES)
    if (flexible) this.#at = writeUnsignedVarint(this.#chunk, at, count + 1)
    else {
      writeInt32(this.#chunk, at, count)
      this.#at = at + 4
    }
  }

  #writeTopicKey({ topicName, topicId }: FetchPartition, version: number): void {
    if (version >= TOPIC_IDS_FROM) {
      const at = this.#need(16)
      this.#chunk.base64urlWrite(topicId, at, 16)
      this.#at = at + 16
      return
    }
    this.#writeText(topicName, version >= FLEXIBLE_FROM)
  }

  #writeText(text: string, flexible: boolean): void {
    const bytes = Buffer.byteLength(text)
    let at = this.#need(bytes + MAX_VARINT_BYTES)
    if (flexible) at = writeUnsignedVarint(this.#chunk, at, bytes + 1)
    else {
      writeInt16(this.#chunk, at, bytes)
      at += 2
    }
    this.#chunk.utf8Write(text, at, bytes)
    this.#at = at + bytes
  }

  #writePartition(partition: FetchPartition, version: number): void {
    const flexible = version >= FLEXIBLE_FROM
    let at = this.#need(PARTITION_BYTES)
    const target = this.#chunk
    writeInt32(target, at, partition.index)
    writeInt16(target, at + 4, partition.errorCode)
    writeInt64(target, at + 6, partition.highWatermark)
    writeInt64(target, at + 14, partition.lastStableOffset)
    at += 22
    if (version >= LOG_START_FROM) {
      writeInt64(target, at, partition.logStartOffset)
      at += 8
    }
    this.#at = at
    this.#writeAborted(partition, flexible)
    at = this.#need(4 + MAX_VARINT_BYTES)
    if (version >= REPLICA_FROM) {
      writeInt32(this.#chunk, at, partition.preferredReadReplica)
      at += 4
    }
    if (flexible) at = writeUnsignedVarint(this.#chunk, at, partition.bytes + 1)
    else {
      writeInt32(this.#chunk, at, partition.bytes)
      at += 4
    }
    this.#at = at
    this.#leaveRoom(partition)
    if (flexible) this.#writeTags(partition, version)
  }

  #writeAborted({ abortedTransactions }: FetchPartition, flexible: boolean): void {
    if (abortedTransactions === null) {
      const at = this.#need(4)
      if (flexible) this.#chunk[at] = 0
      else writeInt32(this.#chunk, at, -1)
      this.#at = at + (flexible ? 1 : 4)
      return
    }
    this.#writeCount(abortedTransactions.length, flexible)
    for (const { producerId, firstOffset } of abortedTransactions) {
      const at = this.#need(ABORTED_BYTES)
      writeInt64(this.#chunk, at, producerId)
      writeInt64(this.#chunk, at + 8, firstOffset)
      this.#at = at + 16
      if (flexible) this.#chunk[this.#at++] = 0
    }
  }

  /** Room for the records, over as many chunks as it takes. */
  #leaveRoom(partition: FetchPartition): void {
    for (let from = 0; from < partition.bytes; ) {
      if (this.#at === this.#chunk.length) this.#need(1)
      const length = Math.min(partition.bytes - from, this.#chunk.length - this.#at)
      this.pieces.push({ partition, from, length, target: this.#chunk, at: this.#at })
      this.#at += length
      from += length
      this.#leftBytes -= length
    }
  }

  #writeTags(partition: FetchPartition, version: number): void {
    const hint = version >= LEADER_FROM ? partition.hint : null
    let at = this.#need(1 + 2 + DIVERGING_EPOCH_BYTES + 2 + CURRENT_LEADER_BYTES)
    const target = this.#chunk
    const countAt = at++
    let count = 0
    if (partition.divergingEpoch !== -1) {
      count++
      target[at] = DIVERGING_EPOCH_TAG
      target[at + 1] = DIVERGING_EPOCH_BYTES
      writeInt32(target, at + 2, partition.divergingEpoch)
      writeInt64(target, at + 6, partition.divergingEndOffset)
      target[at + 14] = 0
      at += 15
    }
    if (hint !== null) {
      count++
      target[at] = CURRENT_LEADER_TAG
      target[at + 1] = CURRENT_LEADER_BYTES
      writeInt32(target, at + 2, hint.leaderId)
      writeInt32(target, at + 6, hint.leaderEpoch)
      target[at + 10] = 0
      at += 11
    }
    target[countAt] = count
    this.#at = at
  }

  /** The tagged fields at the end: the addresses of the leaders that were named. */
  #writeEndpoints(partitions: readonly FetchPartition[], version: number): void {
    const leaders = version >= LEADER_FROM ? leadersOf(partitions) : []
    if (leaders.length === 0) {
      this.#chunk[this.#need(1)] = 0
      this.#at++
      return
    }
    const body = endpointsBody(leaders)
    let at = this.#need(2 + MAX_VARINT_BYTES + body.length)
    this.#chunk[at] = 1
    this.#chunk[at + 1] = 0
    at = writeUnsignedVarint(this.#chunk, at + 2, body.length)
    body.copy(this.#chunk, at)
    this.#at = at + body.length
  }
}

/** Partitions of one topic stand together only where they follow each other. */
function endOfTopic(partitions: readonly FetchPartition[], start: number): number {
  const { topicId, topicName } = partitions[start]!
  let end = start + 1
  while (end < partitions.length && isOf(partitions[end]!, topicId, topicName)) end++
  return end
}

function isOf(partition: FetchPartition, topicId: string, topicName: string): boolean {
  return partition.topicId === topicId && (topicId !== ZERO_UUID || partition.topicName === topicName)
}

function countTopics(partitions: readonly FetchPartition[]): number {
  let count = 0
  for (let i = 0; i < partitions.length; i = endOfTopic(partitions, i)) count++
  return count
}

/** The answer takes at most so many bytes. */
function bytesMax(partitions: readonly FetchPartition[], head: FetchReplyHead): number {
  let bytes = FRAME_BYTES + MAX_VARINT_BYTES
  for (let i = 0; i < partitions.length; i++) {
    const partition = partitions[i]!
    if (i === 0 || !isOf(partition, partitions[i - 1]!.topicId, partitions[i - 1]!.topicName)) {
      bytes += TOPIC_BYTES + 3 * partition.topicName.length
    }
    bytes += PARTITION_BYTES + partition.bytes + (partition.abortedTransactions?.length ?? 0) * ABORTED_BYTES
  }
  if (head.version >= LEADER_FROM) {
    const leaders = leadersOf(partitions)
    if (leaders.length > 0) bytes += endpointsBody(leaders).length + MAX_VARINT_BYTES
  }
  return bytes
}

/** The usual case: clients know who leads. */
const NO_LEADERS: readonly LeaderHint[] = []

function leadersOf(partitions: readonly FetchPartition[]): readonly LeaderHint[] {
  if (!partitions.some(({ hint }) => hint !== null)) return NO_LEADERS
  const leaders = new Map<number, LeaderHint>()
  for (const { hint } of partitions) if (hint !== null && hint.endpoint !== null) leaders.set(hint.leaderId, hint)
  return [...leaders.values()]
}

function endpointsBody(leaders: readonly LeaderHint[]): Buffer {
  const parts: Buffer[] = [varint(leaders.length + 1)]
  for (const { leaderId, endpoint } of leaders) {
    const { host, port, rack } = endpoint!
    const ports = Buffer.alloc(4)
    const ids = Buffer.alloc(4)
    ids.writeInt32BE(leaderId)
    ports.writeInt32BE(port)
    const hostBytes = Buffer.from(host)
    parts.push(ids, varint(hostBytes.length + 1), hostBytes, ports)
    if (rack === null) parts.push(varint(0))
    else parts.push(varint(Buffer.byteLength(rack) + 1), Buffer.from(rack))
    parts.push(varint(0))
  }
  return Buffer.concat(parts)
}

function varint(value: number): Buffer {
  const buffer = Buffer.alloc(MAX_VARINT_BYTES)
  return buffer.subarray(0, writeUnsignedVarint(buffer, 0, value))
}
