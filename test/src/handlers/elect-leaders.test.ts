import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { ElectLeaders } from '#protocol/messages/elect-leaders.js'
import { electLeaders } from '#src/handlers/elect-leaders.js'
import { call, TestCluster } from './admin-support.js'

const topicPartitions = [{ topic: 't', partitions: [0] }]

test('an election that is not needed is refused in every version', async () => {
  const cluster = new TestCluster()
  cluster.createTopic('t')
  for (let apiVersion = 0; apiVersion <= 2; apiVersion++) {
    const request = { topicPartitions, timeoutMs: 9 }
    const answer = await call(ElectLeaders, electLeaders, { controller: cluster }, request, { apiVersion })
    const errorMessage = 'Leader election not needed for topic partition.'
    const partitionResult = [{ partitionId: 0, errorCode: 84, errorMessage }]
    assert.deepEqual(answer.replicaElectionResults, [{ topic: 't', partitionResult }])
    assert.equal(answer.errorCode, 0)
  }
})

test('an error of the whole request stands at the top and at each partition', async () => {
  const cluster = new TestCluster()
  const unknown = await call(ElectLeaders, electLeaders, { controller: cluster }, { electionType: 2, topicPartitions })
  const errorMessage = 'Unknown election type 2'
  assert.deepEqual(
    [unknown.errorCode, unknown.replicaElectionResults[0]!.partitionResult],
    [42, [{ partitionId: 0, errorCode: 42, errorMessage }]],
  )
  const controller = { run: () => Promise.reject(new ApiError(ErrorCode.REQUEST_TIMED_OUT)) }
  const late = await call(ElectLeaders, electLeaders, { controller }, { electionType: 0, topicPartitions })
  assert.deepEqual(
    [late.errorCode, late.replicaElectionResults[0]!.partitionResult],
    [7, [{ partitionId: 0, errorCode: 7, errorMessage: null }]],
  )
})
