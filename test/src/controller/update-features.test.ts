import assert from 'node:assert/strict'
import { test } from 'node:test'
import { updateFeatures } from '#src/controller/update-features.js'
import { TestController, type TestControllerOptions } from './support.js'

const UPGRADE = 1
const SAFE = 2
const UNSAFE = 3

type Update = readonly [feature: string, level: number, upgradeType: number]

function run(controller: TestController, updates: readonly Update[], validateOnly = false) {
  const featureUpdates = updates.map(([feature, maxVersionLevel, upgradeType]) => {
    return { feature, maxVersionLevel, upgradeType, allowDowngrade: false }
  })
  return controller.run(updateFeatures({ featureUpdates, timeoutMs: 1, validateOnly }))
}

function ready(options: TestControllerOptions = {}): TestController {
  const controller = new TestController(options)
  controller.addBrokers(1)
  return controller
}

const prefix = 'The update failed for all features since the following feature had an error: '

/** Updates that Apache Kafka 4.4 refuses in the same words (but for the levels that are offered here). */
const refusals: readonly (readonly [Update, string])[] = [
  [
    ['metadata.version', 33, 0],
    'Invalid update version 33 for feature metadata.version. The controller does not support the given upgrade type.',
  ],
  [
    ['metadata.version', -1, UPGRADE],
    'Invalid update version -1 for feature metadata.version. A feature version cannot be less than 0.',
  ],
  [
    ['nope', 1, UPGRADE],
    'Invalid update version 1 for feature nope. Local controller 1 does not support this feature.',
  ],
  [['nope', 0, SAFE], 'Invalid update version 0 for feature nope. Feature nope not found.'],
  [
    ['metadata.version', 34, UPGRADE],
    'Invalid update version 34 for feature metadata.version. Local controller 1 only supports versions 7-33',
  ],
  [
    ['metadata.version', 6, SAFE],
    'Invalid update version 6 for feature metadata.version. Local controller 1 only supports versions 7-33',
  ],
  [
    ['metadata.version', 32, UPGRADE],
    "Invalid update version 32 for feature metadata.version. Can't downgrade the version of this feature without " +
      'setting the upgrade type to either safe or unsafe downgrade.',
  ],
  [
    ['metadata.version', 32, SAFE],
    'Unsupported metadata.version downgrade from 33 to 32. Refusing to perform the requested downgrade because it might delete metadata information.',
  ],
  [
    ['metadata.version', 32, UNSAFE],
    'Unsupported metadata.version downgrade from 33 to 32. Unsafe metadata downgrade is not supported in this version.',
  ],
  [
    ['kraft.version', 1, SAFE],
    "Invalid update version 1 for feature kraft.version. Can't downgrade to a newer version.",
  ],
  [
    ['kraft.version', 2, UPGRADE],
    'Invalid update version 2 for feature kraft.version. Local controller 1 only supports versions 0-1',
  ],
]

for (const [update, message] of refusals) {
  test(`${JSON.stringify(update)} is refused as Kafka refuses it`, () => {
    const { records, response } = run(ready(), [['metadata.version', 33, UPGRADE], update])
    assert.deepEqual(records, [])
    assert.deepEqual(response.response, {
      throttleTimeMs: 0,
      errorCode: 95,
      errorMessage: prefix + message,
      results: [],
    })
  })
}

test('levels change, and the answer has a result for each', () => {
  const controller = ready({ metadataVersion: 31 })
  const { response } = run(controller, [
    ['metadata.version', 33, UPGRADE],
    ['eligible.leader.replicas.version', 0, SAFE],
  ])
  const result = (feature: string) => ({ feature, errorCode: 0, errorMessage: 'NONE' })
  assert.deepEqual(response.response, {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: null,
    results: [result('metadata.version'), result('eligible.leader.replicas.version')],
  })
  assert.equal(controller.image.features.metadataVersion, 33)
  assert.equal(controller.image.features.level('eligible.leader.replicas.version'), 0)
})

test('of a feature that is named twice the last level counts', () => {
  const { response } = run(ready({ metadataVersion: 31 }), [
    ['metadata.version', 99, UPGRADE],
    ['metadata.version', 33, UPGRADE],
  ])
  assert.deepEqual([response.response.errorCode, response.response.results?.length], [0, 2])
})

test('validate only writes nothing', () => {
  const controller = ready()
  assert.deepEqual(run(controller, [['eligible.leader.replicas.version', 0, SAFE]], true).records, [])
})

test('a downgrade that loses nothing is made', () => {
  const controller = ready({ metadataVersion: 31 })
  run(controller, [['metadata.version', 30, SAFE]])
  assert.equal(controller.image.features.metadataVersion, 30)
})

test('eligible leader replicas need metadata.version 23, set before or with them', () => {
  const update: Update = ['eligible.leader.replicas.version', 1, UPGRADE]
  const controller = ready({ metadataVersion: 22 })
  assert.equal(
    run(controller, [update]).response.response.errorMessage,
    `${prefix}Invalid update version 1 for feature eligible.leader.replicas.version. ` +
      'eligible.leader.replicas.version ' +
      'could not be set to 1 because it depends on metadata.version level 23',
  )
  assert.equal(run(controller, [update, ['metadata.version', 23, UPGRADE]]).response.response.errorCode, 0)
})

test('eligible leader replicas come with one min.insync.replicas for the whole cluster', () => {
  const controller = ready({ elr: 0, options: { 'min.insync.replicas': '3' } })
  controller.append([
    {
      type: 'ConfigRecord',
      version: 0,
      value: { resourceType: 4, resourceName: '1', name: 'min.insync.replicas', value: '2' },
    },
  ])
  run(controller, [['eligible.leader.replicas.version', 1, UPGRADE]])
  assert.deepEqual([...controller.image.configs.of(4, '1')], [])
  assert.equal(controller.image.configs.of(4, '').get('min.insync.replicas'), '2')
})

test('a level that a registered broker cannot work with is refused', () => {
  const controller = ready({ metadataVersion: 30 })
  controller.register(2, {
    features: [
      { name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 31 },
      { name: 'eligible.leader.replicas.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
    ],
  })
  assert.equal(
    run(controller, [['metadata.version', 32, UPGRADE]]).response.response.errorMessage,
    `${prefix}Invalid update version 32 for feature metadata.version. Broker 2 only supports versions 7-31`,
  )
})

test('kraft.version is left to the quorum', () => {
  const controller = ready()
  const { records, response } = run(controller, [['kraft.version', 1, UPGRADE]])
  assert.deepEqual([records, response.newKRaftVersion], [[], 1])
  assert.equal(run(controller, [['kraft.version', 1, UPGRADE]], true).response.newKRaftVersion, 1)
})
