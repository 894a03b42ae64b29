import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReplicaPlacement } from '#src/controller/replica-placement.js'
import type { BrokerRegistration, ClusterImage } from '#src/metadata/image.js'
import { SeededRandom } from '../../support/random.js'

function cluster(brokers: readonly Partial<BrokerRegistration>[]): ClusterImage {
  const all = brokers.map(broker => ({
    epoch: 1,
    incarnationId: '',
    endpoints: [],
    features: [],
    rack: null,
    fenced: false,
    inControlledShutdown: false,
    isMigratingZkBroker: false,
    directories: ['d'],
    cordonedDirectories: [],
    ...broker,
    id: broker.id!,
  }))
  const map = new Map(all.map(broker => [broker.id, broker]))
  return { brokers: map, controllers: new Map(), broker: id => map.get(id) }
}

const placement = (brokers: readonly Partial<BrokerRegistration>[], seed = 1) =>
  new ReplicaPlacement(cluster(brokers), new SeededRandom(seed))

test('too few brokers are told as Kafka tells it', () => {
  const message = (place: () => unknown): string => {
    try {
      place()
    } catch (error) {
      assert.equal((error as { code: number }).code, 38)
      return (error as Error).message
    }
    return 'placed'
  }
  const fenced = 'All brokers are currently fenced, or have all their log directories cordoned.'
  assert.equal(
    message(() => placement([]).place(1, 1)),
    fenced,
  )
  assert.equal(
    message(() => placement([{ id: 1, fenced: true }]).place(1, 1)),
    fenced,
  )
  assert.equal(
    message(() => placement([{ id: 1, cordonedDirectories: ['d'] }]).place(1, 1)),
    fenced,
  )
  assert.equal(
    message(() => placement([{ id: 1, inControlledShutdown: true }]).place(1, 1)),
    fenced,
  )
  assert.equal(
    message(() => placement([{ id: 1 }]).place(1, 2)),
    'The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.',
  )
  assert.equal(
    message(() => placement([{ id: 1 }]).place(1, 0)),
    'Invalid replication factor 0: the replication factor must be positive.',
  )
  assert.equal(
    message(() => placement([{ id: 1 }, { id: 2, fenced: true }]).place(1, 2)),
    'placed',
  )
})

test('replicas are on different brokers, spread over racks, the first one unfenced', () => {
  const seed = Number(process.env.SEED ?? 1)
  const random = new SeededRandom(seed)
  for (let round = 0; round < 200; round++) {
    const racks = 1 + random.below(4)
    const brokers = Array.from({ length: 1 + random.below(9) }, (_, id) => ({
      id,
      rack: `r${random.below(racks)}`,
      fenced: random.below(4) === 0,
    }))
    if (brokers.every(broker => broker.fenced)) continue
    const factor = 1 + random.below(brokers.length)
    const rackCount = new Set(brokers.map(broker => broker.rack)).size
    for (const replicas of placement(brokers, random.below(1000)).place(20, factor)) {
      const context = `seed ${seed}, round ${round}: ${JSON.stringify(brokers)} -> ${replicas}`
      assert.equal(new Set(replicas).size, factor, context)
      assert.equal(brokers[replicas[0]!]!.fenced, false, context)
      const used = new Set(replicas.map(id => brokers[id]!.rack)).size
      assert.ok(used >= Math.min(factor, rackCount), context)
    }
  }
})

test('leaders and replicas are spread evenly over equal brokers', () => {
  const brokers = [1, 2, 3, 4, 5, 6].map(id => ({ id, rack: `r${id % 3}` }))
  const placements = placement(brokers).place(600, 3)
  for (const { id } of brokers) {
    assert.equal(placements.filter(replicas => replicas[0] === id).length, 100)
    const held = placements.filter(replicas => replicas.includes(id)).length
    assert.ok(held > 270 && held < 330, `broker ${id} holds ${held}`)
  }
})
