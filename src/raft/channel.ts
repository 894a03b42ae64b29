import type { CallFailure, OutboundCall } from './raft-types.js'
import type { Address } from './voters.js'
import type { RequestSender } from './wire-calls.js'

/** Connections to the other nodes of the quorum, on the controller listener. */
export interface RaftChannel {
  /**
   * The way to a node; connects when something is sent. `nodeId` below -1: a bootstrap server whose id is not known.
   * Calls of one kind go in order; a fetch that the leader holds must not hold up a vote, so each kind has its own
   * connection.
   */
  to(nodeId: number, address: Address, api: OutboundCall['api']): RequestSender
  /** Ends all connections; what waits is rejected. */
  close(): void
}

/** A call that has no answer. */
export class CallFailedError extends Error {
  override readonly name = 'CallFailedError'
  readonly failure: CallFailure

  constructor(failure: CallFailure, message: string) {
    super(message)
    this.failure = failure
  }
}

/** How the machine is told of an error that sending ended with. */
export function failureOf(error: unknown): CallFailure {
  return error instanceof CallFailedError ? error.failure : 'disconnected'
}

/** For a node that is the only voter: there is nobody to talk to. */
export const noChannel: RaftChannel = {
  to: nodeId => ({
    send: () => Promise.reject(new CallFailedError('disconnected', `there is no way to node ${nodeId}`)),
  }),
  close: () => {},
}
