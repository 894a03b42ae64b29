/** Requests of peers as calls of the raft machine, and its answers as responses. */
import { ErrorCode, errorName } from '#protocol/errors.js'
import type { AddRaftVoterRequest, AddRaftVoterResponse } from '#protocol/messages/add-raft-voter.js'
import type { BeginQuorumEpochRequest, BeginQuorumEpochResponse } from '#protocol/messages/begin-quorum-epoch.js'
import type { DescribeQuorumRequest, DescribeQuorumResponse } from '#protocol/messages/describe-quorum.js'
import type { EndQuorumEpochRequest, EndQuorumEpochResponse } from '#protocol/messages/end-quorum-epoch.js'
import type { FetchRequest, FetchResponse } from '#protocol/messages/fetch.js'
import type { FetchSnapshotRequest, FetchSnapshotResponse } from '#protocol/messages/fetch-snapshot.js'
import type { RemoveRaftVoterRequest, RemoveRaftVoterResponse } from '#protocol/messages/remove-raft-voter.js'
import type { UpdateRaftVoterRequest, UpdateRaftVoterResponse } from '#protocol/messages/update-raft-voter.js'
import type { VoteRequest, VoteResponse } from '#protocol/messages/vote.js'
import { METADATA_TOPIC, METADATA_TOPIC_ID } from './metadata-log.js'
import type {
  ChangeVoterReply,
  DescribeQuorumReply,
  FetchReply,
  InboundCall,
  LeaderHint,
  OutboundReply,
  ReplicaView,
} from './raft-types.js'
import { addressOn, replicaKey } from './voters.js'

/** An answer of the machine, with the bytes of log or snapshot that were read for it when it was given. */
export interface Answer {
  readonly reply: OutboundReply
  readonly bytes: Buffer
}

/** Hands a call to the machine; resolves with the answer. */
export type Ask = (call: InboundCall) => Promise<Answer>

/** What a response needs to know of how the request came. */
export interface RequestSource {
  /** The listener on which it came: endpoints in the response are of that one. */
  readonly listenerName: string
  readonly clusterId: string
}

const unhosted = 'This server does not host this topic-partition.'
const notLeader =
  'For requests intended only for the leader, this error indicates that the broker is not the current leader. For ' +
  'requests intended for any replica, this error indicates that the broker is not a replica of the topic partition.'

type Topics<P> = readonly { readonly topicName: string; readonly partitions: readonly P[] }[]

/** The error that refuses a request as a whole; null for one about the only partition there is. */
function refused(request: { readonly clusterId: string | null }, source: RequestSource): ErrorCode | null {
  if (request.clusterId !== null && request.clusterId !== source.clusterId) return ErrorCode.INCONSISTENT_CLUSTER_ID
  return null
}

function only<P extends { readonly partitionIndex: number }>(topics: Topics<P>): P | null {
  const partition = topics[0]?.partitions[0]
  if (topics.length !== 1 || topics[0]!.topicName !== METADATA_TOPIC) return null
  return topics[0]!.partitions.length === 1 && partition?.partitionIndex === 0 ? partition : null
}

async function expect<T extends OutboundReply['api']>(
  ask: Ask,
  api: T,
  call: InboundCall,
): Promise<OutboundReply & { readonly api: T }> {
  return (await expectBytes(ask, api, call)).reply
}

async function expectBytes<T extends OutboundReply['api']>(
  ask: Ask,
  api: T,
  call: InboundCall,
): Promise<{ readonly reply: OutboundReply & { readonly api: T }; readonly bytes: Buffer }> {
  const { reply, bytes } = await ask(call)
  if (reply.api !== api) throw new Error(`${call.api} was answered as ${reply.api}`)
  return { reply: reply as OutboundReply & { readonly api: T }, bytes }
}

function nodeEndpoints(hint: LeaderHint, source: RequestSource): { nodeId: number; host: string; port: number }[] {
  const address = hint.leaderId === -1 ? null : addressOn(hint.leaderEndpoints, source.listenerName)
  return address === null ? [] : [{ nodeId: hint.leaderId, host: address.host, port: address.port }]
}

