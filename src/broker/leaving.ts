import type { MetadataImage } from '../metadata/image.js'
import { pauseUntil } from '../runtime/pause.js'
import type { Clock, Millis } from '../runtime/ports.js'

/** How long a broker that stops waits for a controller when it knows none, ms: elections take less. */
const NO_CONTROLLER_MS_MAX = 1000
/** The same when most controllers have no process any more, ms: one of them may be starting anew in this moment. */
const NO_QUORUM_MS_MAX = 250
/** How long a controller that stops stays for the brokers that stop with it, ms. */
const OTHERS_MS_MAX = 2000
/** How often is looked, ms. */
const LOOK_MS = 50
const LOOK_AT_OTHERS_MS = 10

/** What a node that leaves looks at. */
export interface LeavingParts {
  readonly nodeId: number
  readonly clock: Clock
  readonly image: () => MetadataImage
  readonly hasController: () => boolean
  /** Most voters of the quorum are known to be gone: there is nobody who could let a broker go. */
  readonly isQuorumGone: () => boolean
}

/** Resolves when `work` is done, or it is clear that no controller will take part in it. Never rejects. */
export async function whileControlled(parts: LeavingParts, work: Promise<unknown>): Promise<void> {
  const { clock, hasController, isQuorumGone } = parts
  let isDone = false
  const done = work.then(
    () => void (isDone = true),
    () => void (isDone = true),
  )
  let lostAt: Millis | null = null
  let goneAt: Millis | null = null
  while (!isDone) {
    const now = clock.now()
    goneAt = isQuorumGone() ? (goneAt ?? now) : null
    lostAt = hasController() ? null : (lostAt ?? now)
    if (goneAt !== null && now - goneAt >= NO_QUORUM_MS_MAX) return
    if (lostAt !== null && now - lostAt >= NO_CONTROLLER_MS_MAX) return
    await pauseUntil(clock, now + LOOK_MS, done)
  }
}

/**
 * Resolves when no other broker is about to stop. Nodes that are told to stop at the same moment need the quorum until
 * the last of them has been let go: a controller that went before would leave it asking for one that is not there.
 */
export async function untilOthersHaveLeft(parts: LeavingParts): Promise<void> {
  const { clock, hasController, isQuorumGone } = parts
  const end = clock.now() + OTHERS_MS_MAX
  while (isAnotherLeaving(parts) && hasController() && !isQuorumGone()) {
    const now = clock.now()
    if (now >= end) return
    await pauseUntil(clock, Math.min(end, now + LOOK_AT_OTHERS_MS))
  }
}

function isAnotherLeaving({ nodeId, image }: LeavingParts): boolean {
  for (const broker of image().cluster.brokers.values()) {
    if (broker.id !== nodeId && broker.inControlledShutdown && !broker.fenced) return true
  }
  return false
}
