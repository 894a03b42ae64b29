import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DescribeCluster } from '#protocol/messages/describe-cluster.js'
import { registerController } from '#src/controller/register-controller.js'
import { describeCluster } from '#src/handlers/describe-cluster.js'
import { type CallOptions, call, TestCluster } from './admin-support.js'

function begin() {
  const cluster = new TestCluster({}, [1, 2])
  cluster.controller.heartbeat(2, { wantFence: true })
  const listeners = [{ name: 'CONTROLLER', host: 'c', port: 9093, securityProtocol: 0 }]
  const controller = { controllerId: 3, incarnationId: 'AAAAAAAAAAAAAAAAAAAABA', zkMigrationReady: false, features: [] }
  cluster.controller.run(registerController({ ...controller, listeners }))
  const services = { brokerId: 1, clusterId: 'cluster', metadata: cluster, knownController: async () => 3 }
  return (
    request: { endpointType?: number; includeFencedBrokers?: boolean; includeClusterAuthorizedOperations?: boolean },
    options?: CallOptions,
  ) =>
    call(
      DescribeCluster,
      describeCluster,
      services,
      { includeClusterAuthorizedOperations: false, includeFencedBrokers: false, ...request },
      options,
    )
}

const one = { brokerId: 1, host: 'localhost', port: 9001, rack: null, isFenced: false }

test('brokers that are there, or all', async () => {
  const ask = begin()
  assert.deepEqual(await ask({}), {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    endpointType: 1,
    clusterId: 'cluster',
    controllerId: 1,
    brokers: [one],
    clusterAuthorizedOperations: -2147483648,
  })
  const { brokers } = await ask({ includeFencedBrokers: true })
  assert.deepEqual(brokers, [one, { ...one, brokerId: 2, port: 9002, isFenced: true }])
})

test('authorized operations are told to who asks', async () => {
  const answer = await begin()({ includeClusterAuthorizedOperations: true }, { apiVersion: 0 })
  assert.equal(answer.clusterAuthorizedOperations, 8096)
})

test('the other kind of node is asked elsewhere', async () => {
  const { errorCode, errorMessage, clusterId, controllerId, brokers, endpointType } = await begin()({ endpointType: 2 })
  assert.deepEqual([errorCode, clusterId, controllerId, brokers, endpointType], [114, '', -1, [], 1])
  assert.equal(
    errorMessage,
    'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER',
  )
  const atController = { listenerKind: 'controller', listenerName: 'CONTROLLER' } as const
  assert.equal((await begin()({ endpointType: 1 }, atController)).errorCode, 114)
})

test('an unknown kind of node is refused', async () => {
  for (const endpointType of [0, 3]) {
    const { errorCode, errorMessage } = await begin()({ endpointType })
    assert.deepEqual([errorCode, errorMessage], [115, `Unsupported endpoint type ${endpointType}`])
  }
})

test('on the listener of controllers, controllers answer for themselves', async () => {
  const answer = await begin()({ endpointType: 2 }, { listenerKind: 'controller', listenerName: 'CONTROLLER' })
  assert.deepEqual(answer.brokers, [{ brokerId: 3, host: 'c', port: 9093, rack: null, isFenced: false }])
  assert.deepEqual([answer.controllerId, answer.endpointType], [3, 2])
})
