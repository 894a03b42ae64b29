import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NotLeaderError } from '#src/raft/metadata-log.js'
import { SimDisk } from '../../support/sim-disk.js'
import { VirtualClock } from '../../support/virtual-clock.js'
import {
  MemoryNetwork,
  type NodeOptions,
  openNode,
  type RaftNode,
  snapshotsOf,
  staticVoters,
  topicRecord,
} from './support/rig.js'

const limits = { recordBytesBetween: 700, retentionBytes: 2500, deleteDelayMs: 50 }
const options: NodeOptions = { limits, segmentBytes: 1500 }

interface Run {
  readonly acknowledged: string[]
  readonly epochs: number[]
}

/** Formats, leads, appends, takes snapshots and cleans, until all is done or the disk is gone. */
async function work(disk: SimDisk, run: Run): Promise<RaftNode | null> {
  const clock = new VirtualClock()
  let node: RaftNode
  try {
    node = openNode({ ...options, disk, clock })
  } catch (error) {
    assert.match(String(error), /simulated/)
    return null
  }
  snapshotsOf(node)
  try {
    node.driver.start()
    await clock.settle()
    if (node.driver.leader.leaderId === 1) run.epochs.push(node.driver.leader.epoch)
    for (let i = 0; i < 14 && node.faults.length === 0; i++) {
      const name = `topic-${run.epochs.length}-${i}`
      const { epoch } = node.driver.leader
      node.driver.append(epoch, [topicRecord(name), topicRecord(`${name}-${'x'.repeat(60)}`)])
      const done = node.driver.whenCommitted(epoch, node.driver.endOffset).then(
        () => run.acknowledged.push(name),
        () => {},
      )
      await clock.advance(10)
      await done
    }
  } catch (error) {
    assert(error instanceof NotLeaderError || /simulated/.test(String(error)), String(error))
  }
  return node
}

/** What a node finds on the disk, that of another process or after the machine failed. */
async function reopen(disk: SimDisk): Promise<RaftNode> {
  const node = openNode({ ...options, disk })
  snapshotsOf(node)
  node.driver.start()
  await node.clock.advance(100)
  assert.deepEqual(node.faults, [])
  return node
}

function assertKept(node: RaftNode, run: Run, when: string): void {
  const found = new Set(node.witness.topics)
  for (const name of run.acknowledged) assert(found.has(name), `${when}: ${name} was acknowledged and is gone`)
  // A batch is there whole or not at all.
  for (const name of found) {
    if (name.includes('x')) continue
    assert(
      [...found].some(other => other.startsWith(`${name}-x`)),
      `${when}: half of the batch of ${name}`,
    )
  }
  const { epoch } = node.driver.leader
  assert(epoch > Math.max(0, ...run.epochs), `${when}: epoch ${epoch} after ${run.epochs}`)
}

async function countOfIos(): Promise<number> {
  const disk = new SimDisk()
  const run = { acknowledged: [], epochs: [] }
  const node = await work(disk, run)
  assert.equal(run.acknowledged.length, 14)
  assert(node !== null && node.log.logStartOffset > 0, 'old snapshots and segments went on the way')
  return disk.ioCount
}

for (const kind of ['process', 'machine'] as const) {
  test(`wherever the ${kind} dies, nothing acknowledged is lost and no epoch is led twice`, async t => {
    const total = await countOfIos()
    for (let number = 1; number <= total; number++) {
      const disk = new SimDisk()
      const run: Run = { acknowledged: [], epochs: [] }
      disk.failAt(number, 'crash')
      await work(disk, run)
      const next = await reopen(kind === 'process' ? disk.killed() : disk.crashed(number))
      assertKept(next, run, `I/O ${number}, ${disk.trace.at(-1)}`)
      if (number % 7 !== 0) continue
      // And again, on what that left.
      const again = kind === 'process' ? next.disk.killed() : next.disk.crashed(number + 1)
      run.epochs.push(next.driver.leader.epoch)
      assertKept(await reopen(again), run, `I/O ${number}, twice`)
    }
    t.diagnostic(`${total} I/Os`)
  })
}

test('whatever I/O fails, the node stops or goes on, and nothing acknowledged is lost', async () => {
  const total = await countOfIos()
  for (let number = 1; number <= total; number++) {
    const disk = new SimDisk()
    const run: Run = { acknowledged: [], epochs: [] }
    disk.failAt(number, 'EIO')
    await work(disk, run)
    const next = await reopen(disk.killed())
    assertKept(next, run, `EIO at I/O ${number}`)
  }
})

test('a follower that loses power while a snapshot is put in place starts from the old or the new', async () => {
  for (let number = 1; number < 80; number++) {
    const clock = new VirtualClock()
    const network = new MemoryNetwork()
    const voters = staticVoters([1])
    const leader = openNode({ clock, voters, channel: network.channelOf(1) })
    network.add(leader)
    snapshotsOf(leader)
    leader.driver.start()
    await clock.settle()
    leader.driver.append(1, ['a', 'b', 'c', 'd'].map(topicRecord))
    await clock.settle()
    const taken = leader.driver.takeSnapshot()
    await clock.settle()
    await taken
    const disk = new SimDisk()
    const observer = {
      nodeId: 2,
      clock,
      voters,
      channel: network.channelOf(2),
      config: { isController: false },
      format: { isController: false },
    }
    disk.failAt(number, 'crash')
    try {
      const node = openNode({ ...observer, disk })
      node.driver.start()
      await clock.advance(100)
    } catch (error) {
      assert.match(String(error), /simulated/)
    }
    if (!disk.isDead) break
    const next = openNode({ ...observer, disk: disk.crashed(number) })
    next.driver.start()
    await clock.advance(3000)
    assert.deepEqual(next.faults, [], `I/O ${number}`)
    assert.deepEqual(next.witness.topics, ['a', 'b', 'c', 'd'], `I/O ${number}, ${disk.trace.at(-1)}`)
  }
})
