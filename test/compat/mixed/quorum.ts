import assert from 'node:assert/strict'
import { IncrementalAlterConfigs } from '#protocol/messages/incremental-alter-configs.js'
import { askAddress } from '../../support/cluster-client.js'
import { eventually } from '../suite.js'
import type { Tools } from '../suites/tools/tools.js'
import { directoryIdOf, type Kind, type MixedNode } from './node.js'
import { type Room, SETTLE_MS } from './room.js'

/** An election between two others is a matter of chance: so often the leader is stopped at most. */
const MOVES_MAX = 20
const TOPIC_RESOURCE = 2
const SET = 0
/** So many changes of one record each are enough for a snapshot. */
const CHANGES = 60

/** Stops leaders of the metadata quorum until one of this kind leads that is not the node given. */
export async function moveQuorumLeader(room: Room, kind: Kind, not: MixedNode): Promise<void> {
  await moveQuorumLeaderUntil(room, leader => leader.kind === kind && leader !== not)
}

/** Stops leaders of the metadata quorum, in order or not, until one leads that is right. */
export async function moveQuorumLeaderUntil(room: Room, isRight: (leader: MixedNode) => boolean): Promise<MixedNode> {
  for (let moves = 0; moves < MOVES_MAX; moves++) {
    const leader = await room.quorumLeader()
    if (isRight(leader)) return leader
    // One that stops names its successor, and may name the same each time; of one that is killed chance elects it.
    await (moves % 2 === 0 ? leader.stop() : leader.kill())
    const next = await room.quorumLeader()
    assert.notEqual(next.id, leader.id)
    await leader.start()
  }
  throw new Error(`no right node came to lead the quorum in ${MOVES_MAX} elections`)
}

/** Changes the configuration of a topic many times. */
export async function changeMetadata(room: Room): Promise<void> {
  for (let change = 0; change < CHANGES; change++) {
    const configs = [{ name: 'retention.ms', configOperation: SET, value: String(1_000_000_000 + change) }]
    const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: 'placed', configs }]
    const [broker] = room.brokers.filter(node => node.isRunning)
    const answer = await askAddress(broker!.address, IncrementalAlterConfigs, { resources, validateOnly: false })
    assert.equal(answer.responses[0]?.errorCode, 0, JSON.stringify(answer))
  }
}

/** In a dynamic quorum a controller with a new directory is another one: the old one leaves, the new one joins. */
export async function replaceVoter(tools: Tools, room: Room, node: MixedNode): Promise<void> {
  const { quorum } = room.plan
  if (quorum.kind === 'static' || !quorum.voters.includes(node.id)) return
  const gone = ['--controller-id', String(node.id), '--controller-directory-id', directoryIdOf(node.id)]
  await tools.succeed('metadata-quorum', ['remove-controller', ...gone])
  await eventually(async () => {
    await tools.succeed('metadata-quorum', ['--command-config', node.properties, 'add-controller'])
  }, SETTLE_MS)
  const status = await tools.succeed('metadata-quorum', ['describe', '--status'])
  const voters = JSON.parse(/CurrentVoters:\s+(\[.*\])/.exec(status)?.[1] ?? '[]') as Voter[]
  const now = voters.find(({ id }) => id === node.id)
  assert.ok(now !== undefined && now.directoryId !== directoryIdOf(node.id), status)
}

interface Voter {
  readonly id: number
  readonly directoryId: string
}