function leaderPartition(hint: LeaderHint) {
  return { partitionIndex: 0, errorCode: hint.error, leaderId: hint.leaderId, leaderEpoch: hint.epoch }
}

export async function answerVote(ask: Ask, request: VoteRequest, source: RequestSource): Promise<VoteResponse> {
  const error = refused(request, source)
  if (error !== null) return { errorCode: error, topics: [] }
  const partition = only(request.topics)
  if (partition === null) return { errorCode: ErrorCode.INVALID_REQUEST, topics: [] }
  const reply = await expect(ask, 'vote', {
    api: 'vote',
    voter: request.voterId < 0 ? null : replicaKey(request.voterId, partition.voterDirectoryId),
    candidate: replicaKey(partition.replicaId, partition.replicaDirectoryId),
    epoch: partition.replicaEpoch,
    lastEpoch: partition.lastOffsetEpoch,
    lastOffset: partition.lastOffset,
    preVote: partition.preVote,
  })
  const answer = { ...leaderPartition(reply), voteGranted: reply.granted }
  return {
    errorCode: ErrorCode.NONE,
    topics: [{ topicName: METADATA_TOPIC, partitions: [answer] }],
    nodeEndpoints: nodeEndpoints(reply, source),
  }
}

export async function answerBeginQuorumEpoch(
  ask: Ask,
  request: BeginQuorumEpochRequest,
  source: RequestSource,
): Promise<BeginQuorumEpochResponse> {
  const error = refused(request, source)
  if (error !== null) return { errorCode: error, topics: [] }
  const partition = only(request.topics)
  if (partition === null) return { errorCode: ErrorCode.INVALID_REQUEST, topics: [] }
  const reply = await expect(ask, 'beginQuorumEpoch', {
    api: 'beginQuorumEpoch',
    voter: request.voterId < 0 ? null : replicaKey(request.voterId, partition.voterDirectoryId),
    leaderId: partition.leaderId,
    epoch: partition.leaderEpoch,
    leaderEndpoints: request.leaderEndpoints,
  })
  return {
    errorCode: ErrorCode.NONE,
    topics: [{ topicName: METADATA_TOPIC, partitions: [leaderPartition(reply)] }],
    nodeEndpoints: nodeEndpoints(reply, source),
  }
}

export async function answerEndQuorumEpoch(
  ask: Ask,
  request: EndQuorumEpochRequest,
  source: RequestSource,
): Promise<EndQuorumEpochResponse> {
  const error = refused(request, source)
  if (error !== null) return { errorCode: error, topics: [] }
  const partition = only(request.topics)
  if (partition === null) return { errorCode: ErrorCode.INVALID_REQUEST, topics: [] }
  const candidates = partition.preferredCandidates.map(one => replicaKey(one.candidateId, one.candidateDirectoryId))
  const reply = await expect(ask, 'endQuorumEpoch', {
    api: 'endQuorumEpoch',
    leaderId: partition.leaderId,
    epoch: partition.leaderEpoch,
    preferredCandidates: candidates.length > 0 ? candidates : partition.preferredSuccessors.map(id => replicaKey(id)),
    leaderEndpoints: request.leaderEndpoints,
  })
  return {
    errorCode: ErrorCode.NONE,
    topics: [{ topicName: METADATA_TOPIC, partitions: [leaderPartition(reply)] }],
    nodeEndpoints: nodeEndpoints(reply, source),
  }
}

/** Fetch of the metadata partition, alone in its request. `apiVersion` decides where the replica's id stands. */
export async function answerFetch(
  ask: Ask,
  request: FetchRequest,
  apiVersion: number,
  source: RequestSource,
): Promise<FetchResponse> {
  const error = refused(request, source)
  if (error !== null) return { errorCode: error, responses: [] }
  const topic = request.topics[0]
  const partition = topic?.partitions[0]
  const isAbout =
    request.topics.length === 1 &&
    topic!.partitions.length === 1 &&
    partition!.partition === 0 &&
    (apiVersion >= 13 ? topic!.topicId === METADATA_TOPIC_ID : topic!.topic === METADATA_TOPIC)
  if (!isAbout) return { errorCode: ErrorCode.INVALID_REQUEST, responses: [] }
  const replicaId = apiVersion >= 15 ? request.replicaState.replicaId : request.replicaId
  const { reply, bytes } = await expectBytes(ask, 'fetch', {
    api: 'fetch',
    replica: replicaKey(replicaId, partition!.replicaDirectoryId),
    epoch: partition!.currentLeaderEpoch,
    fetchOffset: partition!.fetchOffset,
    lastFetchedEpoch: partition!.lastFetchedEpoch,
    highWatermark: partition!.highWatermark,
    waitMsMax: request.maxWaitMs,
    bytesMax: request.maxBytes,
  })
  return fetchResponse(reply, bytes, source)
}

