import { messageCodec } from '#protocol/codec.js'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { decodeResponse, encodeRequest, FRAME_SIZE_BYTES } from '#protocol/frame.js'
import { DefaultPrincipalData } from '#protocol/internal/principal-data.js'
import { DescribeQuorum } from '#protocol/messages/describe-quorum.js'
import { Envelope } from '#protocol/messages/envelope.js'
import { ListPartitionReassignments } from '#protocol/messages/list-partition-reassignments.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import type { PublishedWait } from '../metadata/publisher.js'
import { METADATA_TOPIC } from '../raft/metadata-log.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'
import { addressBytes } from './address-bytes.js'
import type { ControllerChannel } from './controller-channel.js'

/** Who sent a request that is forwarded, and how. */
export interface ForwardedHeader {
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  /** The peer's address without a port. */
  readonly clientAddress: string
}

export interface ForwarderParts {
  readonly channel: ControllerChannel
  /** Whether the active controller is in this process, as far as is known. */
  readonly isLocal: () => boolean
  /** Waits until this node's own image has the record at an offset. */
  readonly waitFor: (offset: number) => PublishedWait
  readonly clock: Clock
  readonly logger: Logger
  /** `request.timeout.ms`; Kafka has a minute, whatever its options. */
  readonly requestTimeoutMs: Millis
}

/** Requests after whose answer this node has nothing new to see. */
const READ_ONLY_KEYS: ReadonlySet<number> = new Set([DescribeQuorum.key, ListPartitionReassignments.key])
/** How often the end of the committed log is asked for while the quorum does not know it, ms. */
const ASK_AGAIN_MS: Millis = 20

/**
 * Sends requests of clients on to the active controller, in an Envelope with the client's principal and address
 * (KIP-590).
 */
export class Forwarder {
  readonly #parts: ForwarderParts

  constructor(parts: ForwarderParts) {
    this.#parts = parts
  }

  get isLocal(): boolean {
    return this.#parts.isLocal()
  }

  /** When a client whose request has come now is told that there is no answer: a point of time of `Clock.now()`, ms. */
  deadline(): Millis {
    return this.#parts.clock.now() + this.#parts.requestTimeoutMs
  }

  /**
   * Resolves with the controller's answer, in the version of the request, once this node's image has all that was
   * committed when the answer was given: who was told of a change sees it here with the next request. Rejects with
   * ApiError: REQUEST_TIMED_OUT when there is no answer by `deadline` (it is open whether the change is made then).
   */
  async forward<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    header: ForwardedHeader,
    request: Encodable<Q>,
    deadline: Millis = this.deadline(),
  ): Promise<Decoded<R>> {
    const { channel } = this.#parts
    const { apiVersion: version, correlationId, clientId, clientAddress } = header
    const frame = Buffer.concat(encodeRequest(api, { version, correlationId, clientId }, request))
    const enveloped = {
      requestData: frame.subarray(FRAME_SIZE_BYTES),
      requestPrincipal: anonymous(),
      clientHostAddress: addressBytes(clientAddress),
    }
    const { errorCode, responseData } = await channel.call(Envelope, enveloped, deadline)
    if (errorCode !== ErrorCode.NONE || responseData === null) throw envelopeError(errorCode as ErrorCode)
    const { response } = decodeResponse(api, version, Buffer.from(responseData))
    if (!READ_ONLY_KEYS.has(api.key)) await this.#catchUp(deadline)
    return response
  }

  /** Waits for what is committed now. An answer that was given is not taken back for want of that. */
  async #catchUp(deadline: Millis): Promise<void> {
    const { clock, logger, waitFor } = this.#parts
    let timer: Timer | null = null
    try {
      const end = await this.#committedEnd(deadline)
      const wait = waitFor(end - 1)
      const expired = new Promise<never>((_, reject) => {
        timer = clock.at(deadline, () => reject(new ApiError(ErrorCode.REQUEST_TIMED_OUT)))
      })
      try {
        await Promise.race([wait.reached, expired])
      } finally {
        wait.cancel()
      }
    } catch (error) {
      logger.debug({ error: String(error) }, 'a change was made, and this node could not wait to see it')
    } finally {
      ;(timer as Timer | null)?.cancel()
    }
  }

  /** Where the committed log ends by what the leader says now. */
  async #committedEnd(deadline: Millis): Promise<number> {
    const { channel, clock } = this.#parts
    const request = { topics: [{ topicName: METADATA_TOPIC, partitions: [{ partitionIndex: 0 }] }] }
    for (;;) {
      const { topics } = await channel.call(DescribeQuorum, request, deadline)
      const partition = topics[0]?.partitions[0]
      if (partition?.errorCode === ErrorCode.NONE && partition.highWatermark >= 0) return partition.highWatermark
      if (clock.now() >= deadline) throw new ApiError(ErrorCode.REQUEST_TIMED_OUT)
      await new Promise<void>(resolve => clock.at(clock.now() + ASK_AGAIN_MS, resolve))
    }
  }
}

/** What Kafka tells the client of an envelope that failed. */
function envelopeError(code: ErrorCode): ApiError {
  return new ApiError(code === ErrorCode.UNSUPPORTED_VERSION ? code : ErrorCode.UNKNOWN_SERVER_ERROR)
}

let anonymousBytes: Buffer | null = null

/** A client that has not said who it is. */
function anonymous(): Buffer {
  if (anonymousBytes === null) {
    const writer = new Writer()
    writer.int16(0)
    const principal = { type: 'User', name: 'ANONYMOUS', tokenAuthenticated: false }
    messageCodec(DefaultPrincipalData, 0).write(writer, principal)
    anonymousBytes = Buffer.concat(writer.finish())
  }
  return anonymousBytes
}
