import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MixedNode } from '../mixed/node.js'
import { SETTLE_MS } from '../mixed/room.js'
import { check, eventually } from '../suite.js'
import { rows } from '../suites/tools/tools.js'
import type { ToolRoom } from './checks.js'

/** metadata-quorum: describe, add-controller, remove-controller. */
export async function quorumChecks(checks: ToolRoom): Promise<void> {
  await check(checks, 'metadata-quorum: describe, through brokers and controllers', () => describe(checks))
  await check(checks, 'metadata-quorum: add-controller makes a fourth voter', () => add(checks))
  await check(checks, 'metadata-quorum: remove-controller takes a follower out', () =>
    remove(checks, checks.room.node(4)),
  )
  await check(checks, 'metadata-quorum: remove-controller takes the leader out, and add-controller takes it back', () =>
    removeLeader(checks),
  )
}

interface Voter {
  readonly id: number
  readonly directoryId: string | null
  readonly endpoints?: readonly string[]
}

async function voters({ controllerTools, tools }: ToolRoom): Promise<readonly Voter[]> {
  const told = (status: string) => JSON.parse(/CurrentVoters:\s+(\[.*\])/.exec(status)?.[1] ?? '[]') as Voter[]
  const atController = told(await controllerTools().succeed('metadata-quorum', ['describe', '--status']))
  assert.deepEqual(told(await tools().succeed('metadata-quorum', ['describe', '--status'])), atController)
  return atController.toSorted((a, b) => a.id - b.id)
}

/** The directory id of a node, from the file that it keeps it in. */
function directoryOf(node: MixedNode): string {
  const file = readFileSync(join(node.data, 'meta.properties'), 'utf8')
  return /^directory\.id=(.*)$/m.exec(file)?.[1] ?? ''
}

async function describe(checks: ToolRoom): Promise<void> {
  const { room, tools, controllerTools } = checks
  const leader = await room.quorumLeader()
  for (const through of [tools, controllerTools]) {
    const status = await through().succeed('metadata-quorum', ['describe', '--status'])
    assert.match(status, new RegExp(`^LeaderId:\\s+${leader.id}$`, 'm'))
    assert.match(status, /^MaxFollowerLag:\s+\d+$/m)
    assert.match(status, /^MaxFollowerLagTimeMs:\s+\d+$/m)
    const replication = await through().succeed('metadata-quorum', ['describe', '--replication', '--human-readable'])
    assert.match(replication, /ms ago/)
    const [, ...members] = rows(replication)
    assert.deepEqual(members.map(row => row.at(-1)).sort(), ['Follower', 'Follower', 'Leader'], replication)
  }
  const three = [1, 2, 3].map(id => room.node(id))
  const expected = three.map(node => ({
    id: node.id,
    directoryId: directoryOf(node),
    endpoints: [`CONTROLLER://${node.controllerAddress}`],
  }))
  assert.deepEqual(await voters(checks), expected)
}

async function add(checks: ToolRoom): Promise<void> {
  const { room, tools } = checks
  const node = room.node(4)
  await node.start()
  await eventually(async () => {
    const replication = await tools().succeed('metadata-quorum', ['describe', '--replication'])
    assert.match(replication, /^4\s.*Observer\s*$/m)
  }, SETTLE_MS)
  await addController(checks, node)
  const found = (await voters(checks)).find(({ id }) => id === 4)
  assert.deepEqual(found, {
    id: 4,
    directoryId: directoryOf(node),
    endpoints: [`CONTROLLER://${node.controllerAddress}`],
  })
  const again = ['--command-config', node.properties, 'add-controller']
  await tools().fail('metadata-quorum', again, /DuplicateVoter|already/)
}

/** A voter that has only just begun to fetch is refused until it has caught up. */
async function addController({ controllerTools }: ToolRoom, node: MixedNode): Promise<void> {
  await eventually(async () => {
    await controllerTools().succeed('metadata-quorum', ['--command-config', node.properties, 'add-controller'])
  }, SETTLE_MS)
}

async function remove(checks: ToolRoom, node: MixedNode): Promise<void> {
  const { tools } = checks
  const flags = ['--controller-id', String(node.id), '--controller-directory-id']
  await tools().fail('metadata-quorum', ['remove-controller', ...flags, 'AAAAAAAAAAAAAAAAAAAAZQ'], /VoterNotFound|not/)
  await tools().succeed('metadata-quorum', ['remove-controller', ...flags, directoryOf(node)])
  await eventually(async () => {
    const left = (await voters(checks)).map(({ id }) => id)
    assert.ok(!left.includes(node.id), `voters ${left}`)
  }, SETTLE_MS)
}

async function removeLeader(checks: ToolRoom): Promise<void> {
  const { room, tools } = checks
  await room.node(4).stop()
  const node = await room.quorumLeader()
  await remove(checks, node)
  await eventually(async () => assert.notEqual((await room.quorumLeader()).id, node.id), SETTLE_MS)
  await addController(checks, node)
  assert.deepEqual(
    (await voters(checks)).map(({ id }) => id),
    [1, 2, 3],
  )
  await tools().succeed('topics', ['--create', '--topic', 'after', '--partitions', '3', '--replication-factor', '3'])
  await room.untilInSync(['after'], 3)
}
