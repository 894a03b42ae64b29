import type { InboundCall } from './raft-types.js'
import type { VoterSet } from './voters.js'

/**
 * Which nodes have no process any more: their hosts refuse connections. Known of those who are called; one that calls
 * is there again.
 */
export class Refusals {
  readonly #nodes = new Set<number>()

  /** What came of a call. Bootstrap servers, whose id is negative, are no voters by that name. */
  called(nodeId: number, isRefused: boolean): void {
    if (isRefused && nodeId >= 0) this.#nodes.add(nodeId)
    else this.#nodes.delete(nodeId)
  }

  /** Somebody calls this node. A leader that ends its epoch is about to go, so that says nothing. */
  heard(call: InboundCall): void {
    if (call.api === 'fetch' || call.api === 'fetchSnapshot') this.#nodes.delete(call.replica.id)
    else if (call.api === 'vote') this.#nodes.delete(call.candidate.id)
    else if (call.api === 'beginQuorumEpoch') this.#nodes.delete(call.leaderId)
  }

  /** So many voters are gone that those who are left can neither commit anything nor elect a leader. */
  isMajorityGone(voters: VoterSet): boolean {
    const gone = voters.filter(({ key }) => this.#nodes.has(key.id)).length
    return gone > 0 && voters.length - gone <= voters.length / 2
  }
}
