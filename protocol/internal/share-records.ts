/** Records of `__share_group_state` (KIP-932). */
import { array, int8, int16, int32, int64, message, string, struct, uuid } from '../schema.js'

/** Key of the whole state of a share partition. */
export const ShareSnapshotKey = message({
  name: 'ShareSnapshotKey',
  key: 0,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string, topicId: uuid, partition: int32 },
})

/** Value of the whole state of a share partition. */
export const ShareSnapshotValue = message({
  name: 'ShareSnapshotValue',
  key: 0,
  versions: '0',
  flexible: '0+',
  fields: {
    snapshotEpoch: int32,
    stateEpoch: int32,
    leaderEpoch: int32,
    startOffset: int64,
    deliveryCompleteCount: int32.tagged(0).default(-1),
    createTimestamp: int64,
    writeTimestamp: int64,
    stateBatches: array(struct({ firstOffset: int64, lastOffset: int64, deliveryState: int8, deliveryCount: int16 })),
  },
})

/** Key of a change of the state of a share partition. */
export const ShareUpdateKey = message({
  name: 'ShareUpdateKey',
  key: 1,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string, topicId: uuid, partition: int32 },
})

/** Value of a change of the state of a share partition. */
export const ShareUpdateValue = message({
  name: 'ShareUpdateValue',
  key: 1,
  versions: '0',
  flexible: '0+',
  fields: {
    snapshotEpoch: int32,
    leaderEpoch: int32,
    startOffset: int64,
    deliveryCompleteCount: int32.tagged(0).default(-1),
    stateBatches: array(struct({ firstOffset: int64, lastOffset: int64, deliveryState: int8, deliveryCount: int16 })),
  },
})
