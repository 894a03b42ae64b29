/** Calls of the raft machine as requests to a peer, and the peer's responses as answers for the machine. */
import { messageCodec } from '#protocol/codec.js'
import { ErrorCode } from '#protocol/errors.js'
import { KRaftVersionRecord, VotersRecord } from '#protocol/internal/raft-records.js'
import { AddRaftVoter } from '#protocol/messages/add-raft-voter.js'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import { BeginQuorumEpoch } from '#protocol/messages/begin-quorum-epoch.js'
import { EndQuorumEpoch } from '#protocol/messages/end-quorum-epoch.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { FetchSnapshot } from '#protocol/messages/fetch-snapshot.js'
import { RemoveRaftVoter } from '#protocol/messages/remove-raft-voter.js'
import { UpdateRaftVoter } from '#protocol/messages/update-raft-voter.js'
import { Vote } from '#protocol/messages/vote.js'
import { Reader } from '#protocol/reader.js'
import * as batch from '#protocol/records/batch.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { controlRecordsOf } from '../metadata/snapshot-file.js'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from './metadata-log.js'
import type { FetchedBatch, InboundReply, LeaderHint, OutboundCall } from './raft-types.js'
import { type QuorumChange, type RaftEndpoint, votersFromRecord } from './voters.js'

/** A response that is not about the metadata partition, or has records that are damaged: as good as none. */
export class UnusableResponseError extends Error {
  override readonly name = 'UnusableResponseError'
}

/** What requests and responses need to know of this node. */
export interface WireContext {
  readonly clusterId: string
  /** The listener on which nodes of the quorum talk. */
  readonly listenerName: string
}

/** Sends a request in the highest version that both sides have. */
export interface RequestSender {
  /** Rejects with CallFailedError; also when the peer has no version from `minVersion` on. */
  send<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    minVersion: number,
    request: Encodable<Q>,
  ): Promise<Decoded<R>>
}

/** Fetched records that the machine took or did not take. */
export interface FetchedRecords {
  readonly buffer: Buffer
  /** Where each batch ends. */
  readonly ends: readonly number[]
}

/** Sends a call and brings back the answer. Rejects with what `sender` rejects with, or UnusableResponseError. */
export async function sendCall(sender: RequestSender, context: WireContext, call: OutboundCall): Promise<InboundReply> {
  const { clusterId } = context
  switch (call.api) {
    case 'vote': {
      const partition = {
        partitionIndex: 0,
        replicaEpoch: call.epoch,
        replicaId: call.candidate.id,
        replicaDirectoryId: call.candidate.directoryId,
        voterDirectoryId: call.voter?.directoryId,
        lastOffsetEpoch: call.lastEpoch,
        lastOffset: call.lastOffset,
        preVote: call.preVote,
      }
      const topics = [{ topicName: METADATA_TOPIC, partitions: [partition] }]
      const request = { clusterId, voterId: call.voter?.id ?? -1, topics }
      // Without the flag, the receiver would take a pre-vote for a vote.
      const response = await sender.send(Vote, call.preVote ? 2 : 0, request)
      const answer = onlyPartition(response)
      return { api: 'vote', ...hintOf(context, answer, response), granted: answer?.voteGranted ?? false }
    }
    case 'beginQuorumEpoch': {
      const { leaderId, epoch: leaderEpoch, voter } = call
      const partition = { partitionIndex: 0, voterDirectoryId: voter?.directoryId, leaderId, leaderEpoch }
      const topics = [{ topicName: METADATA_TOPIC, partitions: [partition] }]
      const leaderEndpoints = call.leaderEndpoints.map(plainEndpoint)
      const request = { clusterId, voterId: voter?.id ?? -1, topics, leaderEndpoints }
      const response = await sender.send(BeginQuorumEpoch, 0, request)
      return { api: 'beginQuorumEpoch', ...hintOf(context, onlyPartition(response), response) }
    }
    case 'endQuorumEpoch': {
      const partition = {
        partitionIndex: 0,
        leaderId: call.leaderId,
        leaderEpoch: call.epoch,
        preferredSuccessors: call.preferredCandidates.map(candidate => candidate.id),
        preferredCandidates: call.preferredCandidates.map(candidate => ({
          candidateId: candidate.id,
          candidateDirectoryId: candidate.directoryId,
        })),
      }
      const topics = [{ topicName: METADATA_TOPIC, partitions: [partition] }]
      const request = { clusterId, topics, leaderEndpoints: call.leaderEndpoints.map(plainEndpoint) }
      const response = await sender.send(EndQuorumEpoch, 0, request)
      return { api: 'endQuorumEpoch', ...hintOf(context, onlyPartition(response), response) }
    }
    case 'fetch':
      return sendFetch(sender, context, call)
    case 'fetchSnapshot':
      return sendFetchSnapshot(sender, context, call)
    case 'apiVersions': {
      const response = await sender.send(ApiVersions, 3, { clientSoftwareName: 'ottla', clientSoftwareVersion: '1' })
      const feature = response.supportedFeatures.find(supported => supported.name === 'kraft.version')
      const kraftVersions = feature === undefined ? null : { min: feature.minVersion, max: feature.maxVersion }
      return { api: 'apiVersions', error: response.errorCode as ErrorCode, kraftVersions }
    }
    default:
      return sendVoterChange(sender, context, call)
  }
}

