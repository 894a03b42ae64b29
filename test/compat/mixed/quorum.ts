import assert from 'node:assert/strict'
import { IncrementalAlterConfigs } from '#protocol/messages/incremental-alter-configs.js'
import { askAddress } from '../../support/cluster-client.js'
import { eventually } from '../suite.js'
import type { Tools } from '../suites/tools/tools.js'
import { directoryIdOf, type MixedNode } from './node.js'
import { type Room, SETTLE_MS } from './room.js'

const TOPIC_RESOURCE = 2
const SET = 0
/** So many changes of one record each are enough for a snapshot. */
const CHANGES = 60
/** The answer that a follower has asked for before it is frozen brings it some of these changes, but never the last. */
const UNSEEN_CHANGES = 4

/**
 * Ends the node that leads the metadata quorum, unless it is right there already, starts it again when another one
 * leads, and returns that one. Chance elects it only where every other controller is right.
 */
export async function moveQuorumLeader(room: Room, isRight: (leader: MixedNode) => boolean): Promise<MixedNode> {
  const leader = await room.quorumLeader()
  if (isRight(leader)) return leader
  const others = room.controllers.filter(node => node.isRunning && node !== leader)
  const wrong = others.filter(node => !isRight(node))
  assert.ok(wrong.length < others.length, 'no controller but the leader is right to lead')
  await (wrong.length === 0 ? leader.stop() : killWithout(leader, wrong))
  const next = await room.quorumLeader()
  assert.ok(isRight(next), `${next.name} leads the quorum after ${leader.name}`)
  await leader.start()
  return next
}

/**
 * Kills the leader of the quorum when it has committed records that some voters, held meanwhile, did not get. The others
 * refuse these their vote, and must be given theirs.
 */
async function killWithout(leader: MixedNode, behind: readonly MixedNode[]): Promise<void> {
  // A broker would hand these on to whoever led when it last had something to hand on: maybe to one of those held.
  const commit = (count: number) => changeRetention(leader.controllerAddress, count)
  // Who leads the quorum becomes the active controller a moment later.
  await eventually(() => commit(1), SETTLE_MS)
  for (const node of behind) node.freeze()
  try {
    await commit(UNSEEN_CHANGES)
    await leader.kill()
  } finally {
    for (const node of behind) node.thaw()
  }
}

/** Changes the configuration of a topic many times. */
export async function changeMetadata(room: Room): Promise<void> {
  const broker = room.brokers.find(node => node.isRunning)
  await changeRetention(broker!.address, CHANGES)
}

/** Commits so many records to the metadata log, one after the other, through a broker or a controller. */
async function changeRetention(address: string, count: number): Promise<void> {
  for (let change = 0; change < count; change++) {
    const configs = [{ name: 'retention.ms', configOperation: SET, value: String(1_000_000_000 + change) }]
    const resources = [{ resourceType: TOPIC_RESOURCE, resourceName: 'placed', configs }]
    const answer = await askAddress(address, IncrementalAlterConfigs, { resources, validateOnly: false })
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
