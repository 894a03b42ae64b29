import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ListConfigResources } from '#protocol/messages/list-config-resources.js'
import { listConfigResources } from '#src/handlers/list-config-resources.js'
import { call, TestCluster } from './admin-support.js'

function begin() {
  const cluster = new TestCluster()
  cluster.createTopic('t')
  const config = (resourceType: number, resourceName: string) => {
    const value = { resourceType, resourceName, name: 'n', value: 'v' }
    return { type: 'ConfigRecord', version: 0, value } as const
  }
  cluster.controller.append([config(16, 'm'), config(32, 'g'), config(4, '')])
  return async (resourceTypes: readonly number[], apiVersion = 1) => {
    const request = { resourceTypes: [...resourceTypes] }
    const answer = await call(ListConfigResources, listConfigResources, { metadata: cluster }, request, { apiVersion })
    return [answer.errorCode, ...answer.configResources.map(each => `${each.resourceType}:${each.resourceName}`)]
  }
}

test('all kinds, in the order of Kafka', async () => {
  assert.deepEqual(await begin()([]), [0, '32:g', '16:m', '8:1', '4:1', '2:t'])
})

test('only the kinds asked for, each once', async () => {
  assert.deepEqual(await begin()([4, 16, 4]), [0, '16:m', '4:1'])
})

test('a kind that there is none of', async () => {
  for (const types of [[0], [2, 64]]) assert.deepEqual(await begin()(types), [35])
})

test('version 0 knows one kind only', async () => {
  assert.deepEqual(await begin()([], 0), [0, '16:m'])
})

test('brokers that are away are named as well', async () => {
  const metadata = new TestCluster({}, [1, 2])
  const { epoch } = metadata.image.cluster.broker(2)!
  metadata.controller.append([{ type: 'FenceBrokerRecord', version: 0, value: { id: 2, epoch } }])
  const request = { resourceTypes: [4] }
  const { configResources } = await call(ListConfigResources, listConfigResources, { metadata }, request)
  assert.deepEqual(
    configResources.map(each => each.resourceName),
    ['1', '2'],
  )
})
