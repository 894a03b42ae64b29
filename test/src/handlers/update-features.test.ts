import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UpdateFeatures } from '#protocol/messages/update-features.js'
import { updateFeatures } from '#src/handlers/update-features.js'
import { call, TestCluster } from './admin-support.js'

function begin() {
  const upgrades: number[] = []
  const upgradeKRaftVersion = async (level: number): Promise<void> => void upgrades.push(level)
  return { services: { controller: new TestCluster(), upgradeKRaftVersion }, upgrades }
}

const update = (feature: string, maxVersionLevel: number) => [{ feature, maxVersionLevel }]

test('the answer has results up to version 1', async () => {
  for (let apiVersion = 0; apiVersion <= 2; apiVersion++) {
    const { services } = begin()
    const request = { featureUpdates: update('metadata.version', 33) }
    const { errorCode, results } = await call(UpdateFeatures, updateFeatures, services, request, { apiVersion })
    const expected = [{ feature: 'metadata.version', errorCode: 0, errorMessage: 'NONE' }]
    assert.deepEqual([errorCode, results], [0, apiVersion < 2 ? expected : []])
  }
})

test('one refusal refuses all', async () => {
  const { services } = begin()
  const featureUpdates = [...update('metadata.version', 33), ...update('nope', 1)]
  const { errorCode, errorMessage, results } = await call(
    UpdateFeatures,
    updateFeatures,
    services,
    { featureUpdates },
    { apiVersion: 1 },
  )
  assert.deepEqual([errorCode, results], [95, []])
  assert.match(errorMessage!, /Local controller 1 does not support this feature/)
})

test('kraft.version is raised by the quorum', async () => {
  const { services, upgrades } = begin()
  const featureUpdates = update('kraft.version', 1)
  await call(UpdateFeatures, updateFeatures, services, { featureUpdates, validateOnly: true })
  assert.deepEqual(upgrades, [])
  await call(UpdateFeatures, updateFeatures, services, { featureUpdates })
  assert.deepEqual(upgrades, [1])
})
