import type { Millis } from '#src/runtime/ports.js'
import type { SeededRandom } from '../support/random.js'
import { CLUSTER_ID, type SimNode } from './node.js'
import { WALL_ZERO } from './process.js'
import type { World } from './world.js'

/** Breaks things, as the plan says, until it is told to stop. */
export class FaultInjector {
  readonly #world: World
  readonly #random: SeededRandom
  readonly #clientHosts: readonly string[]
  #isOver = false
  #hasReplacedDisk = false

  constructor(world: World, clientHosts: readonly string[]) {
    this.#world = world
    this.#clientHosts = clientHosts
    this.#random = world.randomOf('faults')
  }

  start(): void {
    const { scheduler, plan } = this.#world
    scheduler.after(this.#random.next() * 2 * plan.faultMs, null, 'fault', () => {
      if (this.#isOver) return
      this.#one()
      this.start()
    })
  }

  #one(): void {
    const { faults } = this.#world.plan
    const total = [...faults.values()].reduce((sum, weight) => sum + weight, 0)
    let at = this.#random.below(total)
    for (const [fault, weight] of faults) {
      at -= weight
      if (at < 0) {
        if (this.#do(fault)) this.#world.coverage.count(`fault: ${fault}`)
        return
      }
    }
  }

  /** Undoes everything that lasts. */
  heal(): void {
    this.#isOver = true
    const { network, nodes, scheduler } = this.#world
    network.openAll()
    network.healWays()
    for (const node of nodes) {
      node.mood.errorOneIn = Infinity
      node.mood.isFull = false
      node.mood.syncMs = [0.05, 1]
      node.restartAt = 0
      if (node.process !== null) {
        node.process.dieAtEffect = Infinity
        node.process.wake(scheduler.now)
        scheduler.hurry(node.process)
      }
    }
  }

  #do(fault: string): boolean {
    const { nodes, network, coverage } = this.#world
    const random = this.#random
    const node = random.pick(nodes)
    switch (fault) {
      case 'kill':
        if (!node.isRunning) return false
        node.kill()
        return true
      case 'kill at an effect':
        if (!node.isRunning) return false
        node.kill(1 + random.below(60))
        return true
      case 'power':
        return this.#power(node)
      case 'replace a disk':
        return this.#replaceDisk(node)
      case 'pause':
        if (!node.isRunning) return false
        node.pause(random.pick([50, 1000, 12_000]) * (0.5 + random.next()))
        return true
      case 'clean restart':
        if (node.state !== 'up') return false
        void node.stop()
        return true
      case 'break a connection':
        return network.breakOne()
      case 'cut clients off':
        return this.#cut([random.pick(this.#clientHosts)], [node.hostName], true)
      case 'cut one way':
        return random.below(2) === 0
          ? this.#cut([random.pick(this.#clientHosts)], [node.hostName], false)
          : this.#cut([node.hostName], [random.pick(this.#clientHosts)], false)
      case 'slow way':
        return this.#slow(node)
      case 'lossy way':
        return this.#lossy(node)
      case 'slow disk':
        node.mood.syncMs = [random.below(50), random.pick([100, 1500])]
        this.#later(() => {
          node.mood.syncMs = [0.05, 1]
        })
        return true
      case 'disk errors':
        node.mood.errorOneIn = random.pick([5, 50, 500])
        this.#later(() => {
          node.mood.errorOneIn = Infinity
        })
        return true
      case 'disk full':
        node.mood.isFull = true
        this.#later(() => {
          node.mood.isFull = false
        })
        return true
      case 'directory fails':
        return this.#failDirectory(node)
      case 'clock jump':
        return this.#jump(node)
      case 'partition':
        return this.#partition()
      case 'isolate':
        return this.#cut(
          [node.hostName],
          nodes.filter(other => other !== node).map(other => other.hostName),
          true,
        )
      case 'cut one way between nodes': {
        const other = random.pick(nodes)
        return other !== node && this.#cut([node.hostName], [other.hostName], false)
      }
      default:
        coverage.count(`fault that nobody knows: ${fault}`)
        return false
    }
  }

  /** Not so far that timestamps of clients are an hour off, which brokers refuse. */
  #jump(node: SimNode): boolean {
    const random = this.#random
    const jumped = node.clock.wallZero + random.pick([-1, 1]) * random.pick([10, 1000, 1_500_000]) * random.next()
    if (Math.abs(jumped - WALL_ZERO) > 1_500_000) return false
    node.clock.wallZero = jumped
    return true
  }

  #later(undo: () => void): void {
    const wait: Millis = this.#random.pick([100, 2000, 8000]) * (0.5 + this.#random.next())
    this.#world.scheduler.after(wait, null, 'undo', () => {
      if (!this.#isOver) undo()
    })
  }

  #power(node: SimNode): boolean {
    const { nodes, coverage } = this.#world
    if (!node.isPowered) return false
    const all = this.#random.below(4) === 0
    for (const each of all ? nodes : [node]) if (each.isPowered) each.powerOff()
    if (all && nodes.length > 1) coverage.count('power lost by all nodes')
    return true
  }

  /** One node comes back empty: once only, for a second one might take a majority of the voters. */
  #replaceDisk(node: SimNode): boolean {
    const { truth, plan } = this.#world
    if (this.#hasReplacedDisk || plan.nodes < 3 || truth.voterCount < 3 || !node.isPowered) return false
    this.#hasReplacedDisk = true
    node.powerOff()
    node.replaceDisk()
    node.format(CLUSTER_ID, { kind: 'noInitialControllers' })
    return true
  }

  /** Nothing of it can be read or written any more, until the node is started again. */
  #failDirectory(node: SimNode): boolean {
    const { plan } = this.#world
    if (!node.isRunning || plan.directories.length === 1) return false
    const path = this.#random.pick(plan.directories)
    this.#world.note(`n${node.id}`, `${path} fails`)
    node.failedDirectories.add(path)
    return true
  }

  #cut(from: readonly string[], to: readonly string[], both: boolean): boolean {
    const { network } = this.#world
    const pairs = from.flatMap(one => to.map(other => [one, other] as const))
    const ways = both ? pairs.flatMap(([one, other]) => [[one, other] as const, [other, one] as const]) : pairs
    for (const [one, other] of ways) network.cut(one, other)
    this.#world.note('sim', `cut ${ways.map(([one, other]) => `${one}>${other}`).join(' ')}`)
    this.#later(() => {
      for (const [one, other] of ways) network.open(one, other)
    })
    return true
  }

  #partition(): boolean {
    const { nodes } = this.#world
    const left = nodes.filter(() => this.#random.below(2) === 0)
    const right = nodes.filter(node => !left.includes(node))
    if (left.length === 0 || right.length === 0) return false
    return this.#cut(
      left.map(node => node.hostName),
      right.map(node => node.hostName),
      true,
    )
  }

  #slow(node: SimNode): boolean {
    const { network, nodes } = this.#world
    const other = this.#random.pick([...this.#clientHosts, ...nodes.map(each => each.hostName)])
    const way = network.way(node.hostName, other)
    const before = way.baseMs
    way.baseMs = 20 + this.#random.below(300)
    this.#later(() => {
      way.baseMs = before
    })
    return true
  }

  #lossy(node: SimNode): boolean {
    const { network, nodes } = this.#world
    const other = this.#random.pick([...this.#clientHosts, ...nodes.map(each => each.hostName)])
    const way = network.way(other, node.hostName)
    way.lossOneIn = this.#random.pick([3, 20])
    this.#later(() => {
      way.lossOneIn = Infinity
    })
    return true
  }
}
