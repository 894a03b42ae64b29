import { writeInt16, writeInt32, writeInt64 } from '#protocol/records/batch.js'
import type { RecordError } from '#protocol/records/error.js'
import { writeUnsignedVarint } from '#protocol/writer.js'
import type { ProduceRequestReader } from './produce-request.js'

const APPEND_TIME_BYTES = 8
const LOG_START_FROM = 5
const RECORD_ERRORS_FROM = 8
const FLEXIBLE_FROM = 9
const LEADER_FROM = 10
const TOPIC_IDS_FROM = 13

/** The size of a tagged CurrentLeader: id, epoch, no tagged fields. */
const CURRENT_LEADER_BYTES = 9
/** Bytes that a partition, a topic, and a whole answer take at most, details apart. */
const PARTITION_BYTES = 4 + 2 + 8 + APPEND_TIME_BYTES + 8 + 4 + 2 + 3 + CURRENT_LEADER_BYTES
const TOPIC_BYTES = 16
const FRAME_BYTES = 48

/** Why records were refused, in words. */
export interface ErrorDetails {
  readonly recordErrors: readonly RecordError[]
  readonly message: string | null
}

/** Where the leader is that a client should have asked (KIP-951). */
export interface LeaderHint {
  readonly leaderId: number
  readonly leaderEpoch: number
  /** Its address on the listener that the client uses; null if not known. */
  readonly endpoint: { readonly host: string; readonly port: number; readonly rack: string | null } | null
}

/** What became of the partitions of one request, by their number in it. Lists that are used again. */
export class ProduceResults {
  count = 0
  readonly errorCode: number[] = []
  readonly baseOffset: number[] = []
  readonly logAppendTimeMs: number[] = []
  readonly logStartOffset: number[] = []
  readonly details: (ErrorDetails | null)[] = []
  readonly hints: (LeaderHint | null)[] = []
  /** Where the error code of a partition stands in the answer, for those that mend it. */
  readonly errorAt: number[] = []

  add(errorCode: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number): void {
    const i = this.count++
    this.errorCode[i] = errorCode
    this.baseOffset[i] = baseOffset
    this.logAppendTimeMs[i] = logAppendTimeMs
    this.logStartOffset[i] = logStartOffset
    this.details[i] = null
    this.hints[i] = null
  }
}

/** At most so many bytes does the answer to `request` take. */
export function replyBytesMax(request: ProduceRequestReader, results: ProduceResults): number {
  let bytes =
    FRAME_BYTES + request.namesBytes + request.topicCount * TOPIC_BYTES + request.partitionCount * PARTITION_BYTES
  for (let i = 0; i < results.count; i++) {
    const details = results.details[i]
    if (details !== null && details !== undefined) bytes += detailBytesMax(details)
    const hint = results.hints[i]
    if (hint?.endpoint != null) bytes += endpointBytes(hint)
  }
  return bytes
}

function detailBytesMax({ recordErrors, message }: ErrorDetails): number {
  let bytes = message === null ? 0 : Buffer.byteLength(message) + 3
  for (const error of recordErrors) bytes += 4 + 3 + Buffer.byteLength(error.message) + 1
  return bytes
}

function endpointBytes({ endpoint }: LeaderHint): number {
  return 4 + 3 + Buffer.byteLength(endpoint!.host) + 4 + 3 + Buffer.byteLength(endpoint!.rack ?? '') + 1
}

/**
 * Writes the whole answer, size and header included, at `at`; returns where it ends. Topics are those of the request,
 * whose bytes are in `source`. Fills in `results.errorAt`.
 */
export function writeReply(
  target: Buffer,
  at: number,
  version: number,
  correlationId: number,
  source: Buffer,
  request: ProduceRequestReader,
  results: ProduceResults,
): number {
  const flexible = version >= FLEXIBLE_FROM
  const start = at
  writeInt32(target, at + 4, correlationId)
  at += 8
  if (flexible) target[at++] = 0
  at = writeCount(target, at, countNamed(request), flexible)
  for (let topic = 0; topic < request.topicCount; topic++) {
    const first = request.topicFirst[topic]!
    const end = endOf(request, topic)
    if (first === end) continue
    at = writeTopicKey(target, at, version, source, request.topicAt[topic]!, request.topicBytes[topic]!)
    at = writeCount(target, at, end - first, flexible)
    for (let i = first; i < end; i++) {
      writeInt32(target, at, request.partitionIndex[i]!)
      at = writeResult(target, at + 4, version, results, i)
    }
    if (flexible) target[at++] = 0
  }
  writeInt32(target, at, 0)
  at += 4
  if (flexible) at = writeEndpoints(target, at, version, results)
  writeInt32(target, start, at - start - 4)
  return at
}

/** The partition after the last one of a topic. */
function endOf(request: ProduceRequestReader, topic: number): number {
  return topic + 1 < request.topicCount ? request.topicFirst[topic + 1]! : request.partitionCount
}

