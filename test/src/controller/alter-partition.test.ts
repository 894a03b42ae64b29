import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alterPartition } from '#src/controller/alter-partition.js'
import { createTopics } from '#src/controller/create-topics.js'
import { alterPartitionReassignments } from '#src/controller/reassignment.js'
import { TestController } from './support.js'

/** Topic t on brokers 1 (leader), 2 and 3. */
function ready(): TestController {
  const controller = new TestController()
  controller.addBrokers(1, 2, 3)
  const assignments = [{ partitionIndex: 0, brokerIds: [1, 2, 3] }]
  const topics = [{ name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs: [] }]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  return controller
}

interface Proposal {
  readonly from?: number
  readonly isr?: readonly number[]
  readonly epochs?: readonly number[]
  readonly topicId?: string
  readonly partitionIndex?: number
  readonly leaderEpoch?: number
  readonly partitionEpoch?: number
  readonly leaderRecoveryState?: number
  readonly apiVersion?: number
}

function propose(controller: TestController, proposal: Proposal) {
  const { cluster, topics } = controller.image
  const current = topics.partition('t', 0)!
  const { from = 1, isr = [1, 2], apiVersion = 3, leaderRecoveryState = 0, partitionIndex = 0 } = proposal
  const epochOf = (id: number) => cluster.broker(id)?.epoch ?? -1
  const { response } = controller.run(
    alterPartition(
      {
        brokerId: from,
        brokerEpoch: epochOf(from),
        topics: [
          {
            topicId: proposal.topicId ?? topics.byName('t')!.id,
            partitions: [
              {
                partitionIndex,
                leaderEpoch: proposal.leaderEpoch ?? current.leaderEpoch,
                partitionEpoch: proposal.partitionEpoch ?? current.partitionEpoch,
                newIsr: apiVersion < 3 ? [...isr] : [],
                newIsrWithEpochs:
                  apiVersion < 3
                    ? []
                    : isr.map((brokerId, i) => ({ brokerId, brokerEpoch: proposal.epochs?.[i] ?? epochOf(brokerId) })),
                leaderRecoveryState,
              },
            ],
          },
        ],
      },
      apiVersion,
    ),
  )
  return response.topics![0]!.partitions[0]!
}

test('the leader shrinks and expands the ISR', () => {
  const controller = ready()
  for (const [isr, partitionEpoch, apiVersion] of [
    [[1, 2], 1, 3],
    [[1], 2, 2],
    [[1, 2, 3], 3, 3],
  ] as const) {
    const expected = { partitionIndex: 0, errorCode: 0, leaderId: 1, leaderEpoch: 0, isr, leaderRecoveryState: 0 }
    assert.deepEqual(propose(controller, { isr, apiVersion }), { ...expected, partitionEpoch })
  }
})

const refusals: readonly (readonly [string, Proposal, number])[] = [
  ['an unknown topic', { topicId: 'AAAAAAAAAAAAAAAAAAAABA' }, 100],
  ['an unknown partition', { partitionIndex: 7 }, 3],
  ['a leader epoch of the future', { leaderEpoch: 1 }, 41],
  ['a partition epoch of the future', { partitionEpoch: 1 }, 41],
  ['an old leader epoch', { leaderEpoch: -1 }, 74],
  ['a broker that does not lead', { from: 2 }, 42],
  ['an old partition epoch', { partitionEpoch: -1 }, 95],
  ['an empty ISR', { isr: [] }, 42],
  ['a member twice', { isr: [1, 1] }, 42],
  ['a member that is no replica', { isr: [1, 9] }, 42],
  ['an ISR without the leader', { isr: [2] }, 42],
  ['an unknown recovery state', { leaderRecoveryState: 2 }, 42],
  ['a leader that recovers again', { isr: [1], leaderRecoveryState: 1 }, 42],
  ['a member with an old epoch', { isr: [1, 2], epochs: [-1, 0] }, 107],
]

for (const [what, proposal, code] of refusals) {
  test(`${what} is refused with ${code}`, () => {
    const controller = ready()
    const before = controller.log.length
    assert.equal(propose(controller, proposal).errorCode, code)
    assert.equal(controller.log.length, before)
  })
}

test('a fenced broker and one that stops cannot join', () => {
  const controller = ready()
  controller.heartbeat(2, { wantFence: true })
  assert.equal(propose(controller, { isr: [1, 2] }).errorCode, 107)
  controller.heartbeat(3, { wantShutDown: true })
  assert.equal(propose(controller, { isr: [1, 3] }).errorCode, 107)
})

test('an old broker epoch is stale for the whole request', () => {
  const controller = ready()
  const topics = [{ topicId: controller.image.topics.byName('t')!.id, partitions: [] }]
  const request = { brokerId: 1, brokerEpoch: 0, topics }
  assert.throws(() => controller.run(alterPartition(request, 3)), { code: 77 })
  assert.deepEqual(controller.run(alterPartition({ ...request, topics: [] }, 3)).records, [])
})

test('completing a reassignment may cost the leader its leadership, which it is told', () => {
  const controller = ready()
  controller.addBrokers(4)
  const partitions = [{ partitionIndex: 0, replicas: [2, 3, 4] }]
  const request = { timeoutMs: 1, allowReplicationFactorChange: true, topics: [{ name: 't', partitions }] }
  controller.run(alterPartitionReassignments(request))
  const { replicas, addingReplicas, removingReplicas } = controller.image.topics.partition('t', 0)!
  assert.deepEqual(
    { replicas, addingReplicas, removingReplicas },
    {
      replicas: [2, 3, 4, 1],
      addingReplicas: [4],
      removingReplicas: [1],
    },
  )
  assert.equal(propose(controller, { isr: [1, 2, 3, 4] }).errorCode, 108)
  const after = controller.image.topics.partition('t', 0)!
  assert.deepEqual([after.replicas, after.isr, after.leader, after.leaderEpoch], [[2, 3, 4], [2, 3, 4], 2, 1])
})

test('a second proposal for a partition in one request comes too late', () => {
  const controller = ready()
  const { cluster, topics } = controller.image
  const members = (...ids: readonly number[]) => {
    return ids.map(brokerId => ({ brokerId, brokerEpoch: cluster.broker(brokerId)!.epoch }))
  }
  const base = { partitionIndex: 0, leaderEpoch: 0, partitionEpoch: 0, newIsr: [], leaderRecoveryState: 0 }
  const partitions = [
    { ...base, newIsrWithEpochs: members(1, 2) },
    { ...base, newIsrWithEpochs: members(1, 3) },
  ]
  const request = { brokerId: 1, brokerEpoch: cluster.broker(1)!.epoch }
  const asked = { ...request, topics: [{ topicId: topics.byName('t')!.id, partitions }] }
  const { response, records } = controller.run(alterPartition(asked, 3))
  const errors = response.topics![0]!.partitions.map(({ errorCode }) => errorCode)
  assert.deepEqual([errors, records.length, topics.partition('t', 0)!.isr], [[0, 95], 1, [1, 2]])
})