async function sendVoterChange(
  sender: RequestSender,
  { clusterId, listenerName }: WireContext,
  call: OutboundCall & { readonly api: 'addVoter' | 'removeVoter' | 'updateVoter' },
): Promise<InboundReply> {
  const { id: voterId, directoryId: voterDirectoryId } = call.voter
  if (call.api === 'removeVoter') {
    const response = await sender.send(RemoveRaftVoter, 0, { clusterId, voterId, voterDirectoryId })
    return { api: 'removeVoter', error: response.errorCode as ErrorCode, message: response.errorMessage }
  }
  const listeners = call.endpoints.map(plainEndpoint)
  if (call.api === 'addVoter') {
    const { timeoutMs, ackWhenCommitted } = call
    const request = { clusterId, timeoutMs, voterId, voterDirectoryId, listeners, ackWhenCommitted }
    const response = await sender.send(AddRaftVoter, ackWhenCommitted ? 0 : 1, request)
    return { api: 'addVoter', error: response.errorCode as ErrorCode, message: response.errorMessage }
  }
  const kRaftVersionFeature = { minSupportedVersion: call.minKRaftVersion, maxSupportedVersion: call.maxKRaftVersion }
  const request = {
    clusterId,
    currentLeaderEpoch: call.epoch,
    voterId,
    voterDirectoryId,
    listeners,
    kRaftVersionFeature,
  }
  const response = await sender.send(UpdateRaftVoter, 0, request)
  const { leaderId, leaderEpoch: epoch, host, port } = response.currentLeader
  const leaderEndpoints = host === '' ? [] : [{ name: listenerName, host, port }]
  return { api: 'updateVoter', error: response.errorCode as ErrorCode, leaderId, epoch, leaderEndpoints }
}

async function sendFetch(
  sender: RequestSender,
  context: WireContext,
  call: OutboundCall & { readonly api: 'fetch' },
): Promise<InboundReply> {
  const partition = {
    partition: 0,
    currentLeaderEpoch: call.epoch,
    fetchOffset: call.fetchOffset,
    lastFetchedEpoch: call.lastFetchedEpoch,
    partitionMaxBytes: call.bytesMax,
    replicaDirectoryId: call.replica.directoryId,
    highWatermark: call.highWatermark,
  }
  const response = await sender.send(Fetch, 13, {
    clusterId: context.clusterId,
    replicaId: call.replica.id,
    replicaState: { replicaId: call.replica.id },
    maxWaitMs: call.waitMsMax,
    minBytes: 0,
    maxBytes: call.bytesMax,
    topics: [{ topic: METADATA_TOPIC, topicId: METADATA_TOPIC_ID, partitions: [partition] }],
    forgottenTopicsData: [],
  })
  if (response.errorCode !== ErrorCode.NONE) throw new UnusableResponseError(`Fetch failed with ${response.errorCode}`)
  const answer = response.responses[0]?.partitions[0]
  if (answer === undefined || answer.partitionIndex !== 0 || response.responses.length !== 1) {
    throw new UnusableResponseError('Fetch was answered for another partition')
  }
  const { leaderId, leaderEpoch } = answer.currentLeader
  const hint = { errorCode: answer.errorCode, leaderId, leaderEpoch }
  const fetched = splitBatches(answer.records ?? Buffer.alloc(0))
  const { divergingEpoch, snapshotId } = answer
  return {
    api: 'fetch',
    ...hintOf(context, hint, response),
    highWatermark: answer.highWatermark,
    logStartOffset: answer.logStartOffset,
    diverging: divergingEpoch.epoch >= 0 ? divergingEpoch : null,
    snapshotId: snapshotId.epoch >= 0 || snapshotId.endOffset >= 0 ? snapshotId : null,
    batches: fetched.batches,
    handle: fetched.handle,
  }
}

