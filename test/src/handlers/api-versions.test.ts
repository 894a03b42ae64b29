import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { decodeResponse } from '#protocol/frame.js'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import { replicaSetting } from './replica-support.js'

const CLIENT = { clientSoftwareName: 'a-client', clientSoftwareVersion: '1.0' }
const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qk'

test('every version is answered with what is served, behind a header without tagged fields', async () => {
  const { client } = await replicaSetting()
  for (let version = 0; version <= 5; version++) {
    client.send(ApiVersions, version, CLIENT)
    const { response } = decodeResponse(ApiVersions, version, client.receiveFrame()!)
    assert.equal(response.errorCode, 0)
    assert.deepEqual(response.apiKeys[0], { apiKey: 0, minVersion: 0, maxVersion: 13 })
    assert.deepEqual(
      response.apiKeys.find(({ apiKey }) => apiKey === 1),
      { apiKey: 1, minVersion: 4, maxVersion: 18 },
    )
    if (version < 3) continue
    assert.deepEqual(
      response.supportedFeatures.map(({ name }) => name),
      version >= 4 ? ['metadata.version', 'group.version'] : ['metadata.version'],
    )
    assert.deepEqual(response.finalizedFeatures, [
      { name: 'metadata.version', minVersionLevel: 29, maxVersionLevel: 29 },
    ])
    assert.ok(response.finalizedFeaturesEpoch >= 0)
  }
})

test('names of client software that are none are refused', async () => {
  const { dial } = await replicaSetting()
  for (const bad of ['', '-x', 'x-', 'a b', 'ä', 'a\n']) {
    for (const request of [
      { ...CLIENT, clientSoftwareName: bad },
      { ...CLIENT, clientSoftwareVersion: bad },
    ]) {
      const response = dial().ask(ApiVersions, 3, request)
      assert.equal(errorName(response.errorCode), 'INVALID_REQUEST', JSON.stringify(bad))
      assert.deepEqual(response.apiKeys, [])
    }
  }
})

test('a client that looks for another cluster or node bootstraps anew; half of the pair is no request', async () => {
  const { client } = await replicaSetting()
  const ask = (pair: { clusterId?: string; nodeId?: number }): string =>
    errorName(client.ask(ApiVersions, 5, { ...CLIENT, ...pair }).errorCode)
  assert.equal(ask({}), 'NONE')
  assert.equal(ask({ clusterId: CLUSTER, nodeId: 1 }), 'NONE')
  assert.equal(ask({ clusterId: 'another', nodeId: 1 }), 'REBOOTSTRAP_REQUIRED')
  assert.equal(ask({ clusterId: CLUSTER, nodeId: 2 }), 'REBOOTSTRAP_REQUIRED')
  assert.equal(ask({ clusterId: CLUSTER }), 'INVALID_REQUEST')
  assert.equal(ask({ nodeId: 1 }), 'INVALID_REQUEST')
})
