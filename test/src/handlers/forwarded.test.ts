import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import type { ControllerRequests } from '#src/controller/controller-driver.js'
import { brokerHandlers } from '#src/handlers/broker.js'
import { controllerHandlers } from '#src/handlers/controller.js'
import { createTopics } from '#src/handlers/create-topics.js'
import { FORWARDABLE_KEYS, forwarded } from '#src/handlers/forwarded.js'
import { call, TestCluster } from './admin-support.js'

const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
const request = { topics: [topic], timeoutMs: 1000, validateOnly: false }
const handler = forwarded(createTopics)

function begin(isLocal: boolean, controller?: ControllerRequests) {
  const cluster = new TestCluster()
  const sent: { apiVersion: number; name: string }[] = []
  const time = { now: 0, givenUntil: -1 }
  const forwarder = {
    isLocal,
    deadline: () => time.now + 1000,
    forward: async (_: unknown, { apiVersion }: { apiVersion: number }, asked: unknown, deadline: number) => {
      time.givenUntil = deadline
      sent.push({ apiVersion, name: (asked as typeof request).topics[0]!.name })
      return { throttleTimeMs: 0, topics: [{ name: 'from afar', errorCode: 0, errorMessage: null }] }
    },
  } as unknown as Parameters<typeof handler.handle>[0]['forwarder']
  const services = { controller: controller ?? cluster, config: cluster.config, forwarder }
  const ask = async () => (await call(CreateTopics, handler, services, request, { apiVersion: 5 })).topics[0]!.name
  return { sent, time, ask }
}

test('where the active controller is in this process, it is asked directly', async () => {
  const { sent, ask } = begin(true)
  assert.deepEqual([await ask(), sent], ['t', []])
})

test('where it is elsewhere, the request goes there in the version in which it came', async () => {
  const { sent, ask } = begin(false)
  assert.deepEqual([await ask(), sent], ['from afar', [{ apiVersion: 5, name: 't' }]])
})

test('when it was here and is not any more, the client does not notice', async () => {
  const { sent, ask } = begin(true, { run: () => Promise.reject(new ApiError(ErrorCode.NOT_CONTROLLER)) })
  assert.deepEqual([await ask(), sent.length], ['from afar', 1])
})

test('the time that the controller here took is not given a second time', async () => {
  const { time, ask } = begin(true, {
    run: () => {
      time.now = 400
      return Promise.reject(new ApiError(ErrorCode.NOT_CONTROLLER))
    },
  })
  assert.deepEqual([await ask(), time.givenUntil], ['from afar', 1000])
})

test('what the controller here refuses is refused', async () => {
  const { sent, ask } = begin(true, { run: () => Promise.reject(new ApiError(ErrorCode.REQUEST_TIMED_OUT)) })
  await assert.rejects(ask(), (error: ApiError) => error.code === ErrorCode.REQUEST_TIMED_OUT)
  assert.deepEqual(sent, [])
})

test('what a broker may forward, a controller serves', () => {
  const served = new Set(controllerHandlers.map(({ api }) => api.key))
  const missing = brokerHandlers.filter(({ api }) => FORWARDABLE_KEYS.has(api.key) && !served.has(api.key))
  assert.deepEqual(
    missing.map(({ api }) => api.name),
    [],
  )
})
