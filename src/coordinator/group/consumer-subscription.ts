import { messageCodec } from '#protocol/codec.js'
import { ConsumerProtocolSubscription } from '#protocol/consumer-protocol.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader } from '#protocol/reader.js'

/**
 * The topics that members of a group of type 'consumer' subscribe to. The topics come first in every version of the
 * subscription, so that the coordinator need not know later ones. Returns null if one cannot be read: some clients say
 * 'consumer' and mean something of their own.
 */
export function subscribedTopicsOf(subscriptions: readonly Uint8Array[]): ReadonlySet<string> | null {
  const topics = new Set<string>()
  try {
    for (const bytes of subscriptions) {
      const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      reader.int16()
      for (const topic of messageCodec(ConsumerProtocolSubscription, 0).read(reader).topics) topics.add(topic)
    }
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
  return topics
}
