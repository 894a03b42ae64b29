/**
 * The records of `__consumer_offsets`, as Kafka writes them: the key is the record type (int16) and a message without
 * version, the value is its version (int16) and a message.
 */
import { messageCodec } from '#protocol/codec.js'
import {
  GroupMetadataKey,
  GroupMetadataValue,
  LegacyOffsetCommitKey,
  LegacyOffsetCommitValue,
  OffsetCommitKey,
  OffsetCommitValue,
} from '#protocol/internal/group-records.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader } from '#protocol/reader.js'
import { type Decoded, type Encodable, type Fields, type Message, ZERO_UUID } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import type { ShardRecord } from '../shard-machine.js'

/** An offset that a group has committed for a partition. */
export interface CommittedOffset {
  readonly offset: number
  /** -1 if the client did not say. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** When the offset expires whatever the retention is; -1 if the client did not say (only versions 2 to 4 can). */
  readonly expireTimestampMs: number
  /** The topic by which the offset was committed; zero in records of before Kafka 4.1. */
  readonly topicId: string
}

/** The state of a classic group between two generations. */
export type GroupMetadata = Omit<Decoded<typeof GroupMetadataValue.fields>, 'unknownTaggedFields'>
export type GroupMetadataMember = GroupMetadata['members'][number]

/** The kinds of groups that share the topic with the classic ones (KIP-848, KIP-932, KIP-1071). */
export type OtherGroupType = 'consumer' | 'share' | 'streams'

/** What a record says. A value of null is a tombstone. */
export type GroupRecordContent =
  | {
      readonly type: 'offset'
      readonly groupId: string
      readonly topic: string
      readonly partition: number
      readonly value: CommittedOffset | null
    }
  | { readonly type: 'group'; readonly groupId: string; readonly value: GroupMetadata | null }
  /** Part of a group of another kind: known by its key alone, and left as it is. */
  | {
      readonly type: 'other'
      readonly groupType: OtherGroupType
      readonly recordType: number
      readonly groupId: string
      readonly isTombstone: boolean
    }

export interface GroupRecord extends ShardRecord {
  readonly content: GroupRecordContent
}

/** Metadata is written in the last version that is not flexible, so that every Kafka reads it. */
const GROUP_METADATA_VERSION = 3
/** With a topic id. */
const OFFSET_COMMIT_VERSION = 4
/** The only one with an expire timestamp. */
const OFFSET_COMMIT_EXPIRING_VERSION = 1

/** The record types of other kinds of groups; the key of each begins with the group id. */
const OTHER_TYPES: ReadonlyMap<number, OtherGroupType> = new Map([
  ...[3, 4, 5, 6, 7, 8, 16].map(type => [type, 'consumer'] as const),
  ...[10, 11, 12, 13, 14, 15].map(type => [type, 'share'] as const),
  ...[17, 19, 20, 21, 22, 23].map(type => [type, 'streams'] as const),
])

function encodeKey<F extends Fields>(message: Message<F>, value: Encodable<F>): Buffer {
  return write(message, 0, message.key, value)
}

function write<F extends Fields>(message: Message<F>, version: number, prefix: number, value: Encodable<F>): Buffer {
  const writer = new Writer()
  writer.int16(prefix)
  messageCodec(message, version).write(writer, value)
  return writer.toBuffer()
}

/** The state of a group, or its tombstone. */
export function groupRecord(groupId: string, value: GroupMetadata | null): GroupRecord {
  const bytes = value === null ? null : write(GroupMetadataValue, GROUP_METADATA_VERSION, GROUP_METADATA_VERSION, value)
  return {
    key: encodeKey(GroupMetadataKey, { group: groupId }),
    value: bytes,
    content: { type: 'group', groupId, value },
  }
}

/** A committed offset, or its tombstone. */
export function offsetRecord(
  groupId: string,
  topic: string,
  partition: number,
  value: CommittedOffset | null,
): GroupRecord {
  const key = encodeKey(OffsetCommitKey, { group: groupId, topic, partition })
  return {
    key,
    value: value === null ? null : offsetValue(value),
    content: { type: 'offset', groupId, topic, partition, value },
  }
}

