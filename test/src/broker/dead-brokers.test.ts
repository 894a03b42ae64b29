import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeadBrokers } from '#src/broker/dead-brokers.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import { AnsweringNetwork } from '../../support/answering-network.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { VirtualClock } from '../../support/virtual-clock.js'
import { record } from '../metadata/examples.js'

/** A controller beside broker 1, and two brokers on ports 9002 and 9003. */
function begin() {
  const clock = new VirtualClock()
  const network = new AnsweringNetwork()
  const image = new MetadataState()
  const fenced: string[] = []
  const world = { isFencing: true }
  const register = (brokerId: number, brokerEpoch: number, isFenced = false): void => {
    const port = 9000 + brokerId
    const endPoints = [{ name: 'PLAINTEXT', host: 'node', port, securityProtocol: 0 }]
    const incarnationId = Buffer.from(`${brokerId}-${brokerEpoch}`.padEnd(16)).toString('base64url')
    const broker = { brokerId, brokerEpoch, incarnationId, endPoints, fenced: isFenced }
    const rest = { isMigratingZkBroker: false, features: [], rack: null, inControlledShutdown: false, logDirs: [] }
    image.replay(record('RegisterBrokerRecord', { ...broker, ...rest, cordonedLogDirs: null }, 4))
    if (brokerId !== 1) network.serve(port)
  }
  for (const id of [1, 2, 3]) register(id, 10 * id)
  const watch = new DeadBrokers({
    network,
    clock,
    logger: keepingLogger(),
    image: () => image,
    fence: async (brokerId, brokerEpoch, silentSince) => {
      if (!world.isFencing) return false
      fenced.push(silentSince === undefined ? `${brokerId}/${brokerEpoch}` : `${brokerId}/${brokerEpoch} silent`)
      if (silentSince === undefined) register(brokerId, brokerEpoch, true)
      return true
    },
    localId: 1,
  })
  let connections = 0
  /** A heartbeat on a connection of its own; returns what closes that. */
  const heartbeat = (brokerId: number, brokerEpoch: number): (() => void) => {
    let close = (): void => {}
    const onClose = (forget: () => void) => {
      close = forget
      return () => {
        close = () => {}
      }
    }
    watch.heard(brokerId, brokerEpoch, { connectionId: ++connections, onClose })
    return () => close()
  }
  return { clock, network, watch, fenced, world, heartbeat, register, image }
}

test('a broker whose connection closes and whose host refuses another is fenced at once', async () => {
  const { clock, network, fenced, heartbeat } = begin()
  const close = heartbeat(2, 20)
  network.stop(9002)
  close()
  await clock.settle()
  assert.deepEqual(fenced, ['2/20'])
})

test('a listener that closes after the connection is noticed a moment later', async () => {
  const { clock, network, fenced, heartbeat } = begin()
  heartbeat(2, 20)()
  await clock.advance(40)
  assert.deepEqual(fenced, [])
  network.stop(9002)
  await clock.advance(100)
  assert.deepEqual(fenced, ['2/20'])
})

test('a broker that only changes its connection is left alone', async () => {
  const { clock, network, fenced, heartbeat } = begin()
  const first = heartbeat(2, 20)
  heartbeat(2, 20)
  first()
  await clock.advance(3000)
  assert.deepEqual([fenced, network.connects], [[], []])
})

test('a new controller tries all that have not come to it, again and again, and not its own broker', async () => {
  const { clock, network, watch, fenced, heartbeat } = begin()
  network.stop(9002)
  heartbeat(3, 30)
  watch.controllerChanged(true)
  await clock.settle()
  assert.deepEqual([fenced, network.connects], [['2/20'], [9002]])
  await clock.advance(5000)
  assert.deepEqual([fenced, network.connects], [['2/20'], [9002]])
  watch.close()
  assert.equal(clock.timerCount, 0)
})

test('a controller that leads no more tries nobody', async () => {
  const { clock, network, watch } = begin()
  watch.controllerChanged(true)
  await clock.settle()
  watch.controllerChanged(false)
  const { length } = network.connects
  await clock.advance(10_000)
  assert.equal(network.connects.length, length)
})

test('a broker that has registered anew meanwhile is not fenced for the one before', async () => {
  const { clock, network, fenced, heartbeat, register } = begin()
  heartbeat(2, 20)()
  network.stop(9002)
  register(2, 40)
  await clock.advance(3000)
  assert.deepEqual(fenced, [])
})

test('another process may take the place of a broker without a connection, if that has been silent', async () => {
  const { watch, fenced, heartbeat, image } = begin()
  const close = heartbeat(2, 20)
  await watch.registering(2, 'another')
  assert.deepEqual(fenced, [])
  close()
  await watch.registering(2, 'another')
  assert.deepEqual(fenced, ['2/20 silent'])
  await watch.registering(2, image.cluster.broker(2)!.incarnationId)
  await watch.registering(9, 'new')
  assert.deepEqual(fenced, ['2/20 silent'])
})