function fetchResponse(reply: FetchReply, bytes: Buffer, source: RequestSource): FetchResponse {
  const partition = {
    partitionIndex: 0,
    errorCode: reply.error,
    highWatermark: reply.highWatermark,
    logStartOffset: reply.logStartOffset,
    currentLeader: { leaderId: reply.leaderId, leaderEpoch: reply.epoch },
    abortedTransactions: [],
    records: bytes,
    ...(reply.diverging === null ? {} : { divergingEpoch: { ...reply.diverging } }),
    ...(reply.snapshotId === null ? {} : { snapshotId: { ...reply.snapshotId } }),
  }
  return {
    errorCode: ErrorCode.NONE,
    responses: [{ topic: METADATA_TOPIC, topicId: METADATA_TOPIC_ID, partitions: [partition] }],
    nodeEndpoints: nodeEndpoints(reply, source),
  }
}

export async function answerFetchSnapshot(
  ask: Ask,
  request: FetchSnapshotRequest,
  source: RequestSource,
): Promise<FetchSnapshotResponse> {
  const error = refused(request, source)
  if (error !== null) return { errorCode: error, topics: [] }
  const topic = request.topics[0]
  const partition = topic?.partitions[0]
  if (request.topics.length !== 1 || topic!.partitions.length !== 1) {
    return { errorCode: ErrorCode.INVALID_REQUEST, topics: [] }
  }
  if (topic!.name !== METADATA_TOPIC || partition!.partition !== 0) {
    const errorCode = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    const nothing = { size: 0, position: 0, unalignedRecords: Buffer.alloc(0), snapshotId: { endOffset: 0, epoch: 0 } }
    return {
      errorCode: ErrorCode.NONE,
      topics: [{ name: topic!.name, partitions: [{ index: partition!.partition, errorCode, ...nothing }] }],
    }
  }
  const { reply, bytes } = await expectBytes(ask, 'fetchSnapshot', {
    api: 'fetchSnapshot',
    replica: replicaKey(request.replicaId, partition!.replicaDirectoryId),
    epoch: partition!.currentLeaderEpoch,
    id: partition!.snapshotId,
    position: partition!.position,
    bytesMax: request.maxBytes,
  })
  const isGood = reply.error === ErrorCode.NONE
  const answer = {
    index: 0,
    errorCode: reply.error,
    snapshotId: isGood ? { ...reply.id } : { endOffset: 0, epoch: 0 },
    currentLeader: { leaderId: reply.leaderId, leaderEpoch: reply.epoch },
    size: isGood ? reply.size : 0,
    position: isGood ? reply.position : 0,
    unalignedRecords: bytes,
  }
  return {
    errorCode: ErrorCode.NONE,
    topics: [{ name: METADATA_TOPIC, partitions: [answer] }],
    nodeEndpoints: nodeEndpoints(reply, source),
  }
}

function otherCluster(clusterId: string | null, source: RequestSource): { errorCode: number; errorMessage: string } {
  const errorMessage = `The given id "${clusterId}" doesn't match the cluster id "${source.clusterId}"`
  return { errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID, errorMessage }
}

function changeResponse(reply: ChangeVoterReply): { errorCode: number; errorMessage: string } {
  return { errorCode: reply.error, errorMessage: reply.message ?? plainText(reply.error) }
}

function plainText(error: ErrorCode): string {
  return error === ErrorCode.NOT_LEADER_OR_FOLLOWER ? notLeader : errorName(error)
}

