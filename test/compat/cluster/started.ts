import { answers } from '../wire.js'

/** Three nodes that clients can be pointed at, and that can be killed and started again one by one (0, 1, 2). */
export interface StartedCluster {
  readonly name: string
  /** host:port of each node. */
  readonly addresses: readonly string[]
  /** Where its log is, if it was started here. */
  readonly logFile: string
  /** Ends a node at once, as a loss of its process does. */
  kill(node: number): Promise<void>
  /** Takes away what a node that was killed has on its disk, as a loss of the disk does. */
  erase(node: number): Promise<void>
  /** Starts a node again on what it left. Resolves when it answers. */
  start(node: number): Promise<void>
  /** Asks all nodes to end, as a person does; throws if those that still run do not do so in order. */
  stop(): Promise<void>
  /** Starts all nodes again after `stop`. */
  startAll(): Promise<void>
  /** Ends whatever is left and removes its data. */
  remove(): Promise<void>
}

/** A first member of a group need not wait for others here, and the offsets topic has few partitions. */
export const OVERRIDES = ['group.initial.rebalance.delay.ms=0', 'offsets.topic.num.partitions=5']
export const NODES = [0, 1, 2]
const START_TIMEOUT_MS = 60_000

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** Resolves when a node answers at the address; throws what `problem` returns, or after the time. */
export async function untilNodeAnswers(address: string, problem: () => string | null = () => null): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!(await answers(address))) {
    const why = problem()
    if (why !== null) throw new Error(why)
    if (Date.now() > deadline) throw new Error(`nobody answers at ${address}`)
    await pause(50)
  }
}

/** Ends a process that is not a child, and waits until it is gone. */
export async function killAndWait(pid: number): Promise<void> {
  try {
    for (process.kill(pid, 'SIGKILL'); ; await pause(20)) process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
