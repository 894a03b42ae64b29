import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { DeleteTopics } from '#protocol/messages/delete-topics.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { deleteTopics } from '#src/handlers/delete-topics.js'
import { call, TestCluster } from './admin-support.js'

test('topics are deleted by name, and from version 6 by id', async () => {
  const cluster = new TestCluster()
  const services = { controller: cluster, config: cluster.config }
  for (let apiVersion = 1; apiVersion <= 6; apiVersion++) {
    const topicId = cluster.createTopic('t')
    const request = apiVersion < 6 ? { topicNames: ['t'] } : { topics: [{ name: null, topicId }] }
    const { responses } = await call(DeleteTopics, deleteTopics, services, { ...request, timeoutMs: 5 }, { apiVersion })
    assert.deepEqual(
      responses.map(({ name, errorCode }) => [name, errorCode]),
      [['t', 0]],
    )
    assert.equal(cluster.image.topics.topicCount, 0)
  }
})

test('a broker may forbid it', async () => {
  const cluster = new TestCluster({ options: { 'delete.topic.enable': 'false' } })
  const topicId = cluster.createTopic('t')
  const services = { controller: cluster, config: cluster.config }
  const codeAt = async (apiVersion: number) => {
    const request = { topicNames: ['t'], timeoutMs: 5 }
    const { responses } = await call(DeleteTopics, deleteTopics, services, request, { apiVersion })
    return [responses[0]!.errorCode, responses[0]!.errorMessage]
  }
  assert.deepEqual(
    [await codeAt(2), await codeAt(3), await codeAt(5)],
    [
      [42, null],
      [73, null],
      [73, null],
    ],
  )
  const request = {
    topics: [
      { name: 't', topicId: ZERO_UUID },
      { name: null, topicId },
    ],
    timeoutMs: 5,
  }
  const { responses } = await call(DeleteTopics, deleteTopics, services, request)
  assert.deepEqual(
    responses.map(({ name, topicId: id, errorCode, errorMessage }) => [name, id, errorCode, errorMessage]),
    [
      ['t', ZERO_UUID, 73, null],
      [null, topicId, 73, null],
    ],
  )
})

test('an error of the whole request stands at each topic', async () => {
  const cluster = new TestCluster()
  const controller = { run: () => Promise.reject(new ApiError(ErrorCode.REQUEST_TIMED_OUT)) }
  const request = { topics: [{ name: 't', topicId: ZERO_UUID }], timeoutMs: 0 }
  const { responses } = await call(DeleteTopics, deleteTopics, { controller, config: cluster.config }, request)
  assert.deepEqual([responses[0]!.errorCode, responses[0]!.errorMessage], [7, null])
})