async function sendFetchSnapshot(
  sender: RequestSender,
  context: WireContext,
  call: OutboundCall & { readonly api: 'fetchSnapshot' },
): Promise<InboundReply> {
  const partition = {
    partition: 0,
    currentLeaderEpoch: call.epoch,
    snapshotId: call.id,
    position: call.position,
    replicaDirectoryId: call.replica.directoryId,
  }
  const response = await sender.send(FetchSnapshot, 0, {
    clusterId: context.clusterId,
    replicaId: call.replica.id,
    maxBytes: call.bytesMax,
    topics: [{ name: METADATA_TOPIC, partitions: [partition] }],
  })
  if (response.errorCode !== ErrorCode.NONE) {
    throw new UnusableResponseError(`FetchSnapshot failed with ${response.errorCode}`)
  }
  const answer = response.topics[0]?.partitions[0]
  if (answer === undefined || answer.index !== 0 || response.topics.length !== 1) {
    throw new UnusableResponseError('FetchSnapshot was answered for another partition')
  }
  const { leaderId, leaderEpoch } = answer.currentLeader
  const handle = Buffer.from(answer.unalignedRecords)
  return {
    api: 'fetchSnapshot',
    ...hintOf(context, { errorCode: answer.errorCode, leaderId, leaderEpoch }, response),
    id: answer.snapshotId,
    size: answer.size,
    position: answer.position,
    byteCount: handle.length,
    handle,
  }
}

function plainEndpoint({ name, host, port }: RaftEndpoint): RaftEndpoint {
  return { name, host, port }
}

interface PartitionAnswer {
  readonly errorCode: number
  readonly leaderId: number
  readonly leaderEpoch: number
}

function onlyPartition<P extends PartitionAnswer & { readonly partitionIndex: number }>(response: {
  readonly errorCode: number
  readonly topics: readonly { readonly topicName: string; readonly partitions: readonly P[] }[]
}): P {
  if (response.errorCode !== ErrorCode.NONE) throw new UnusableResponseError(`it failed with ${response.errorCode}`)
  const topic = response.topics[0]
  const partition = topic?.partitions[0]
  if (partition === undefined || partition.partitionIndex !== 0 || topic?.topicName !== METADATA_TOPIC) {
    throw new UnusableResponseError('it was answered for another partition')
  }
  return partition
}

function hintOf(
  { listenerName: name }: WireContext,
  answer: PartitionAnswer,
  response: {
    readonly nodeEndpoints: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]
  },
): LeaderHint {
  const leader = response.nodeEndpoints.find(node => node.nodeId === answer.leaderId)
  return {
    error: answer.errorCode as ErrorCode,
    epoch: answer.leaderEpoch,
    leaderId: answer.leaderId,
    leaderEndpoints: leader === undefined ? [] : [{ name, host: leader.host, port: leader.port }],
  }
}

/** The batches of fetched records, a cut one at the end left out. Throws UnusableResponseError when one is damaged. */
export function splitBatches(records: Uint8Array): {
  readonly batches: FetchedBatch[]
  readonly handle: FetchedRecords
} {
  // A copy: what came in belongs to the connection.
  const buffer = Buffer.from(records)
  const batches: FetchedBatch[] = []
  const ends: number[] = []
  try {
    for (const position of batch.batchPositions(buffer)) {
      if (batch.magic(buffer, position) !== batch.currentMagic || !batch.hasValidCrc(buffer, position)) {
        throw new Error(`the batch at ${batch.baseOffset(buffer, position)} is damaged`)
      }
      batches.push({
        baseOffset: batch.baseOffset(buffer, position),
        lastOffset: batch.lastOffset(buffer, position),
        epoch: batch.partitionLeaderEpoch(buffer, position),
        changes: quorumChangesOf(buffer, position),
      })
      ends.push(position + batch.sizeInBytes(buffer, position))
    }
  } catch (error) {
    throw new UnusableResponseError(`fetched records cannot be read: ${(error as Error).message}`)
  }
  return { batches, handle: { buffer, ends } }
}

/** What the control records of the batch at `position` say about voters and kraft.version; nothing for data. */
export function quorumChangesOf(buffer: Buffer, position: number): QuorumChange[] {
  if (!batch.isControl(buffer, position)) return []
  const changes: QuorumChange[] = []
  for (const { type, value, offset } of controlRecordsOf(buffer, position)) {
    if (type === 'KRAFT_VERSION') {
      const { kRaftVersion: kraftVersion } = messageCodec(KRaftVersionRecord, 0).read(new Reader(value))
      changes.push({ offset, kraftVersion })
    } else if (type === 'KRAFT_VOTERS') {
      changes.push({ offset, voters: votersFromRecord(messageCodec(VotersRecord, 0).read(new Reader(value))) })
    }
  }
  return changes
}
