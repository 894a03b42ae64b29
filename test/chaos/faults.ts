/** What is done to the cluster: a table. Each fault is over when its function resolves; nothing of it is left. */
import { AddRaftVoter } from '#protocol/messages/add-raft-voter.js'
import { RemoveRaftVoter } from '#protocol/messages/remove-raft-voter.js'
import { RefusedError } from './cluster-client.js'
import { type Node, pause, SESSION_TIMEOUT_MS } from './nodes.js'
import type { Party } from './proxy.js'
import { calm, controllerId, lead, nodeOf, otherNodes, type Scene, someLeader } from './scene.js'

export interface Fault {
  readonly name: string
  readonly about: string
  /** Makes ready what it needs and picks the nodes that it is done to; their partitions are those that it hits. */
  readonly choose: (scene: Scene) => Promise<readonly Node[]>
  /** Resolves with what was drawn, in words. */
  readonly run: (scene: Scene, nodes: readonly Node[]) => Promise<string>
  /** Why it cannot happen here. */
  readonly impossible?: (scene: Scene) => string | null
}

const VOTER_MS_MAX = 60_000

/** A time from the seed, ms. */
async function hold(scene: Scene, from: number, to: number): Promise<string> {
  const ms = from + scene.random.below(to - from + 1)
  await pause(ms)
  return `${ms} ms`
}

const anyNode = async (scene: Scene): Promise<readonly Node[]> => [scene.random.pick(scene.nodes)]
const aLeader = async (scene: Scene): Promise<readonly Node[]> => [await someLeader(scene)]
const allNodes = async (scene: Scene): Promise<readonly Node[]> => scene.nodes

/** The active controller, which leads no partition of the exact topic. */
async function controllerAlone(scene: Scene): Promise<readonly Node[]> {
  const id = await controllerId(scene)
  const others = otherNodes(scene, id)
  await lead(
    scene,
    others.map(node => node.id),
  )
  return [nodeOf(scene, await controllerId(scene))]
}

/** The active controller, which leads partitions of the exact topic, as every node does. */
async function controllerAndLeader(scene: Scene): Promise<readonly Node[]> {
  await lead(
    scene,
    scene.nodes.map(node => node.id),
  )
  return [nodeOf(scene, await controllerId(scene))]
}

async function killAndStart(scene: Scene, [node]: readonly Node[]): Promise<string> {
  await node!.kill()
  const held = await hold(scene, 200, 4000)
  await node!.start()
  return `for ${held}`
}

async function restart(scene: Scene, [node]: readonly Node[]): Promise<string> {
  await node!.stop()
  const held = await hold(scene, 0, 1500)
  await node!.start()
  return `for ${held}`
}

async function rolling(scene: Scene, nodes: readonly Node[]): Promise<string> {
  for (const node of nodes) {
    await restart(scene, [node])
    await calm(scene)
  }
  return 'all nodes'
}

async function killAll(scene: Scene, nodes: readonly Node[]): Promise<string> {
  await Promise.all(nodes.map(node => node.kill()))
  const held = await hold(scene, 0, 1000)
  await Promise.all(nodes.map(node => node.start()))
  return `for ${held}`
}

async function restartAll(scene: Scene, nodes: readonly Node[]): Promise<string> {
  await Promise.all(nodes.map(node => node.stop()))
  const held = await hold(scene, 0, 1000)
  await Promise.all(nodes.map(node => node.start()))
  return `for ${held}`
}

async function killWhileStarting(scene: Scene, [node]: readonly Node[]): Promise<string> {
  const times: string[] = []
  await node!.kill()
  for (let i = 0; i < 3; i++) {
    const started = node!.start().catch(() => {})
    times.push(await hold(scene, 50, 1200))
    await node!.kill()
    await started
  }
  await node!.start()
  return `after ${times.join(', ')}`
}

/**
 * After a crash of all, one node is started alone and asked to end while it waits for the others: it has not opened its
 * logs, and must not say that they are as a clean stop leaves them.
 */
async function stopWhileStarting(scene: Scene, nodes: readonly Node[]): Promise<string> {
  await Promise.all(nodes.map(node => node.kill()))
  const alone = scene.random.pick(nodes)
  const started = alone.start().catch(() => {})
  const held = await hold(scene, 500, 2500)
  await alone.stop()
  await started
  await Promise.all(nodes.map(node => node.start()))
  return `node ${alone.id} alone for ${held}`
}

function freezeFor(from: number, to: number): Fault['run'] {
  return async (scene, [node]) => {
    node!.freeze()
    const held = await hold(scene, from, to)
    node!.thaw()
    return `for ${held}`
  }
}

