import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { check, eventually } from '../suite.js'
import type { Checks } from './checks.js'
import type { MixedNode } from './node.js'
import { moveQuorumLeader } from './quorum.js'
import { kcat, type Room, SETTLE_MS } from './room.js'

/** A frozen follower must be thawed well before its session ends, ms. */
const FROZEN_MS_MAX = 3000

/**
 * A leader takes records that its follower of the other kind never gets, and is killed: the follower leads and takes
 * others at the same offsets. The old leader comes back, and must give up its own.
 */
export async function divergenceChecks(checks: Checks): Promise<void> {
  const { room } = checks
  // The leader of the quorum takes no part: to freeze it would begin an election besides.
  const leader = await moveQuorumLeader(room, one => pairOf(room, one) !== null)
  const { kafka, ottla } = pairOf(room, leader)!
  for (const [old, next] of [[kafka, ottla] as const, [ottla, kafka] as const]) {
    const name = `${old.name} is killed with records of its own, and takes those of ${next.name} instead`
    await check(checks, name, () => diverge(checks, old, next))
  }
}

/** A broker of each kind, without this node. */
function pairOf(room: Room, without: MixedNode): { kafka: MixedNode; ottla: MixedNode } | null {
  const choices = room.brokers.filter(({ id }) => id !== without.id)
  const kafka = choices.find(({ kind }) => kind === 'kafka')
  const ottla = choices.find(({ kind }) => kind === 'ottla')
  return kafka === undefined || ottla === undefined ? null : { kafka, ottla }
}

async function diverge({ room, tools }: Checks, old: MixedNode, next: MixedNode): Promise<void> {
  const topic = `diverged-${old.id}-${next.id}`
  const assignment = ['--replica-assignment', `${old.id}:${next.id}`]
  const create = ['--create', '--topic', topic, ...assignment, '--config', 'min.insync.replicas=1']
  await tools().succeed('topics', create)
  await room.untilInSync([topic], 2)
  const write = async (through: MixedNode, acks: string, text: string, count: number) => {
    const lines = Array.from({ length: count }, (_, i) => `${text} ${i}`)
    // A broker may be told of as the leader before it is one, and refuse the first batch: the next must not overtake it.
    const flags = [`acks=${acks}`, 'linger.ms=0', 'max.in.flight=1'].flatMap(setting => ['-X', setting])
    await kcat(['-b', through.address, '-P', '-t', topic, ...flags], lines.join('\n'))
    return lines
  }
  const both = await write(old, 'all', 'both have', 20)
  const frozenAt = Date.now()
  next.freeze()
  // A fetch that waits at the leader would still carry the records to the socket of the frozen one.
  await pause(600)
  await write(old, '1', 'one alone has', 30)
  await old.kill()
  next.thaw()
  assert.ok(Date.now() - frozenAt < FROZEN_MS_MAX, 'this machine is too slow to hold a node for a moment only')
  await eventually(
    async () => assert.equal((await room.partitions(topic, next.address))[0]?.leader, next.id),
    SETTLE_MS,
  )
  const others = await write(next, '1', 'the other has', 10)
  await old.start()
  await room.untilInSync([topic], 2)
  const read = async () => (await kcat(['-b', next.address, '-C', '-t', topic, '-e', '-q'])).trimEnd().split('\n')
  const expected = [...both, ...others]
  const found = await read()
  // What had reached the follower's socket before it was frozen is its own.
  const own = found.filter(line => !line.startsWith('one alone'))
  assert.deepEqual(own, expected)
  assert.ok(found.length < both.length + 30 + others.length, 'the follower had all that its leader wrote')
  await tools().succeed('leader-election', ['--election-type', 'preferred', '--topic', topic, '--partition', '0'])
  await eventually(async () => assert.equal((await room.partitions(topic))[0]?.leader, old.id), SETTLE_MS)
  assert.deepEqual(await read(), found)
}
