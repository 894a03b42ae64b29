import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { AlterPartitionReassignments } from '#protocol/messages/alter-partition-reassignments.js'
import { ListPartitionReassignments } from '#protocol/messages/list-partition-reassignments.js'
import { alterPartitionReassignments } from '#src/handlers/alter-partition-reassignments.js'
import { listPartitionReassignments } from '#src/handlers/list-partition-reassignments.js'
import { call, TestCluster } from './admin-support.js'

const topics = [{ name: 't', partitions: [{ partitionIndex: 0, replicas: [2] }] }]

test('a move begins, is listed, and is cancelled', async () => {
  const cluster = new TestCluster({}, [1, 2])
  cluster.controller.append([])
  cluster.createTopic('t')
  const from = cluster.image.topics.partition('t', 0)!.replicas[0]!
  const to = from === 1 ? 2 : 1
  const services = { controller: cluster }
  const alter = (replicas: number[] | null, apiVersion: number) =>
    call(
      AlterPartitionReassignments,
      alterPartitionReassignments,
      services,
      { topics: [{ name: 't', partitions: [{ partitionIndex: 0, replicas }] }], timeoutMs: 5 },
      { apiVersion },
    )
  const list = async () => {
    const response = await call(ListPartitionReassignments, listPartitionReassignments, services, { timeoutMs: 5 })
    return response.topics
  }
  assert.equal((await alter([to], 0)).responses[0]!.partitions[0]!.errorCode, 0)
  const moving = { partitionIndex: 0, replicas: [to, from], addingReplicas: [to], removingReplicas: [from] }
  assert.deepEqual(await list(), [{ name: 't', partitions: [moving] }])
  assert.equal((await alter(null, 1)).responses[0]!.partitions[0]!.errorCode, 0)
  assert.deepEqual(await list(), [])
  assert.deepEqual(cluster.asked.at(-1), {}, 'who asks without a time to wait is answered, too')
})

test('an error of the whole request stands at the top and at each partition', async () => {
  const controller = { run: () => Promise.reject(new ApiError(ErrorCode.REQUEST_TIMED_OUT)) }
  const request = { topics, timeoutMs: 0 }
  const response = await call(AlterPartitionReassignments, alterPartitionReassignments, { controller }, request)
  assert.deepEqual(response, {
    throttleTimeMs: 0,
    allowReplicationFactorChange: true,
    errorCode: 7,
    errorMessage: null,
    responses: [{ name: 't', partitions: [{ partitionIndex: 0, errorCode: 7, errorMessage: null }] }],
  })
})
