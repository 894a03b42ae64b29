import { ApiError, ErrorCode } from '#protocol/errors.js'
import { NotLeaderError } from '../raft/metadata-log.js'
import type { Ask, RequestSource } from '../raft/wire-requests.js'
import type { RequestContext } from './handler.js'

/** What handlers of the metadata quorum use; raft/driver.ts has it. */
export interface QuorumServices {
  readonly clusterId: string
  readonly quorum: {
    /** `onGone` is called with what gives a call up, for when nobody waits for its answer any more. */
    asker(onGone?: (giveUp: () => void) => void): Ask
  }
}

export function askerOf({ quorum }: QuorumServices): Ask {
  const ask = quorum.asker()
  return async call => {
    try {
      return await ask(call)
    } catch (error) {
      throw refusal(error)
    }
  }
}

/** For calls that may wait: they are given up when their connection is gone. */
export function patientAskerOf({ quorum }: QuorumServices, { onClose }: RequestContext): Ask {
  return async call => {
    let forget: () => void = () => {}
    try {
      return await quorum.asker(giveUp => {
        forget = onClose(giveUp)
      })(call)
    } catch (error) {
      throw refusal(error)
    } finally {
      forget()
    }
  }
}

export function sourceOf({ clusterId }: QuorumServices, { listenerName }: RequestContext): RequestSource {
  return { clusterId, listenerName }
}

/** A node that stops has left the quorum before it has closed its listeners. */
function refusal(error: unknown): unknown {
  return error instanceof NotLeaderError ? new ApiError(ErrorCode.BROKER_NOT_AVAILABLE, error.message) : error
}