function offsetValue(value: CommittedOffset): Buffer {
  const version = value.expireTimestampMs === -1 ? OFFSET_COMMIT_VERSION : OFFSET_COMMIT_EXPIRING_VERSION
  return write(OffsetCommitValue, version, version, {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestamp: value.commitTimestampMs,
    expireTimestamp: value.expireTimestampMs,
    topicId: value.topicId,
  })
}

/** The tombstone of a record of another kind of group, whose key is known. */
export function otherTombstone(key: Uint8Array, content: GroupRecordContent & { readonly type: 'other' }): GroupRecord {
  return { key, value: null, content: { ...content, isTombstone: true } }
}

/**
 * Reads a record. Returns null for a type that is not known here (a later Kafka's). Throws ProtocolError for one that
 * is damaged, and for a version of a known type that is not known.
 */
export function decodeGroupRecord(key: Uint8Array | null, value: Uint8Array | null): GroupRecord | null {
  if (key === null) throw new ProtocolError('the key is null')
  const reader = readerOf(key)
  const recordType = reader.int16()
  const otherType = OTHER_TYPES.get(recordType)
  if (otherType !== undefined) {
    const groupId = reader.string(reader.int16())
    const content = { type: 'other', groupType: otherType, recordType, groupId, isTombstone: value === null } as const
    return { key: Buffer.from(key), value: value === null ? null : NO_BYTES, content }
  }
  const content = contentOf(recordType, reader, value)
  return content === null ? null : { key, value, content }
}

const NO_BYTES = Buffer.alloc(0)

function contentOf(recordType: number, key: Reader, value: Uint8Array | null): GroupRecordContent | null {
  switch (recordType) {
    case GroupMetadataKey.key: {
      const { group } = messageCodec(GroupMetadataKey, 0).read(key)
      return { type: 'group', groupId: group, value: value === null ? null : readGroup(value) }
    }
    case LegacyOffsetCommitKey.key: {
      const { group, topic, partition } = messageCodec(LegacyOffsetCommitKey, 0).read(key)
      return {
        type: 'offset',
        groupId: group,
        topic,
        partition,
        value: value === null ? null : readLegacyOffset(value),
      }
    }
    case OffsetCommitKey.key: {
      const { group, topic, partition } = messageCodec(OffsetCommitKey, 0).read(key)
      return { type: 'offset', groupId: group, topic, partition, value: value === null ? null : readOffset(value) }
    }
    default:
      return null
  }
}

function readerOf(bytes: Uint8Array): Reader {
  return new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
}

function readValue<F extends Fields>(message: Message<F>, bytes: Uint8Array): Decoded<F> {
  const reader = readerOf(bytes)
  const version = reader.int16()
  const { from, to } = message.versions
  if (version < from || version > to) {
    throw new ProtocolError(`${message.name} has version ${version}, this broker knows ${from} to ${to}`)
  }
  return messageCodec(message, version).read(reader)
}

function readGroup(bytes: Uint8Array): GroupMetadata {
  const { unknownTaggedFields: _, ...value } = readValue(GroupMetadataValue, bytes)
  const ids = value.members.map(({ memberId }) => memberId)
  const instances = value.members.flatMap(({ groupInstanceId }) => groupInstanceId ?? [])
  if (new Set(ids).size < ids.length || new Set(instances).size < instances.length) {
    throw new ProtocolError('GroupMetadataValue lists a member twice')
  }
  // What was read lies in a buffer that is larger than what is kept of it.
  const members = value.members.map(member => ({
    ...member,
    subscription: Buffer.from(member.subscription),
    assignment: Buffer.from(member.assignment),
  }))
  return { ...value, members }
}

function readOffset(bytes: Uint8Array): CommittedOffset {
  const value = readValue(OffsetCommitValue, bytes)
  return {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestampMs: value.commitTimestamp,
    expireTimestampMs: value.expireTimestamp,
    topicId: value.topicId,
  }
}

function readLegacyOffset(bytes: Uint8Array): CommittedOffset {
  const value = readValue(LegacyOffsetCommitValue, bytes)
  return {
    offset: value.offset,
    leaderEpoch: -1,
    metadata: value.metadata,
    commitTimestampMs: value.commitTimestamp,
    expireTimestampMs: -1,
    topicId: ZERO_UUID,
  }
}
