import { pauseUntil } from '../runtime/pause.js'
import type { Clock, Millis } from '../runtime/ports.js'

/** How long whoever asks for the controller waits for an election, ms. */
const WAIT_MS_MAX: Millis = 10_000
/** How often it is looked whether there is one, ms. */
const LOOK_MS: Millis = 20

/**
 * The id of the active controller. While the quorum elects one, the answer waits for it: Kafka's admin client, once
 * told that there is none (-1), does not ask again before its metadata is old, and its calls run into their timeout.
 * Resolves with -1 when none was elected in time, or when `onClose` tells that nobody waits any more.
 */
export async function knownController(
  clock: Clock,
  activeController: () => number,
  onClose: (forget: () => void) => () => void,
): Promise<number> {
  const found = activeController()
  if (found !== -1) return found
  const deadline = clock.now() + WAIT_MS_MAX
  let isGone = false
  let wake: () => void = () => {}
  const gone = new Promise<void>(resolve => {
    wake = resolve
  })
  const takeBack = onClose(() => {
    isGone = true
    wake()
  })
  while (activeController() === -1 && !isGone && clock.now() < deadline)
    await pauseUntil(clock, clock.now() + LOOK_MS, gone)
  takeBack()
  return activeController()
}
