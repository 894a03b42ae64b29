import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { UpdateFeatures } from '#protocol/messages/update-features.js'
import { updateFeatures } from '#src/handlers/update-features.js'
import { call, TestCluster } from './admin-support.js'

function begin() {
  const upgrades: number[] = []
  const upgradeKRaftVersion = async (level: number, validateOnly: boolean): Promise<void> => {
    if (!validateOnly) upgrades.push(level)
  }
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

test('what the quorum refuses changes no other feature, and is refused also where it is only to be validated', async () => {
  const { controller } = begin().services
  const upgradeKRaftVersion = () => Promise.reject(new ApiError(ErrorCode.INVALID_UPDATE_VERSION, 'not all voters'))
  const services = { controller, upgradeKRaftVersion }
  const elr = 'eligible.leader.replicas.version'
  const before = controller.image.features.level(elr)
  const featureUpdates = [{ feature: elr, maxVersionLevel: 0, upgradeType: 2 }, ...update('kraft.version', 1)]
  for (const validateOnly of [true, false]) {
    await assert.rejects(call(UpdateFeatures, updateFeatures, services, { featureUpdates, validateOnly }), {
      code: ErrorCode.INVALID_UPDATE_VERSION,
    })
    assert.equal(controller.image.features.level(elr), before)
  }
})
