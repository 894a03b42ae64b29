import type { Millis } from '../runtime/ports.js'

/** What was counted of one API on one kind of listener. Plain numbers, because they are counted on the hot path. */
export interface ApiCounters {
  readonly apiKey: number
  readonly apiName: string
  requests: number
  /** Requests that a handler failed to answer otherwise than with an error for the whole of it. */
  errors: number
  requestBytes: number
  responseBytes: number
  responses: number
  /** From the arrival of the bytes to the answer being ready, added up, ms. */
  timeMs: Millis
  timeMsMax: Millis
}

export function newCounters(apiKey: number, apiName: string): ApiCounters {
  return {
    apiKey,
    apiName,
    requests: 0,
    errors: 0,
    requestBytes: 0,
    responseBytes: 0,
    responses: 0,
    timeMs: 0,
    timeMsMax: 0,
  }
}
