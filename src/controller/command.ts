import { type ApiError, ErrorCode } from '#protocol/errors.js'
import type { BrokerConfig } from '../config/broker-config.js'
import type { MetadataImage, SupportedFeature } from '../metadata/image.js'
import type { MetadataRecord } from '../metadata/record.js'
import type { Millis, Random } from '../runtime/ports.js'
import type { BrokerSessions } from './broker-sessions.js'

/** What the active controller is; nothing of it changes while it runs. */
export interface ControllerIdentity {
  readonly nodeId: number
  readonly clusterId: string
  /** Ranges of feature levels that this node's software can work with, kraft.version among them. */
  readonly supportedFeatures: readonly SupportedFeature[]
}

/** All that a command may look at. */
export interface ControllerContext {
  readonly identity: ControllerIdentity
  /** The cluster with everything that was appended so far, committed or not. */
  readonly image: MetadataImage
  readonly sessions: BrokerSessions
  /** The options of this node under the dynamic configuration of `image`. */
  readonly config: BrokerConfig
  readonly kraftVersion: number
  readonly random: Random
  readonly now: Millis
  /** The offset that the first record of this command gets. */
  readonly nextOffset: number
}

/** What comes of a command: records to append, and what to answer once they are committed. */
export interface Outcome<Response> {
  readonly records: readonly MetadataRecord[]
  readonly response: Response
}

/**
 * One operation of the controller. It changes nothing but sessions: it says by its records what is to change. It throws
 * ApiError where the whole request is refused.
 */
export type Command<Response> = (context: ControllerContext) => Outcome<Response>

/** An error of one item of a request; code NONE and no message for success. */
export interface ItemError {
  readonly errorCode: ErrorCode
  readonly errorMessage: string | null
}

export const NO_ERROR: ItemError = { errorCode: ErrorCode.NONE, errorMessage: null }

export function itemError(errorCode: ErrorCode, errorMessage: string | null = null): ItemError {
  return { errorCode, errorMessage }
}

/** An ApiError as the error of one item. */
export function itemErrorOf(error: ApiError): ItemError {
  return { errorCode: error.code, errorMessage: error.message }
}

/** Records that one request of a user may lead to, and partitions that it may create: Kafka's limits. */
export const USER_RECORDS_MAX = 10_000
export const USER_PARTITIONS_MAX = 10_000