/** How many topics the answer names: those with partitions. */
function countNamed(request: ProduceRequestReader): number {
  let count = 0
  for (let topic = 0; topic < request.topicCount; topic++) {
    if (request.topicFirst[topic]! < endOf(request, topic)) count++
  }
  return count
}

function writeTopicKey(
  target: Buffer,
  at: number,
  version: number,
  source: Buffer,
  from: number,
  bytes: number,
): number {
  if (version < FLEXIBLE_FROM) {
    writeInt16(target, at, bytes)
    at += 2
  } else if (version < TOPIC_IDS_FROM) {
    at = writeUnsignedVarint(target, at, bytes + 1)
  }
  for (let i = 0; i < bytes; i++) target[at + i] = source[from + i]!
  return at + bytes
}

function writeResult(target: Buffer, at: number, version: number, results: ProduceResults, i: number): number {
  results.errorAt[i] = at
  writeInt16(target, at, results.errorCode[i]!)
  writeInt64(target, at + 2, results.baseOffset[i]!)
  writeInt64(target, at + 10, results.logAppendTimeMs[i]!)
  at += 18
  if (version >= LOG_START_FROM) {
    writeInt64(target, at, results.logStartOffset[i]!)
    at += 8
  }
  if (version >= RECORD_ERRORS_FROM) at = writeDetails(target, at, version >= FLEXIBLE_FROM, results.details[i]!)
  if (version < FLEXIBLE_FROM) return at
  const hint = results.hints[i]
  if (hint == null || version < LEADER_FROM) {
    target[at++] = 0
    return at
  }
  target[at] = 1
  target[at + 1] = 0
  target[at + 2] = CURRENT_LEADER_BYTES
  writeInt32(target, at + 3, hint.leaderId)
  writeInt32(target, at + 7, hint.leaderEpoch)
  target[at + 11] = 0
  return at + 12
}

function writeDetails(target: Buffer, at: number, flexible: boolean, details: ErrorDetails | null): number {
  if (details === null) {
    if (flexible) {
      // No errors, no message.
      target[at] = 1
      target[at + 1] = 0
      return at + 2
    }
    writeInt32(target, at, 0)
    writeInt16(target, at + 4, -1)
    return at + 6
  }
  at = writeCount(target, at, details.recordErrors.length, flexible)
  for (const { batchIndex, message } of details.recordErrors) {
    writeInt32(target, at, batchIndex)
    at = writeText(target, at + 4, message, flexible)
    if (flexible) target[at++] = 0
  }
  return writeText(target, at, details.message, flexible)
}

/** The tagged fields at the end: the addresses of the leaders that were named, each once. */
function writeEndpoints(target: Buffer, at: number, version: number, results: ProduceResults): number {
  const leaders = new Map<number, LeaderHint>()
  if (version >= LEADER_FROM) {
    for (let i = 0; i < results.count; i++) {
      const hint = results.hints[i]
      if (hint?.endpoint != null) leaders.set(hint.leaderId, hint)
    }
  }
  if (leaders.size === 0) {
    target[at++] = 0
    return at
  }
  const body = Buffer.allocUnsafe(8 + [...leaders.values()].reduce((sum, hint) => sum + endpointBytes(hint), 0))
  let end = writeUnsignedVarint(body, 0, leaders.size + 1)
  for (const { leaderId, endpoint } of leaders.values()) {
    writeInt32(body, end, leaderId)
    end = writeText(body, end + 4, endpoint!.host, true)
    writeInt32(body, end, endpoint!.port)
    end = writeText(body, end + 4, endpoint!.rack, true)
    body[end++] = 0
  }
  target[at] = 1
  target[at + 1] = 0
  at = writeUnsignedVarint(target, at + 2, end)
  body.copy(target, at, 0, end)
  return at + end
}

function writeCount(target: Buffer, at: number, count: number, flexible: boolean): number {
  if (flexible) return writeUnsignedVarint(target, at, count + 1)
  writeInt32(target, at, count)
  return at + 4
}

function writeText(target: Buffer, at: number, text: string | null, flexible: boolean): number {
  if (text === null) {
    if (flexible) {
      target[at] = 0
      return at + 1
    }
    writeInt16(target, at, -1)
    return at + 2
  }
  const bytes = Buffer.byteLength(text)
  if (flexible) at = writeUnsignedVarint(target, at, bytes + 1)
  else {
    writeInt16(target, at, bytes)
    at += 2
  }
  target.utf8Write(text, at, bytes)
  return at + bytes
}

/** Mends an answer that was written: the partition whose error code stands at `errorAt` failed after all. */
export function mendFailed(target: Buffer, errorAt: number, version: number, code: number): void {
  writeInt16(target, errorAt, code)
  writeInt64(target, errorAt + 2, -1)
  writeInt64(target, errorAt + 10, -1)
  if (version >= LOG_START_FROM) writeInt64(target, errorAt + 18, -1)
}

/** Mends the error code alone: the records are in the log, but that is all that can be said. */
export function mendCode(target: Buffer, errorAt: number, code: number): void {
  writeInt16(target, errorAt, code)
}
