/**
 * The file `quorum-state` beside the metadata log: one line of JSON that says which epoch a node is in, whom it takes
 * for the leader and who has its vote. Version 0 goes with kraft.version 0, version 1 with kraft.version 1.
 */
import { ZERO_UUID } from '#protocol/schema.js'
import type { Disk } from '#storage/disk.js'
import type { ElectionState } from './raft-types.js'
import { replicaKey, type VoterSet } from './voters.js'

export const quorumStateName = 'quorum-state'

/** A file of the metadata log that cannot be used; the message names it and says what to do. */
export class MetadataStartError extends Error {
  override readonly name = 'MetadataStartError'
}

/** The content of the file, byte for byte as Kafka writes it. */
export function encodeQuorumState(state: ElectionState, kraftVersion: number, voters: VoterSet): string {
  const { leaderId, epoch: leaderEpoch, voted } = state
  const votedId = voted?.id ?? -1
  if (kraftVersion > 0) {
    const votedDirectoryId = voted?.directoryId ?? ZERO_UUID
    return JSON.stringify({ leaderId, leaderEpoch, votedId, votedDirectoryId, data_version: 1 })
  }
  const currentVoters = voters.map(voter => ({ voterId: voter.key.id }))
  return JSON.stringify({
    clusterId: '',
    leaderId,
    leaderEpoch,
    votedId,
    appliedOffset: 0,
    currentVoters,
    data_version: 0,
  })
}

/** Reads the file; null if it is missing. Throws MetadataStartError if it cannot be understood. */
export function readQuorumState(disk: Disk, directory: string): ElectionState | null {
  const path = `${directory}/${quorumStateName}`
  if (!disk.exists(path)) return null
  const text = disk.readFile(path).toString('utf8')
  const refuse = (what: string): MetadataStartError =>
    new MetadataStartError(
      `${path}: ${what}. It says whom this node voted for and must not be guessed: restore it from a backup. Only if ` +
        'this node is the only voter, or all voters are stopped and their files are removed together, remove it.',
    )
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw refuse(`'${text.slice(0, 80)}' is not JSON`)
  }
  if (typeof value !== 'object' || value === null) throw refuse('it is not a JSON object')
  const fields = value as Record<string, unknown>
  const version = fields.data_version
  if (version !== 0 && version !== 1)
    throw refuse(`data_version ${JSON.stringify(version)} is not one that is known (0, 1)`)
  const integer = (name: string, least: number): number => {
    const field = fields[name]
    if (!Number.isInteger(field) || (field as number) < least || (field as number) > 0x7fffffff) {
      throw refuse(`${name} is ${JSON.stringify(field)}`)
    }
    return field as number
  }
  const epoch = integer('leaderEpoch', 0)
  const leaderId = integer('leaderId', -1)
  const votedId = integer('votedId', -1)
  const directoryId = version === 1 ? fields.votedDirectoryId : ZERO_UUID
  if (typeof directoryId !== 'string' || !/^[A-Za-z0-9_-]{22}$/.test(directoryId)) {
    throw refuse(`votedDirectoryId is ${JSON.stringify(directoryId)}`)
  }
  return { epoch, leaderId, voted: votedId === -1 ? null : replicaKey(votedId, directoryId) }
}

/** Replaces the file; durable when it returns. */
export function writeQuorumState(
  disk: Disk,
  directory: string,
  state: ElectionState,
  kraftVersion: number,
  voters: VoterSet,
): void {
  disk.replaceFile(`${directory}/${quorumStateName}`, Buffer.from(encodeQuorumState(state, kraftVersion, voters)))
}
