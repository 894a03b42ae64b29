import * as batch from './batch.js'
import { copyRecords } from './build.js'
import { type CompressionType, compressionTypes } from './compression.js'
import { InvalidRecordError, type InvalidRecordKind } from './error.js'
import { expectEnd, openRecords } from './reader.js'
import { type RecordCursor, readRecord, recordCursor } from './record.js'
import { refuseRecords } from './record-errors.js'

/*
 * What a leader checks before it appends, in the order and with the texts of Kafka's ProduceRequest, UnifiedLog and
 * LogValidator:
 *
 *   checkProduceRecords   exactly one v2 batch, with a codec that the version of the request allows
 *   validateHeader        base offset, size, checksum, codec, count, no control batch, sequence: no record is looked at
 *   validateRecords       every record is walked (inflated first if need be): structure, count, keys, times
 *   validateBatch         the last two; then sets the time type and the greatest time, recompresses if the topic asks
 *
 * Nothing is allocated for a sound uncompressed batch. The caller stamps offsets afterwards (`stamp`).
 *
 * Where it differs from Kafka 4.4, on purpose:
 *
 *   - an uncompressed batch whose offsets do not count from 0 is given such that do; Kafka stores it as it is, and its
 *     consumers see offsets that belong to other records;
 *   - a record of a compressed batch that does not end where its length says is refused; Kafka stores it, and its
 *     consumers stop at it;
 *   - a record length of more than five bytes is INVALID_RECORD, not UNKNOWN_SERVER_ERROR;
 *   - bytes behind the last gzip member are refused, not passed over;
 *   - a batch that inflates beyond a limit is MESSAGE_TOO_LARGE; Kafka limits single records only.
 */

const noBytes = new Uint8Array(0)

/** What a topic accepts: its options, by their names. */
export interface AppendPolicy {
  /** `max.message.bytes`: the size of a batch, before and after recompression. */
  readonly messageBytesMax: number
  /** `message.timestamp.type`. */
  readonly timestampType: batch.TimestampType
  /**
   * `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`; Long.MAX_VALUE may be any number that
   * rounds to it.
   */
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  /** Whether `cleanup.policy` has compact: every record needs a key. */
  readonly isCompacted: boolean
  /** `compression.type`: 'producer' keeps what the producer chose, 'none' (uncompressed) inflates. */
  readonly compression: 'producer' | CompressionType
  /** `compression.gzip.level` and so on, of the codec that `compression` names. */
  readonly compressionLevel?: number | undefined
  /** `max.decompressed.message.bytes`: the size of one record in a compressed batch. */
  readonly recordBytesMax: number
  /** What a compressed batch as a whole may inflate to. */
  readonly inflatedBytesMax: number
}

/** Who appends where and when. */
export interface AppendContext {
  /** As in texts of errors: `topic-0`. */
  readonly topicPartition: string
  /** The broker's clock, in ms. */
  readonly nowMs: number
  /** false for batches that the broker itself made: control batches are legal, offsets and sequences its own affair. */
  readonly isFromClient: boolean
}

/** A batch that may be appended, and what was learnt about it. The caller owns it and may use it again. */
export interface ValidatedBatch {
  /** Where the bytes to append are: those that were handed in, unless the batch had to be written anew. */
  buffer: Uint8Array
  position: number
  sizeInBytes: number
  recordsCount: number
  /** The greatest time of a record in ms, the broker's for LogAppendTime, -1 if no record has one. */
  maxTimestamp: number
  /** How far after the first record the first one with the greatest time is. */
  offsetDeltaOfMaxTimestamp: number
  /** The time that the records got, in ms; -1 for CreateTime. */
  logAppendTimeMs: number
  /** Whether the batch was written anew: other codec, or offsets that did not count from 0. */
  isRewritten: boolean
}

/** A result for `validateBatch` to fill. */
export function newValidatedBatch(): ValidatedBatch {
  return {
    buffer: noBytes,
    position: 0,
    sizeInBytes: 0,
    recordsCount: 0,
    maxTimestamp: batch.noTimestamp,
    offsetDeltaOfMaxTimestamp: 0,
    logAppendTimeMs: batch.noTimestamp,
    isRewritten: false,
  }
}

function fail(kind: InvalidRecordKind, message: string): InvalidRecordError {
  return new InvalidRecordError(kind, message)
}

/** Since this version of Produce a batch may be compressed with zstd (KIP-110). */
const zstdProduceVersionMin = 7

/**
 * Checks that `buffer[start, end)`, the records of a partition in a Produce request of `version`, is exactly one v2
 * batch and returns its size; a cut tail behind it is ignored, as Kafka does. Throws INVALID_RECORD, CORRUPT_MESSAGE,
 * or UNSUPPORTED_COMPRESSION_TYPE.
 */