/** Cuts ways, for a time; then lets what was held back go on, or breaks the connections that it lay on. */
async function cut(
  scene: Scene,
  ways: readonly (readonly [Party, Party])[],
  from: number,
  to: number,
): Promise<string> {
  const { proxy, random } = scene
  for (const [source, target] of ways) proxy.set(source, target, { isCut: true })
  const held = await hold(scene, from, to)
  const isReset = random.below(2) === 0
  const isCut = (a: Party, b: Party) =>
    ways.some(([source, target]) => (source === a && target === b) || (source === b && target === a))
  if (isReset) proxy.reset(isCut)
  proxy.heal()
  return `for ${held}, then ${isReset ? 'broken' : 'delivered'}`
}

function bothWays(node: Node, others: readonly Party[]): readonly (readonly [Party, Party])[] {
  return others.flatMap(other => [[node.id, other] as const, [other, node.id] as const])
}

const idsBut = (scene: Scene, node: Node): readonly Party[] => otherNodes(scene, node.id).map(({ id }) => id)

async function cutOneWay(scene: Scene, [node]: readonly Node[]): Promise<string> {
  const isOutward = scene.random.below(2) === 0
  const ways = idsBut(scene, node!).map(other =>
    isOutward ? ([node!.id, other] as const) : ([other, node!.id] as const),
  )
  return `${isOutward ? 'from' : 'to'} it, ${await cut(scene, ways, 2000, 6000)}`
}

async function cutPair(scene: Scene, [node]: readonly Node[]): Promise<string> {
  const other = scene.random.pick(idsBut(scene, node!))
  return `from node ${other}, ${await cut(scene, bothWays(node!, [other]), 2000, 6000)}`
}

async function reset(scene: Scene, [node]: readonly Node[]): Promise<string> {
  const times = 1 + scene.random.below(5)
  let broken = 0
  for (let i = 0; i < times; i++) {
    broken += scene.proxy.reset((from, to) => from === node!.id || to === node!.id)
    await hold(scene, 50, 1000)
  }
  return `${times} times, ${broken} connections`
}

async function slow(scene: Scene, [node]: readonly Node[]): Promise<string> {
  const delayMs = 10 + scene.random.below(140)
  for (const [from, to] of bothWays(node!, [...idsBut(scene, node!), 'clients'])) scene.proxy.set(from, to, { delayMs })
  const held = await hold(scene, 3000, 6000)
  scene.proxy.heal()
  return `by ${delayMs} ms for ${held}`
}

async function fullDisk(scene: Scene, [node]: readonly Node[]): Promise<string> {
  const disk = scene.disks[scene.nodes.indexOf(node!)]!
  node!.allowEnd()
  disk.fill()
  const held = await hold(scene, 4000, 8000)
  const ended = !node!.isRunning
  disk.free()
  // A directory that failed stays away until the next start, as Kafka has it.
  if (!ended) await node!.kill()
  await node!.start()
  return `for ${held}, the process ${ended ? 'ended' : 'went on'}`
}

async function replaceVoter(scene: Scene, [node]: readonly Node[]): Promise<string> {
  const { client, clusterId, random } = scene
  const voterId = node!.id
  const voterDirectoryId = node!.directoryId()
  const isKilledFirst = random.below(2) === 0
  const addresses = otherNodes(scene, voterId)
  const ask = async (what: string, request: () => Promise<{ errorCode: number; errorMessage: string | null }>) => {
    await client.until(what, VOTER_MS_MAX, async () => {
      const { errorCode, errorMessage } = await request()
      const [DUPLICATE_VOTER, VOTER_NOT_FOUND] = [126, 127]
      // The answer to an earlier request may have been lost.
      if (errorCode !== 0 && errorCode !== DUPLICATE_VOTER && errorCode !== VOTER_NOT_FOUND) {
        throw new RefusedError(what, errorCode, errorMessage)
      }
      return true
    })
  }
  if (isKilledFirst) await node!.kill()
  await ask('RemoveRaftVoter', () => client.ask(RemoveRaftVoter, 0, { clusterId, voterId, voterDirectoryId }))
  if (!isKilledFirst) await node!.kill()
  node!.wipe()
  node!.format(null)
  const held = await hold(scene, 0, 2000)
  await node!.start()
  const added = {
    clusterId,
    timeoutMs: 10_000,
    voterId,
    voterDirectoryId: node!.directoryId(),
    listeners: [node!.controllerEndpoint],
  }
  await ask('AddRaftVoter', () => client.ask(AddRaftVoter, 0, added))
  const order = isKilledFirst ? 'killed, then removed' : 'removed, then killed'
  return `${order}, empty after ${held}, beside ${addresses.map(({ id }) => id).join(' and ')}`
}

