import type { Millis } from '../runtime/ports.js'
import type { Command } from './command.js'

/**
 * A new controller begins with a whole session for every broker. But of the node that led the quorum before it is known
 * when it was heard last: where that is a broker too, its session counts from then (ms of this node's clock), unless it
 * has come to the new controller meanwhile. So a node that hangs is fenced as soon as one that is no controller.
 */
export function brokerSilentSince(brokerId: number, since: Millis): Command<void> {
  return ({ sessions }) => {
    const session = sessions.get(brokerId)
    const hasCome = session === undefined || session.metadataOffset >= 0
    if (!hasCome && session.lastContact !== Number.POSITIVE_INFINITY) {
      session.lastContact = Math.min(session.lastContact, since)
    }
    return { records: [], response: undefined }
  }
}