export function checkProduceRecords(buffer: Uint8Array, start: number, end: number, version: number): number {
  const size = batch.batchSizeAt(buffer, start, end)
  const refuse = (what: string) => fail('INVALID_RECORD', `Produce requests with version ${version} ${what}`)
  if (size === 0) throw refuse('must have at least one record batch per partition')
  if (batch.magic(buffer, start) !== batch.currentMagic) {
    throw refuse('are only allowed to contain record batches with magic version 2')
  }
  if (version < zstdProduceVersionMin && compressionTypes[batch.compressionCode(buffer, start)] === 'zstd') {
    const text = `Produce requests with version ${version} are not allowed to use ZStandard compression`
    throw fail('UNSUPPORTED_COMPRESSION_TYPE', text)
  }
  if (start + size < end && batch.batchExtentAt(buffer, start + size, end) !== 0) {
    throw refuse('are only allowed to contain exactly one record batch per partition')
  }
  return size
}

/**
 * Checks what the header of the v2 batch at `position` says, and its checksum. `batchSizeAt` must have found it whole.
 * Throws INVALID_RECORD, MESSAGE_TOO_LARGE, CORRUPT_MESSAGE, or UNKNOWN_SERVER_ERROR (Kafka's answer to a codec that
 * nobody knows).
 */
export function validateHeader(
  buffer: Uint8Array,
  position: number,
  policy: AppendPolicy,
  context: AppendContext,
): void {
  const { topicPartition, isFromClient } = context
  if (isFromClient && batch.baseOffset(buffer, position) !== 0) {
    const found = batch.baseOffset(buffer, position)
    const text = `The baseOffset of the record batch in the append to ${topicPartition} should be 0, but it is ${found}`
    throw fail('INVALID_RECORD', text)
  }
  const size = batch.sizeInBytes(buffer, position)
  if (size > policy.messageBytesMax) {
    const found = `The record batch size in the append to ${topicPartition} is ${size} bytes`
    throw fail(
      'MESSAGE_TOO_LARGE',
      `${found} which exceeds the maximum configured value of ${policy.messageBytesMax}).`,
    )
  }
  if (!batch.hasValidCrc(buffer, position)) {
    const stored = batch.storedCrc(buffer, position)
    throw fail('CORRUPT_MESSAGE', `Record is corrupt (stored crc = ${stored}) in topic partition ${topicPartition}.`)
  }
  const code = batch.compressionCode(buffer, position)
  if (code >= compressionTypes.length) throw fail('UNKNOWN_SERVER_ERROR', `Unknown compression type id: ${code}`)
  if (isFromClient) validateClientHeader(buffer, position, topicPartition)
}

function validateClientHeader(buffer: Uint8Array, position: number, topicPartition: string): void {
  const lastDelta = batch.lastOffsetDelta(buffer, position)
  const count = batch.recordsCount(buffer, position)
  if (lastDelta < 0) {
    const text = `Batch has an invalid offset range: [0, ${lastDelta}] in topic partition ${topicPartition}`
    throw fail('INVALID_RECORD', text)
  }
  if (count <= 0) {
    throw fail(
      'INVALID_RECORD',
      `Invalid reported count for record batch: ${count} in topic partition ${topicPartition}`,
    )
  }
  if (lastDelta + 1 !== count) {
    const found = `Inconsistent batch offset range [0, ${lastDelta}] and count of records ${count}`
    throw fail('INVALID_RECORD', `${found} in topic partition ${topicPartition}`)
  }
  if (batch.isControl(buffer, position)) {
    throw fail(
      'INVALID_RECORD',
      `Clients are not allowed to write control records in topic partition ${topicPartition}`,
    )
  }
  if (batch.hasProducerId(buffer, position) && batch.baseSequence(buffer, position) < 0) {
    const sequence = batch.baseSequence(buffer, position)
    const producer = batch.producerId(buffer, position)
    const found = `Invalid sequence number ${sequence} in record batch with producerId ${producer}`
    throw fail('INVALID_RECORD', `${found} in topic partition ${topicPartition}`)
  }
}

/** What a walk over the records of a batch found; one for all walks, each of which is over before the next begins. */
const walked = {
  count: 0,
  timestampDeltaMin: 0,
  timestampDeltaMax: 0,
  indexOfMax: 0,
  nullKeys: 0,
  offsetsCountFromZero: true,
  recordBytesMax: 0,
}

