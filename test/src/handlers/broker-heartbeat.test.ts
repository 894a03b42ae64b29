import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { BrokerHeartbeat } from '#protocol/messages/broker-heartbeat.js'
import { BrokerRegistration } from '#protocol/messages/broker-registration.js'
import { brokerHeartbeat } from '#src/handlers/broker-heartbeat.js'
import { brokerRegistration } from '#src/handlers/broker-registration.js'
import { OWN_PROCESS, type RequestContext } from '#src/handlers/handler.js'
import { registration } from '../controller/support.js'
import { call, TestCluster } from './admin-support.js'

const beatOf = (cluster: TestCluster, brokerId: number) => ({
  ...{ brokerId, brokerEpoch: cluster.image.cluster.broker(brokerId)!.epoch, currentMetadataOffset: 1000 },
  ...{ wantFence: false, wantShutDown: false },
})

/** A request that a node sends to itself. */
const ownContext: RequestContext = {
  apiVersion: 2,
  correlationId: 0,
  clientId: null,
  listenerName: 'CONTROLLER',
  listenerKind: 'controller',
  clientAddress: '127.0.0.1',
  connectionId: OWN_PROCESS,
  onClose: () => () => {},
}

test('a broker registers and is let in, by any version', async () => {
  for (const apiVersion of [2, 3, 4]) {
    const cluster = new TestCluster({}, [])
    const services = { controller: cluster }
    const request = registration(7)
    const registered = await call(BrokerRegistration, brokerRegistration, services, request, { apiVersion })
    assert.deepEqual([registered.errorCode, registered.brokerEpoch], [0, 2])
    const beatVersion = { apiVersion: apiVersion - 2 }
    const beat = await call(BrokerHeartbeat, brokerHeartbeat, services, beatOf(cluster, 7), beatVersion)
    assert.deepEqual(beat, {
      ...{ throttleTimeMs: 0, errorCode: 0, isCaughtUp: true, isFenced: false, shouldShutDown: false },
    })
  }
})

test('whoever watches learns on which connections brokers are heard of, and of no heartbeat that is refused', async () => {
  const cluster = new TestCluster({}, [1])
  const heard: unknown[] = []
  const heartbeatWatch = {
    heard: (id: number, epoch: number, { connectionId }: { connectionId: number }) =>
      heard.push([id, epoch, connectionId]),
  }
  const services = { controller: cluster, heartbeatWatch }
  const beat = beatOf(cluster, 1)
  await call(BrokerHeartbeat, brokerHeartbeat, services, beat)
  const stale = call(BrokerHeartbeat, brokerHeartbeat, services, { ...beat, brokerEpoch: 99 })
  await assert.rejects(stale, { code: ErrorCode.STALE_BROKER_EPOCH })
  assert.deepEqual(heard, [[1, beat.brokerEpoch, 1]])
})

test('the broker beside its controller never falls silent, and sees what it is told', async () => {
  const cluster = new TestCluster({}, [1])
  const request = { ...beatOf(cluster, 1), offlineLogDirs: [], cordonedLogDirs: null }
  await brokerHeartbeat.handle({ controller: cluster }, request, ownContext)
  assert.deepEqual(cluster.asked, [{ untilPublished: true }])
  cluster.controller.now = 1_000_000
  assert.deepEqual(cluster.controller.tick(), [])
  const next = registration(1)
  await brokerRegistration.handle({ controller: cluster }, next, ownContext)
  assert.equal(cluster.image.cluster.broker(1)!.incarnationId, next.incarnationId)
})

test('a node that is not the active controller says so', async () => {
  const controller = { run: () => Promise.reject(new ApiError(ErrorCode.NOT_CONTROLLER)) }
  const cluster = new TestCluster({}, [1])
  const beat = call(BrokerHeartbeat, brokerHeartbeat, { controller }, beatOf(cluster, 1))
  await assert.rejects(beat, { code: ErrorCode.NOT_CONTROLLER })
})
