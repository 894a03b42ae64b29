/** Control records and files of the metadata quorum. */
import { array, int16, int32, int64, message, string, struct, uint16, uuid } from '../schema.js'

const Voter = struct({ voterId: int32, voterDirectoryId: uuid.versions('1+') })

/** The first record of a leader in its epoch. */
export const LeaderChangeMessage = message({
  name: 'LeaderChangeMessage',
  versions: '0-1',
  flexible: '0+',
  fields: { version: int16, leaderId: int32, voters: array(Voter), grantingVoters: array(Voter) },
})

/** The first record of a snapshot. */
export const SnapshotHeaderRecord = message({
  name: 'SnapshotHeaderRecord',
  versions: '0',
  flexible: '0+',
  fields: { version: int16, lastContainedLogTimestamp: int64 },
})

/** The last record of a snapshot. */
export const SnapshotFooterRecord = message({
  name: 'SnapshotFooterRecord',
  versions: '0',
  flexible: '0+',
  fields: { version: int16 },
})

/** The finalized kraft.version. */
export const KRaftVersionRecord = message({
  name: 'KRaftVersionRecord',
  versions: '0',
  flexible: '0+',
  fields: { version: int16, kRaftVersion: int16 },
})

/** The set of voters. */
export const VotersRecord = message({
  name: 'VotersRecord',
  versions: '0',
  flexible: '0+',
  fields: {
    version: int16,
    voters: array(
      struct({
        voterId: int32,
        voterDirectoryId: uuid,
        endpoints: array(struct({ name: string, host: string, port: uint16 })),
        kRaftVersionFeature: struct({ minSupportedVersion: int16, maxSupportedVersion: int16 }),
      }),
    ),
  },
})

/** The content of the quorum-state file, which is JSON. */
export const QuorumStateData = message({
  name: 'QuorumStateData',
  versions: '0-1',
  flexible: '0+',
  fields: {
    clusterId: string.versions('0'),
    leaderId: int32.default(-1),
    leaderEpoch: int32.default(-1),
    votedId: int32.default(-1),
    votedDirectoryId: uuid.versions('1+'),
    appliedOffset: int64.versions('0'),
    currentVoters: array(struct({ voterId: int32 }))
      .nullable()
      .versions('0'),
  },
})