function walk(cursor: RecordCursor, count: number): void {
  let least = Number.POSITIVE_INFINITY
  let greatest = Number.NEGATIVE_INFINITY
  let indexOfMax = 0
  let nullKeys = 0
  let disorder = 0
  let bytesMax = 0
  for (let index = 0; index < count; index++) {
    readRecord(cursor)
    const delta = cursor.timestampDelta
    if (delta > greatest) {
      greatest = delta
      indexOfMax = index
    }
    if (delta < least) least = delta
    if (cursor.keyLength < 0) nullKeys++
    disorder |= cursor.offsetDelta ^ index
    const bytes = cursor.position - cursor.bodyStart
    if (bytes > bytesMax) bytesMax = bytes
  }
  expectEnd(cursor)
  walked.count = count
  walked.timestampDeltaMin = least
  walked.timestampDeltaMax = greatest
  walked.indexOfMax = indexOfMax
  walked.nullKeys = nullKeys
  walked.offsetsCountFromZero = disorder === 0
  walked.recordBytesMax = bytesMax
}

const cursor = recordCursor(noBytes, 0, 0)

/** As `openRecords`, with the answer that Kafka gives to bytes that are not the codec's. */
function open(buffer: Uint8Array, position: number, policy: AppendPolicy, isTransient: boolean): void {
  try {
    openRecords(cursor, buffer, position, policy.inflatedBytesMax, isTransient)
  } catch (error) {
    if (!(error instanceof InvalidRecordError) || error.kind !== 'CORRUPT_MESSAGE') throw error
    throw fail('UNKNOWN_SERVER_ERROR', error.message)
  }
}

/**
 * Walks the records of the v2 batch at `position`, whose header must have passed `validateHeader`, and fills in what it
 * finds: count, greatest time and where that is. Throws INVALID_RECORD where the records are not well formed, have no
 * key on a compacted topic, or are not as many as the header says; INVALID_TIMESTAMP for times that the topic does not
 * accept; MESSAGE_TOO_LARGE beyond `inflatedBytesMax`; UNKNOWN_SERVER_ERROR (as Kafka) for bytes that do not inflate. A
 * compressed batch whose codec is not loaded: UNSUPPORTED_COMPRESSION_TYPE.
 */
export function validateRecords(
  buffer: Uint8Array,
  position: number,
  policy: AppendPolicy,
  context: AppendContext,
  into: ValidatedBatch,
): void {
  try {
    walkRecords(buffer, position, policy, context, into)
  } finally {
    cursor.buffer = noBytes
  }
}

function walkRecords(
  buffer: Uint8Array,
  position: number,
  policy: AppendPolicy,
  context: AppendContext,
  into: ValidatedBatch,
): void {
  const count = batch.recordsCount(buffer, position)
  open(buffer, position, policy, true)
  walk(cursor, count)
  const isCompressed = batch.compressionCode(buffer, position) !== 0
  if (isCompressed && walked.recordBytesMax > policy.recordBytesMax) {
    const found = `Invalid record size: ${walked.recordBytesMax}`
    throw fail('INVALID_RECORD', `${found} exceeds the configured maximum record size of ${policy.recordBytesMax}.`)
  }
  const hasLogAppendTime = batch.isLogAppendTime(buffer, position)
  const base = batch.baseTimestamp(buffer, position)
  const least = hasLogAppendTime ? batch.maxTimestamp(buffer, position) : base + walked.timestampDeltaMin
  const greatest = hasLogAppendTime ? least : base + walked.timestampDeltaMax
  const isTimely =
    policy.timestampType === 'LogAppendTime' ||
    (context.nowMs - least <= policy.timestampBeforeMaxMs && greatest - context.nowMs <= policy.timestampAfterMaxMs)
  const mayHaveWrongType = hasLogAppendTime && (policy.timestampType === 'LogAppendTime' || least === batch.noTimestamp)
  if (!isTimely || mayHaveWrongType || (policy.isCompacted && walked.nullKeys > 0)) {
    open(buffer, position, policy, true)
    refuseRecords(cursor, buffer, position, policy, context)
  }
  into.recordsCount = count
  into.maxTimestamp = count === 0 ? batch.noTimestamp : Math.max(batch.noTimestamp, greatest)
  into.offsetDeltaOfMaxTimestamp = hasLogAppendTime ? 0 : walked.indexOfMax
}

/**
 * Checks the v2 batch at `position` as its leader must, makes it what the topic wants, and says in `into` what to
 * append. Usually those are the bytes that were handed in, of which attributes, greatest time and checksum may have
 * changed. Offsets and leader epoch are for the caller to stamp. Errors are those of `validateHeader` and
 * `validateRecords`.
 */
