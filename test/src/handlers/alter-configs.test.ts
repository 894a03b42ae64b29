import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AlterConfigs } from '#protocol/messages/alter-configs.js'
import { alterConfigs } from '#src/handlers/alter-configs.js'
import { call, TestCluster } from './admin-support.js'

test('all options of a resource are replaced in every version', async () => {
  for (let apiVersion = 0; apiVersion <= 2; apiVersion++) {
    const cluster = new TestCluster()
    cluster.createTopic('t', 1, { 'retention.ms': '5' })
    const resources = [
      { resourceType: 2, resourceName: 't', configs: [{ name: 'retention.bytes', value: '7' }] },
      { resourceType: 8, resourceName: '1', configs: [] },
    ]
    const request = { resources, validateOnly: false }
    const { responses } = await call(AlterConfigs, alterConfigs, { controller: cluster }, request, { apiVersion })
    assert.deepEqual(
      responses.map(({ errorCode, errorMessage }) => [errorCode, errorMessage]),
      [
        [0, null],
        [42, 'Unknown resource type 8'],
      ],
    )
    assert.deepEqual(Object.fromEntries(cluster.image.configs.of(2, 't')), { 'retention.bytes': '7' })
  }
})
