/** How the processes of a cluster on one machine are watched over: events in, effects out. No process in here. */

export type ClusterEvent =
  /** A node serves; address: host:port for clients, or null. */
  | { readonly type: 'ready'; readonly node: number; readonly address: string | null }
  /** A process ended, with a status or by a signal. */
  | {
      readonly type: 'ended'
      readonly node: number
      readonly code: number | null
      readonly signal: string | null
    }
  /** The person wants an end. */
  | { readonly type: 'interrupt'; readonly signal: string }
  /** Nodes that were asked to end take longer than they usually do. */
  | { readonly type: 'late' }
  /** Nodes that were asked to end have had their time. */
  | { readonly type: 'overdue' }

export type ClusterEffect =
  | { readonly type: 'say'; readonly line: string }
  | { readonly type: 'signal'; readonly node: number; readonly signal: 'SIGTERM' | 'SIGKILL' }
  /** Nothing runs any more: end with this status. */
  | { readonly type: 'exit'; readonly status: number }

type NodeState = 'starting' | 'ready' | 'ended'

interface PlannedNode {
  readonly name: string
  /** What starts this node alone. */
  readonly startCommand: string
  readonly state: NodeState
  readonly address: string | null
}

/**
 * The rules: a node that cannot start ends all of them, for that is a mistake to be mended first. One that dies later
 * does not: the others go on, which is what three nodes are for. The first interruption asks all to end, the second one
 * does not wait. The status is 0 if those that were asked to end did so in order.
 */
export class ClusterPlan {
  #nodes: readonly PlannedNode[]
  #isStopping = false
  #hasFailed = false

  constructor(nodes: readonly { readonly name: string; readonly startCommand: string }[]) {
    this.#nodes = nodes.map(node => ({ ...node, state: 'starting', address: null }))
  }

  /** Whether the nodes have been asked to end. */
  get isStopping(): boolean {
    return this.#isStopping
  }

  /** Takes one event; returns what is to be done now, in this order. */
  step(event: ClusterEvent): readonly ClusterEffect[] {
    switch (event.type) {
      case 'ready':
        return this.#ready(event.node, event.address)
      case 'ended':
        return this.#ended(event.node, event.code, event.signal)
      case 'interrupt':
        if (this.#isStopping) return [say(`${event.signal} again: not waiting`), ...this.#signalAll('SIGKILL')]
        return [say(`${event.signal}: stopping ${this.#running().length} nodes`), ...this.#stop()]
      case 'late': {
        const names = this.#running().map(node => this.#nodes[node]!.name)
        if (names.length === 0) return []
        return [say(`waiting for ${names.join(' and ')} to end; the same signal again does not wait`)]
      }
      case 'overdue':
        return [say('not stopped in time: killing what is left'), ...this.#signalAll('SIGKILL')]
    }
  }

  #ready(index: number, address: string | null): readonly ClusterEffect[] {
    this.#update(index, { state: 'ready', address })
    if (this.#isStopping || this.#nodes.some(({ state }) => state !== 'ready')) return []
    const addresses = this.#nodes.flatMap(node => (node.address === null ? [] : [node.address]))
    const where = addresses.length === 0 ? '' : `: bootstrap servers ${addresses.join(',')}`
    return [say(`all ${this.#nodes.length} nodes are ready${where}`)]
  }

  #ended(index: number, code: number | null, signal: string | null): readonly ClusterEffect[] {
    const { name, state, startCommand } = this.#nodes[index]!
    this.#update(index, { state: 'ended', address: null })
    const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`
    const effects: ClusterEffect[] = []
    if (this.#isStopping) {
      if (code !== 0) {
        this.#hasFailed = true
        effects.push(say(`${name} ${how}`))
      }
    } else if (state === 'starting' && signal === null) {
      this.#hasFailed = true
      effects.push(say(`${name} could not start (it ${how}): stopping the others`), ...this.#stop())
    } else if (this.#running().length > 0) {
      effects.push(say(`${name} ${how}; the others go on. To start it again: ${startCommand}`))
    } else {
      this.#hasFailed = true
      effects.push(say(`${name} ${how}; no node is left`))
    }
    if (this.#running().length === 0) effects.push({ type: 'exit', status: this.#hasFailed ? 1 : 0 })
    return effects
  }

  #stop(): readonly ClusterEffect[] {
    this.#isStopping = true
    return this.#signalAll('SIGTERM')
  }

  #signalAll(signal: 'SIGTERM' | 'SIGKILL'): readonly ClusterEffect[] {
    return this.#running().map(node => ({ type: 'signal', node, signal }))
  }

  #running(): readonly number[] {
    return this.#nodes.flatMap(({ state }, index) => (state === 'ended' ? [] : [index]))
  }

  #update(index: number, change: Pick<PlannedNode, 'state' | 'address'>): void {
    this.#nodes = this.#nodes.map((node, at) => (at === index ? { ...node, ...change } : node))
  }
}

function say(line: string): ClusterEffect {
  return { type: 'say', line }
}