export function validateBatch(
  buffer: Uint8Array,
  position: number,
  policy: AppendPolicy,
  context: AppendContext,
  into: ValidatedBatch,
): void {
  validateHeader(buffer, position, policy, context)
  validateRecords(buffer, position, policy, context, into)
  into.logAppendTimeMs = policy.timestampType === 'LogAppendTime' ? context.nowMs : batch.noTimestamp
  const source = compressionTypes[batch.compressionCode(buffer, position)]!
  const target =
    policy.compression === 'producer' || isUncompressedControl(buffer, position) ? source : policy.compression
  if (source !== target || !walked.offsetsCountFromZero) {
    rewrite(buffer, position, source, target, policy, context, into)
    return
  }
  into.buffer = buffer
  into.position = position
  into.sizeInBytes = batch.sizeInBytes(buffer, position)
  into.isRewritten = false
  if (policy.timestampType === 'LogAppendTime') {
    batch.stampLogAppendTime(buffer, position, context.nowMs)
    into.maxTimestamp = context.nowMs
    into.offsetDeltaOfMaxTimestamp = 0
  } else {
    batch.stampMaxTimestamp(buffer, position, into.maxTimestamp)
  }
}

/** Control batches are never compressed, whatever the topic says. */
function isUncompressedControl(buffer: Uint8Array, position: number): boolean {
  return batch.isControl(buffer, position) && batch.compressionCode(buffer, position) === 0
}

/**
 * Writes the batch anew: with another codec, or with offsets that count from 0. Kafka keeps an uncompressed batch whose
 * offsets do not, so that records of one offset follow; ours gives them those that they are answered with. A compressed
 * one it fails to rewrite, with UNKNOWN_SERVER_ERROR, as one with times or producers that cannot be, and so do we.
 */
function rewrite(
  buffer: Uint8Array,
  position: number,
  source: CompressionType,
  target: CompressionType,
  policy: AppendPolicy,
  context: AppendContext,
  into: ValidatedBatch,
): void {
  if (source === target && source !== 'none') {
    throw fail('UNKNOWN_SERVER_ERROR', 'The offsets of a compressed batch do not count from 0')
  }
  checkProducer(buffer, position)
  open(buffer, position, policy, false)
  const copier = copyRecords(cursor.end - cursor.position)
  const hasLogAppendTime = batch.isLogAppendTime(buffer, position)
  const baseTimestamp = batch.baseTimestamp(buffer, position)
  let firstDelta = 0
  for (let index = 0; index < into.recordsCount; index++) {
    readRecord(cursor)
    const timestamp = hasLogAppendTime ? batch.noTimestamp : baseTimestamp + cursor.timestampDelta
    if (timestamp < batch.noTimestamp) throw fail('UNKNOWN_SERVER_ERROR', `Invalid negative timestamp ${timestamp}`)
    if (index === 0) firstDelta = cursor.timestampDelta
    copier.append(cursor, hasLogAppendTime ? 0 : cursor.timestampDelta - firstDelta, index)
  }
  cursor.buffer = noBytes
  const logAppendTimeMs = policy.timestampType === 'LogAppendTime' ? context.nowMs : null
  if (logAppendTimeMs !== null) {
    into.maxTimestamp = logAppendTimeMs
    into.offsetDeltaOfMaxTimestamp = 0
  }
  const baseOffset = batch.baseOffset(buffer, position)
  const rewritten = copier.finish({
    baseOffset,
    lastOffset: baseOffset + into.recordsCount - 1,
    baseTimestamp: hasLogAppendTime ? batch.maxTimestamp(buffer, position) : baseTimestamp + firstDelta,
    maxTimestamp: into.maxTimestamp,
    logAppendTimeMs,
    partitionLeaderEpoch: batch.partitionLeaderEpoch(buffer, position),
    compression: target,
    compressionLevel: policy.compressionLevel,
    producerId: batch.producerId(buffer, position),
    producerEpoch: batch.producerEpoch(buffer, position),
    baseSequence: batch.baseSequence(buffer, position),
    isTransactional: batch.isTransactional(buffer, position),
    isControl: batch.isControl(buffer, position),
  })
  if (rewritten.length > policy.messageBytesMax) {
    const found = `Message batch size is ${rewritten.length} bytes in append to partition ${context.topicPartition}`
    throw fail('MESSAGE_TOO_LARGE', `${found} which exceeds the maximum configured size of ${policy.messageBytesMax}.`)
  }
  into.buffer = rewritten
  into.position = 0
  into.sizeInBytes = rewritten.length
  into.isRewritten = true
}

/** No batch is written with a producer that has no epoch. (One without a sequence is refused before.) */
function checkProducer(buffer: Uint8Array, position: number): void {
  if (batch.producerId(buffer, position) === -1 || batch.producerEpoch(buffer, position) !== -1) return
  throw fail('UNKNOWN_SERVER_ERROR', 'Invalid negative producer epoch')
}
