import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { Command } from '../controller/command.js'
import type { ControllerRequests, RunOptions } from '../controller/controller-driver.js'

/** The controller of this process, with a note of whether it has said that it is not (or no longer) the active one. */
export class WatchedController implements ControllerRequests {
  readonly #inner: ControllerRequests
  #wasLost = false

  constructor(inner: ControllerRequests) {
    this.#inner = inner
  }

  /** Whoever asked has to ask another node. */
  get wasLost(): boolean {
    return this.#wasLost
  }

  async run<Response>(command: Command<Response>, options?: RunOptions): Promise<Response> {
    try {
      return await this.#inner.run(command, options)
    } catch (error) {
      if (error instanceof ApiError && error.code === ErrorCode.NOT_CONTROLLER) this.#wasLost = true
      throw error
    }
  }
}
