import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changePartition, type Election, type PartitionTarget } from '#src/controller/partition-change.js'
import type { PartitionImage } from '#src/metadata/image.js'
import { NO_PARTITION_CHANGE, type PartitionChange } from '#src/metadata/partition-state.js'

const directory = (broker: number): string => `d${broker}`

function partition(changes: Partial<PartitionImage> = {}): PartitionImage {
  const replicas = changes.replicas ?? [1, 2, 3]
  return {
    replicas,
    directories: replicas.map(directory),
    isr: replicas,
    removingReplicas: [],
    addingReplicas: [],
    elr: [],
    lastKnownElr: [],
    leader: 1,
    leaderRecoveryState: 0,
    leaderEpoch: 5,
    partitionEpoch: 9,
    ...changes,
  }
}

interface Case {
  readonly name: string
  readonly before?: Partial<PartitionImage>
  readonly target?: PartitionTarget
  readonly election?: Election
  readonly alive?: readonly number[]
  readonly minIsr?: number
  readonly elr?: boolean
  readonly metadataVersion?: number
  readonly unclean?: readonly number[]
  /** null: no record. */
  readonly change: Partial<PartitionChange> | null
}

const cases: readonly Case[] = [
  { name: 'nothing is to change', change: null },
  { name: 'the ISR shrinks', target: { isr: [1, 2] }, change: { isr: [1, 2] } },
  { name: 'the ISR grows', before: { isr: [1, 2] }, target: { isr: [1, 2, 3] }, change: { isr: [1, 2, 3] } },
  {
    name: 'the ISR shrinks in an old metadata.version: the leader begins anew',
    target: { isr: [1, 2] },
    metadataVersion: 11,
    elr: false,
    change: { isr: [1, 2], leader: 1 },
  },
  {
    name: 'the leader dies: the first in sync leads',
    target: { isr: [2, 3] },
    alive: [2, 3],
    change: { isr: [2, 3], leader: 2 },
  },
  {
    name: 'the leader dies, the next one too',
    target: { isr: [2, 3] },
    alive: [3],
    change: { isr: [2, 3], leader: 3 },
  },
  { name: 'the preferred leader is back', before: { leader: 2 }, election: 'preferred', change: { leader: 1 } },
  {
    name: 'the preferred leader is not in sync',
    before: { leader: 2, isr: [2, 3] },
    election: 'preferred',
    change: null,
  },
  {
    name: 'the ISR falls below min.insync.replicas: who leaves it stays eligible',
    target: { isr: [1] },
    minIsr: 2,
    change: { isr: [1], eligibleLeaderReplicas: [2, 3] },
  },
  {
    name: 'who stopped uncleanly is not eligible',
    target: { isr: [1] },
    minIsr: 2,
    unclean: [3],
    change: { isr: [1], eligibleLeaderReplicas: [2] },
  },
  {
    name: 'the ISR is large enough again: nobody is eligible any more',
    before: { isr: [1], elr: [2, 3] },
    target: { isr: [1, 3] },
    minIsr: 2,
    change: { isr: [1, 3], eligibleLeaderReplicas: [] },
  },
  {
    name: 'the last one leaves: nobody leads, and it is remembered',
    before: { isr: [1], elr: [2] },
    target: { isr: [] },
    alive: [],
    minIsr: 2,
    change: { isr: [], leader: -1, eligibleLeaderReplicas: [1, 2], lastKnownElr: [1] },
  },
  {
    name: 'the last replica in sync goes, whose directory had failed and which did not lead any more: it is remembered',
    before: { isr: [2], leader: -1 },
    target: { isr: [] },
    alive: [],
    minIsr: 2,
    change: { isr: [], eligibleLeaderReplicas: [2], lastKnownElr: [2] },
  },
  {
    name: 'an eligible one comes back: it leads, and lost nothing',
    before: { isr: [], elr: [1, 2], leader: -1, lastKnownElr: [1] },
    alive: [2],
    minIsr: 2,
    change: { isr: [2], leader: 2, eligibleLeaderReplicas: [1], lastKnownElr: [] },
  },
  {
    name: 'nobody is eligible, the last leader comes back: it leads and recovers',
    before: { isr: [], elr: [], leader: -1, lastKnownElr: [3] },
    alive: [2, 3],
    minIsr: 2,
    change: { isr: [3], leader: 3, leaderRecoveryState: 1, lastKnownElr: [] },
  },
  {
    name: 'nobody is eligible, the last leader is dead',
    before: { isr: [], elr: [], leader: -1, lastKnownElr: [3] },
    alive: [1, 2],
    minIsr: 2,
    change: null,
  },
  {
    name: 'nobody is eligible, and the topic rather loses records: anyone who lives',
    before: { isr: [], elr: [3], leader: -1, lastKnownElr: [3] },
    alive: [2],
    minIsr: 2,
    election: 'unclean',
    change: { isr: [2], leader: 2, leaderRecoveryState: 1, eligibleLeaderReplicas: [], lastKnownElr: [] },
  },
  {
    name: 'without eligible leader replicas the last one stays in the ISR',
    before: { isr: [1] },
    target: { isr: [] },
    alive: [],
    elr: false,
    change: { leader: -1 },
  },
  {
    name: 'without them an unclean leader is any that lives',
    before: { isr: [1], leader: -1 },
    alive: [3],
    elr: false,
    election: 'unclean',
    change: { isr: [3], leader: 3, leaderRecoveryState: 1 },
  },
  {
    name: 'a reassignment begins',
    before: { replicas: [1, 2] },
    target: { replicas: [2, 3, 1], addingReplicas: [3], removingReplicas: [1] },
    change: { replicas: [2, 3, 1], addingReplicas: [3], removingReplicas: [1], directories: ['d2', 'd3', 'd1'] },
  },
  {
    name: 'a reassignment is complete when the new one is in sync: the old leader goes',
    before: { replicas: [2, 3, 1], isr: [1, 2], addingReplicas: [3], removingReplicas: [1] },
    target: { isr: [1, 2, 3] },
    change: {
      replicas: [2, 3],
      isr: [2, 3],
      leader: 2,
      addingReplicas: [],
      removingReplicas: [],
      directories: ['d2', 'd3'],
    },
  },
  {
    name: 'a replica that does not lead goes: the leader begins anew all the same',
    before: { replicas: [1, 2, 3], isr: [1, 2, 3], removingReplicas: [3] },
    target: { isr: [1, 2, 3] },
    change: { replicas: [1, 2], isr: [1, 2], leader: 1, removingReplicas: [], directories: ['d1', 'd2'] },
  },
  {
    name: 'a shrinking reassignment waits until all that remain are in sync',
    before: { replicas: [1, 2, 3], isr: [1, 3], removingReplicas: [3] },
    target: { isr: [1, 3] },
    change: null,
  },
  {
    name: 'the leader has recovered',
    before: { leaderRecoveryState: 1 },
    target: { leaderRecoveryState: 0 },
    change: { leaderRecoveryState: 0 },
  },
  {
    name: 'a replica is in another directory',
    target: { directories: new Map([[2, 'elsewhere']]) },
    change: { directories: ['d1', 'elsewhere', 'd3'] },
  },
]

for (const { name, before, target = {}, change, alive = [1, 2, 3], ...rest } of cases) {
  test(name, () => {
    const metadataVersion = rest.metadataVersion ?? 33
    const record = changePartition({
      topicId: 'id',
      partitionId: 4,
      partition: partition(before),
      target,
      election: rest.election ?? 'online',
      isAcceptableLeader: replica => alive.includes(replica),
      defaultDirectory: directory,
      metadataVersion,
      minIsr: rest.minIsr ?? 1,
      elrEnabled: rest.elr ?? true,
      ...(rest.unclean === undefined ? {} : { uncleanShutdownReplicas: rest.unclean }),
    })
    const value = { topicId: 'id', partitionId: 4, ...NO_PARTITION_CHANGE, ...change }
    const version = metadataVersion >= 23 ? 2 : 0
    assert.deepEqual(record, change === null ? null : { type: 'PartitionChangeRecord', version, value })
  })
}
