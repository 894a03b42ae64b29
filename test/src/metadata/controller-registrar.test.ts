import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import type { ControllerRegistrationRequest } from '#protocol/messages/controller-registration.js'
import { ControllerRegistrar, registrationFeatures } from '#src/metadata/controller-registrar.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { settled, TestClock } from '../controller/support.js'
import { record } from './examples.js'

function begin(metadataVersion = 33) {
  const clock = new TestClock()
  const state = new MetadataState()
  const sent: ControllerRegistrationRequest[] = []
  const world = { clock, state, sent, isRefused: false, errorCode: 0 }
  const logger = keepingLogger()
  const registrar = new ControllerRegistrar({
    controllerId: 1,
    incarnationId: 'mine',
    listeners: () => [{ name: 'CONTROLLER', host: 'h', port: 1, securityProtocol: 0 }],
    register: async request => {
      sent.push(request)
      if (world.isRefused) throw new Error('no controller')
      return { errorCode: world.errorCode, errorMessage: null }
    },
    clock,
    logger,
  })
  const publish = async () => {
    registrar.onMetadata(state.takeDelta(), state)
    await settled()
  }
  state.replay(record('FeatureLevelRecord', { name: 'metadata.version', featureLevel: metadataVersion }))
  return { ...world, world, logger, registrar, publish }
}

function registered(incarnationId: string) {
  return record('RegisterControllerRecord', {
    controllerId: 1,
    incarnationId,
    zkMigrationReady: false,
    endPoints: [],
    features: [],
  })
}

test('a controller registers once there is an image, and not again when it shows there', async () => {
  const { sent, publish, state, clock } = begin()
  await publish()
  assert.equal(sent.length, 1)
  assert.deepEqual([sent[0]!.controllerId, sent[0]!.incarnationId], [1, 'mine'])
  state.replay(registered('mine'))
  await publish()
  await clock.advance(1_000_000)
  assert.equal(sent.length, 1)
})

test('the registration of another process is replaced', async () => {
  const { sent, publish, state } = begin()
  state.replay(registered('old'))
  await publish()
  assert.equal(sent.length, 1)
})

test('a registration that fails is tried again, later and later, and at once for a new controller', async () => {
  const { sent, publish, clock, world, registrar } = begin()
  world.isRefused = true
  await publish()
  await clock.advance(100)
  await clock.advance(199)
  assert.equal(sent.length, 2)
  await clock.advance(1)
  assert.equal(sent.length, 3)
  registrar.controllerChanged()
  await settled()
  assert.equal(sent.length, 4)
  registrar.close()
  await clock.advance(1_000_000)
  assert.equal(sent.length, 4)
})

test('a metadata.version without controller registrations is left alone until it is raised', async () => {
  const { sent, publish, state } = begin(14)
  await publish()
  assert.equal(sent.length, 0)
  state.replay(record('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 15 }))
  await publish()
  assert.equal(sent.length, 1)
})

test('a node registers with room for what is finalized', () => {
  const state = new MetadataState()
  const range = () => registrationFeatures(state).find(feature => feature.name === 'group.version')!
  const { maxSupportedVersion } = range()
  state.replay(record('FeatureLevelRecord', { name: 'group.version', featureLevel: 1 }))
  assert.ok(range().maxSupportedVersion >= Math.max(1, maxSupportedVersion))
})

test('a registration that fails or is refused is a warning that says why', async () => {
  const failing = begin()
  failing.world.isRefused = true
  await failing.publish()
  assert.deepEqual(
    failing.logger.lines.map(({ level, message }) => [level, message]),
    [['warn', 'the registration of this controller failed and is tried again']],
  )
  const refused = begin()
  refused.world.errorCode = ErrorCode.UNSUPPORTED_VERSION
  await refused.publish()
  assert.deepEqual(refused.logger.lines[0]!.fields, { code: 'UNSUPPORTED_VERSION', errorMessage: null })
})
