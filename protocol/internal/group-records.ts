/** Records of `__consumer_offsets`: classic groups and committed offsets. The key of a message is the record type. */
import { array, bytes, int32, int64, int64Clamped, message, string, struct, uuid } from '../schema.js'

/** Key of the state of a classic group. */
export const GroupMetadataKey = message({
  name: 'GroupMetadataKey',
  key: 2,
  versions: '0',
  flexible: 'none',
  fields: { group: string },
})

const MemberMetadata = struct({
  memberId: string,
  groupInstanceId: string.nullable().versions('3+').default(null),
  clientId: string,
  clientHost: string,
  rebalanceTimeout: int32.versions('1+').default(-1),
  sessionTimeout: int32,
  subscription: bytes,
  assignment: bytes,
})

/** Value of the state of a classic group. */
export const GroupMetadataValue = message({
  name: 'GroupMetadataValue',
  key: 2,
  versions: '0-4',
  flexible: '4+',
  fields: {
    protocolType: string,
    generation: int32,
    protocol: string.nullable(),
    leader: string.nullable(),
    currentStateTimestamp: int64.versions('2+').default(-1),
    members: array(MemberMetadata),
  },
})

/** Key of a committed offset (old form). */
export const LegacyOffsetCommitKey = message({
  name: 'LegacyOffsetCommitKey',
  key: 0,
  versions: '0',
  flexible: 'none',
  fields: { group: string, topic: string, partition: int32 },
})

/** Value of a committed offset (old form). */
export const LegacyOffsetCommitValue = message({
  name: 'LegacyOffsetCommitValue',
  key: 0,
  versions: '0',
  flexible: 'none',
  fields: { offset: int64Clamped, metadata: string, commitTimestamp: int64Clamped },
})

/** Key of a committed offset. */
export const OffsetCommitKey = message({
  name: 'OffsetCommitKey',
  key: 1,
  versions: '0',
  flexible: 'none',
  fields: { group: string, topic: string, partition: int32 },
})

/** Value of a committed offset. What a client said of offset and retention stands in it as it was said. */
export const OffsetCommitValue = message({
  name: 'OffsetCommitValue',
  key: 1,
  versions: '0-4',
  flexible: '4+',
  fields: {
    offset: int64Clamped,
    leaderEpoch: int32.versions('3+').default(-1),
    metadata: string,
    commitTimestamp: int64Clamped,
    expireTimestamp: int64Clamped.versions('1').default(-1),
    topicId: uuid.versions('4+').tagged(0),
  },
})
