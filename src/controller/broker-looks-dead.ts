import type { Millis } from '../runtime/ports.js'
import { fenceBroker } from './broker-changes.js'
import type { Command } from './command.js'

/**
 * A broker is fenced without waiting for the end of its session, because there is reason to think that its process is
 * gone: nobody listens where it listened. Its session is over too, so that the next process of it is let in at once.
 * Answers whether that was done: not if it has registered anew since (`brokerEpoch` is that of the one that seems
 * dead), has been heard of after `silentSince` (ms of this node's clock; now if left out), or lives in this very
 * process. A broker that is taken for dead wrongly comes back with its next heartbeat.
 */
export function brokerLooksDead(brokerId: number, brokerEpoch: number, silentSince?: Millis): Command<boolean> {
  return context => {
    const { image, sessions, now } = context
    const broker = image.cluster.broker(brokerId)
    const session = sessions.get(brokerId)
    const isIt = broker?.epoch === brokerEpoch && session?.epoch === brokerEpoch
    if (!isIt || session.lastContact > (silentSince ?? now)) return { records: [], response: false }
    sessions.expire(brokerId)
    return { records: broker.fenced ? [] : fenceBroker(context, brokerId, brokerEpoch), response: true }
  }
}
