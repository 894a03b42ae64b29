import { readFileSync } from 'node:fs'
import type { MixedNode } from './node.js'

/** What Kafka logs as an error although it is none, or is of this machine. */
const ALLOWED = [
  // A replica that a reassignment brings to a broker.
  /Expected partition \S+ with topic id \S+ to exist, but it was missing. Creating/,
  // A controller that was asked before it knew that it is the active one.
  /ControllerApis .* Unexpected error handling request.*\n.*NotControllerException/,
  // The last voter to stop has nobody to hand over to.
  /Graceful shutdown of RaftClient failed/,
  // A replica that has just gone to another directory.
  /AssignmentsManager .*unexpected callback exception\n.*NullPointerException.*ReplicaAlterLogDirsThread/,
  // Too few replicas in sync while a node is away: the client tries again.
  /ReplicaManager .*Error processing append operation.*\n.*NotEnoughReplicasException/,
  /Exceptionally slow controller event|controller event queue overloaded/,
]
/** What is an error only if that never follows which it was tried again for. */
const PASSING = [
  // A controller that finds no leader to register with for five seconds.
  {
    error: /ControllerRegistrationManager .*channel manager timed out before sending the request/,
    after: /ControllerRegistrationManager .*Our registration has been persisted/,
  },
  // A broker that has registered names the epoch of its old registration until its metadata have the new one.
  {
    error: /AssignmentsManager .*global error: Response-level error: STALE_BROKER_EPOCH. Retrying/,
    after: /BrokerLifecycleManager .*The broker has caught up/,
  },
]
const SHOWN_MAX = 5
const LINE_CHARS_MAX = 600

/** Errors in the log of a node that no check has looked for: what it says of what it was sent. */
export function complaintsOf(node: MixedNode): string[] {
  const lines = readFileSync(node.logFile, 'utf8').split('\n')
  const isError = node.kind === 'kafka' ? / (ERROR|FATAL) / : /^\[[\d:.]+\] (ERROR|FATAL):/
  const found = lines.filter((line, index) => {
    // The exception is on the line after it.
    const whole = `${line}\n${lines[index + 1] ?? ''}`
    const passing = PASSING.find(({ error }) => error.test(line))
    if (passing !== undefined) return !lines.slice(index).some(later => passing.after.test(later))
    return isError.test(line) && !ALLOWED.some(allowed => allowed.test(whole))
  })
  return found.slice(0, SHOWN_MAX).map(line => `${node.name}: ${line.slice(0, LINE_CHARS_MAX)}`)
}
