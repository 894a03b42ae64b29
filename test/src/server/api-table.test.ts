import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import { Heartbeat } from '#protocol/messages/heartbeat.js'
import { InitProducerId } from '#protocol/messages/init-producer-id.js'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { Produce } from '#protocol/messages/produce.js'
import { handler } from '#src/handlers/handler.js'
import { rawHandler } from '#src/handlers/raw-handler.js'
import { advertisedApis, type ServicesOf, servedApis } from '#src/server/api-table.js'

const heartbeat = handler(Heartbeat, (_: { readonly groups: number }) => ({ errorCode: 0 }))
const apiVersions = handler(ApiVersions, (_: { readonly versions: string }) => ({ errorCode: 0, apiKeys: [] }))
const initProducerId = handler(InitProducerId, (_: { readonly ids: boolean }) => ({ errorCode: 0, producerEpoch: 0 }))
const produce = rawHandler<{ readonly logs: bigint }>(Produce, 'free', () => {})

const table = [heartbeat, produce, initProducerId, apiVersions] as const

/** Fails to compile unless the services of a table are those of all its handlers. */
const services: ServicesOf<typeof table> = { groups: 1, versions: '', ids: true, logs: 1n }

test('the versions that are advertised come from the table: in order, Produce from 0, no unstable ones unless wanted', () => {
  assert.ok(services)
  const stable = advertisedApis<never>(table, { unstableVersions: false })
  assert.deepEqual(
    stable.map(({ apiKey, minVersion, maxVersion }) => [apiKey, minVersion, maxVersion]),
    [
      [0, 0, 13],
      [12, 0, 4],
      [18, 0, 5],
      [22, 0, 5],
    ],
  )
  const unstable = advertisedApis<never>(table, { unstableVersions: true })
  assert.equal(unstable.find(({ apiKey }) => apiKey === 22)!.maxVersion, 6)
})

test('what is served is what is advertised, but Produce only from 3', () => {
  const served = servedApis<never>(table as never, 'broker', false)
  assert.equal(served[0]!.versionMin, 3)
  assert.equal(served[22]!.versionMax, 5)
  assert.equal(served[12]!.flexibleFrom, 4)
  assert.equal(served[1], undefined)
})

test('a request with bytes in it is known by its schema', () => {
  const joinGroup = handler(JoinGroup, () => ({
    errorCode: 0,
    protocolName: null,
    leader: '',
    memberId: '',
    members: [],
  }))
  const served = servedApis<never>([joinGroup, ...table] as never, 'broker', false)
  assert.equal(served[11]!.hasByteFields, true)
  assert.equal(served[12]!.hasByteFields, false)
})
