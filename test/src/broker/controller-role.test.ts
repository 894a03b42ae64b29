import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ControllerRole, type ControllerRoleParts } from '#src/broker/controller-role.js'
import { processHeartbeat } from '#src/controller/broker-heartbeat.js'
import { registerBroker } from '#src/controller/register-broker.js'
import { MetadataPublisher } from '#src/metadata/publisher.js'
import type { LeaderAndEpoch } from '#src/raft/metadata-log.js'
import { silentLogger } from '#src/testing/silent-logger.js'
import { SeededRandom } from '../../support/random.js'
import { CLUSTER_ID, MemoryMetadataLog, nodeConfig, registration, settled, TestClock } from '../controller/support.js'

/** The controller of node 1, on a log in memory: it follows whom `heard` names. */
function begin() {
  const clock = new TestClock()
  const log = new MemoryMetadataLog()
  const publisher = new MetadataPublisher(fault => {
    throw fault
  })
  const quorum = Object.assign(log, {
    kraftVersion: 0,
    lastHeardLeader: null as { readonly nodeId: number; readonly at: number } | null,
  })
  const role = new ControllerRole({
    config: nodeConfig({ 'min.insync.replicas': '1', 'dead.process.detection.enable': 'false' }),
    ports: { clock, random: new SeededRandom(1), logger: silentLogger },
    clusterId: CLUSTER_ID,
    quorum,
    publisher,
  } as unknown as ControllerRoleParts)
  log.register(publisher)
  log.register(role.driver)
  const onLeaderChange = (leader: LeaderAndEpoch): void => role.controllerChanged(leader)
  log.register({ onSnapshot: () => {}, onCommitted: () => {}, onLeaderChange })
  const isFenced = (id: number): boolean => publisher.image.cluster.broker(id)!.fenced
  return { clock, log, quorum, role, isFenced }
}

test('who led long ago is not taken for silent when this node, which has led since, leads again', async () => {
  const { clock, log, quorum, role, isFenced } = begin()
  quorum.lastHeardLeader = { nodeId: 2, at: 0 }
  await clock.advance(1000)
  log.lead(1)
  await settled()
  const { brokerEpoch } = await role.driver.run(registerBroker(registration(2), false))
  const heartbeat = () =>
    role.driver.run(
      processHeartbeat({
        brokerId: 2,
        brokerEpoch: brokerEpoch!,
        currentMetadataOffset: 1000,
        wantFence: false,
        wantShutDown: false,
        offlineLogDirs: [],
        cordonedLogDirs: [],
      }),
    )
  for (let i = 0; i < 10; i++) {
    await heartbeat()
    await clock.advance(2000)
  }
  assert.equal(isFenced(2), false)
  log.lead(1)
  await settled()
  await clock.advance(1000)
  assert.equal(isFenced(2), false)
})

test('a broker beside the controller of before is fenced when it was heard last for a session ago', async () => {
  const { clock, log, quorum, role, isFenced } = begin()
  log.lead(1)
  await settled()
  const { brokerEpoch } = await role.driver.run(registerBroker(registration(2), false))
  const state = { wantFence: false, wantShutDown: false, offlineLogDirs: [], cordonedLogDirs: [] }
  const at = { brokerId: 2, brokerEpoch: brokerEpoch!, currentMetadataOffset: 1000 }
  await role.driver.run(processHeartbeat({ ...at, ...state }))
  log.lead(2)
  quorum.lastHeardLeader = { nodeId: 2, at: clock.now() }
  await clock.advance(8000)
  log.lead(1)
  await settled()
  assert.equal(isFenced(2), false)
  await clock.advance(1100)
  assert.equal(isFenced(2), true)
})