export async function answerAddVoter(
  ask: Ask,
  request: AddRaftVoterRequest,
  source: RequestSource,
): Promise<AddRaftVoterResponse> {
  if (refused(request, source) !== null) return otherCluster(request.clusterId, source)
  const reply = await expect(ask, 'addVoter', {
    api: 'addVoter',
    voter: replicaKey(request.voterId, request.voterDirectoryId),
    endpoints: request.listeners,
    ackWhenCommitted: request.ackWhenCommitted,
    timeoutMs: request.timeoutMs,
  })
  return changeResponse(reply as ChangeVoterReply)
}

export async function answerRemoveVoter(
  ask: Ask,
  request: RemoveRaftVoterRequest,
  source: RequestSource,
): Promise<RemoveRaftVoterResponse> {
  if (refused(request, source) !== null) return otherCluster(request.clusterId, source)
  const voter = replicaKey(request.voterId, request.voterDirectoryId)
  return changeResponse((await expect(ask, 'removeVoter', { api: 'removeVoter', voter })) as ChangeVoterReply)
}

export async function answerUpdateVoter(
  ask: Ask,
  request: UpdateRaftVoterRequest,
  source: RequestSource,
): Promise<UpdateRaftVoterResponse> {
  const error = refused(request, source)
  if (error !== null) return { errorCode: error }
  const reply = await expect(ask, 'updateVoter', {
    api: 'updateVoter',
    epoch: request.currentLeaderEpoch,
    voter: replicaKey(request.voterId, request.voterDirectoryId),
    endpoints: request.listeners,
    minKRaftVersion: request.kRaftVersionFeature.minSupportedVersion,
    maxKRaftVersion: request.kRaftVersionFeature.maxSupportedVersion,
  })
  const address = addressOn(reply.leaderEndpoints, source.listenerName)
  const { leaderId, epoch: leaderEpoch } = reply
  const currentLeader = { leaderId, leaderEpoch, host: address?.host ?? '', port: address?.port ?? 0 }
  return { errorCode: reply.error, currentLeader }
}

/** `wallTimeOf` turns a time of the machine into ms since 1970. */
export async function answerDescribeQuorum(
  ask: Ask,
  request: DescribeQuorumRequest,
  wallTimeOf: (time: number) => number,
): Promise<DescribeQuorumResponse> {
  const head = { errorCode: ErrorCode.NONE, errorMessage: '' }
  if (only(request.topics) === null) {
    return { ...head, topics: describeError(request, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, unhosted), nodes: [] }
  }
  const reply = await expect(ask, 'describeQuorum', { api: 'describeQuorum' })
  if (reply.error !== ErrorCode.NONE) {
    return { ...head, topics: describeError(request, reply.error, plainText(reply.error)), nodes: [] }
  }
  return {
    ...head,
    topics: [{ topicName: METADATA_TOPIC, partitions: [describePartition(reply, wallTimeOf)] }],
    nodes: reply.nodes.map(node => ({
      nodeId: node.id,
      listeners: node.endpoints.map(({ name, host, port }) => ({ name, host, port })),
    })),
  }
}

function describePartition(reply: DescribeQuorumReply, wallTimeOf: (time: number) => number) {
  const show = (replica: ReplicaView) => ({
    replicaId: replica.key.id,
    replicaDirectoryId: replica.key.directoryId,
    logEndOffset: replica.endOffset,
    lastFetchTimestamp: replica.lastFetchTime < 0 ? -1 : wallTimeOf(replica.lastFetchTime),
    lastCaughtUpTimestamp: replica.lastCaughtUpTime < 0 ? -1 : wallTimeOf(replica.lastCaughtUpTime),
  })
  return {
    partitionIndex: 0,
    errorCode: ErrorCode.NONE,
    errorMessage: '',
    leaderId: reply.leaderId,
    leaderEpoch: reply.epoch,
    highWatermark: reply.highWatermark,
    currentVoters: reply.voters.map(show),
    observers: reply.observers.map(show),
  }
}

function describeError(request: DescribeQuorumRequest, errorCode: ErrorCode, errorMessage: string) {
  return request.topics.map(({ topicName, partitions }) => ({
    topicName,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      errorCode,
      errorMessage,
      leaderId: 0,
      leaderEpoch: 0,
      highWatermark: 0,
      currentVoters: [],
      observers: [],
    })),
  }))
}
