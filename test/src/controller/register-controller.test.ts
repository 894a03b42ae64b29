import assert from 'node:assert/strict'
import { test } from 'node:test'
import { registerController, unregisterController } from '#src/controller/register-controller.js'
import { TestController } from './support.js'

const request = {
  controllerId: 2,
  incarnationId: 'AAAAAAAAAAAAAAAAAAAABA',
  zkMigrationReady: false,
  listeners: [{ name: 'CONTROLLER', host: 'h', port: 9093, securityProtocol: 0 }],
  features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 33 }],
}

test('a controller registers where it is and what it can do', () => {
  const controller = new TestController()
  const { response } = controller.run(registerController(request))
  assert.deepEqual(response, { throttleTimeMs: 0, errorCode: 0, errorMessage: '' })
  assert.deepEqual(controller.image.cluster.controllers.get(2), {
    id: 2,
    incarnationId: request.incarnationId,
    zkMigrationReady: false,
    endpoints: request.listeners,
    features: request.features,
  })
})

test('an old metadata.version has no place for it', () => {
  const controller = new TestController({ metadataVersion: 14 })
  const message = 'The version of API is not supported.'
  assert.throws(() => controller.run(registerController(request)), { code: 35, message })
})

test('a controller that will not come back is forgotten, but not the active one', () => {
  const controller = new TestController()
  controller.run(registerController(request))
  controller.run(unregisterController(2))
  assert.equal(controller.image.cluster.controllers.size, 0)
  const unknown = { code: 136, message: 'Controller ID 2 is not currently registered.' }
  assert.throws(() => controller.run(unregisterController(2)), unknown)
  const active = { code: 42, message: 'Controller cannot unregister itself while it is active.' }
  assert.throws(() => controller.run(unregisterController(1)), active)
  const old = new TestController({ metadataVersion: 32 })
  assert.throws(() => old.run(unregisterController(2)), { code: 35 })
})