/** Several things at once, one after the other without a rest, and at most one disk that is lost: none. */
async function storm(scene: Scene, nodes: readonly Node[]): Promise<string> {
  const { random, proxy } = scene
  const until = performance.now() + 10_000
  const done: string[] = []
  while (performance.now() < until) {
    const node = random.pick(nodes)
    const what = random.pick(['kill', 'freeze', 'cut', 'reset', 'restart'])
    done.push(`${what} ${node.id}`)
    if (what === 'kill') await node.kill()
    else if (what === 'restart' && node.isRunning && !node.isFrozen) await node.stop()
    else if (what === 'freeze') node.freeze()
    else if (what === 'cut') for (const way of bothWays(node, [random.pick(idsBut(scene, node))])) cutWay(scene, way)
    else if (what === 'reset') proxy.reset((from, to) => from === node.id || to === node.id)
    await hold(scene, 100, 1500)
    const back = random.pick(nodes)
    if (back.isFrozen) back.thaw()
    else if (!back.isRunning) void back.start().catch(() => {})
    if (random.below(3) === 0) proxy.heal()
  }
  proxy.heal()
  for (const node of nodes) if (node.isFrozen) node.thaw()
  await Promise.all(nodes.map(node => (node.isRunning ? node.untilAnswers() : node.start())))
  return done.join(', ')
}

function cutWay({ proxy }: Scene, [from, to]: readonly [Party, Party]): void {
  proxy.set(from, to, { isCut: true })
}

const frozenLong = freezeFor(SESSION_TIMEOUT_MS + 1000, SESSION_TIMEOUT_MS + 3000)

export const FAULTS: readonly Fault[] = [
  { name: 'restart-leader', about: 'SIGTERM to a leader, started again', choose: aLeader, run: restart },
  { name: 'kill-leader', about: 'kill -9 of a leader, not the controller', choose: aLeader, run: killAndStart },
  {
    name: 'kill-controller',
    about: 'kill -9 of the controller, no leader',
    choose: controllerAlone,
    run: killAndStart,
  },
  {
    name: 'kill-both',
    about: 'kill -9 of controller and leader in one',
    choose: controllerAndLeader,
    run: killAndStart,
  },
  { name: 'freeze-leader', about: 'SIGSTOP of a leader, past its session', choose: aLeader, run: frozenLong },
  { name: 'freeze-controller', about: 'SIGSTOP of the controller', choose: controllerAndLeader, run: frozenLong },
  { name: 'freeze-short', about: 'SIGSTOP for a moment', choose: anyNode, run: freezeFor(200, 1800) },
  {
    name: 'cut-leader',
    about: 'a leader without any network',
    choose: aLeader,
    run: (scene, [node]) =>
      cut(scene, bothWays(node!, [...idsBut(scene, node!), 'clients']), SESSION_TIMEOUT_MS + 500, 6000),
  },
  { name: 'cut-one-way', about: 'a node that only hears, or is only heard', choose: anyNode, run: cutOneWay },
  { name: 'cut-pair', about: 'two nodes that do not reach each other', choose: anyNode, run: cutPair },
  {
    name: 'cut-clients',
    about: 'a node that clients do not reach',
    choose: aLeader,
    run: (scene, [node]) => cut(scene, bothWays(node!, ['clients']), 1000, 4000),
  },
  { name: 'reset', about: 'all connections of a node broken', choose: anyNode, run: reset },
  { name: 'slow', about: 'a node far away', choose: anyNode, run: slow },
  {
    name: 'full-disk',
    about: 'no room left on the disk of a node',
    choose: aLeader,
    run: fullDisk,
    impossible: ({ disks }) => (disks.length > 0 ? null : 'a disk of its own for each node needs root and tmpfs'),
  },
  { name: 'rolling', about: 'SIGTERM to all nodes, one by one', choose: allNodes, run: rolling },
  { name: 'replace-voter', about: 'voter removed, its disk emptied, added', choose: anyNode, run: replaceVoter },
  { name: 'kill-starting', about: 'kill -9 while it starts', choose: anyNode, run: killWhileStarting },
  {
    name: 'stop-starting',
    about: 'SIGTERM to a node that waits for a quorum after a crash of all',
    choose: allNodes,
    run: stopWhileStarting,
  },
  { name: 'kill-all', about: 'kill -9 of all nodes at once', choose: allNodes, run: killAll },
  { name: 'restart-all', about: 'SIGTERM to all nodes at once', choose: allNodes, run: restartAll },
  { name: 'storm', about: 'ten seconds of everything', choose: allNodes, run: storm },
]
