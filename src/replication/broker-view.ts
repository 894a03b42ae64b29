import type { MetadataImage } from '../metadata/image.js'

/** What leaders ask about other brokers. */
export interface BrokerView {
  /** The epoch of a broker that is registered and not fenced; -1 if it is not. */
  liveEpochOf(brokerId: number): number
  /** Whether it may join in-sync replicas: alive, not on its way out. */
  isActive(brokerId: number): boolean
}

/** Nobody is known. */
export const NO_BROKERS: BrokerView = { liveEpochOf: () => -1, isActive: () => false }

/** What the metadata says at the moment of asking; null: nothing yet. */
export function brokerViewOf(image: () => MetadataImage | null): BrokerView {
  return {
    liveEpochOf: brokerId => {
      const broker = image()?.cluster.broker(brokerId)
      return broker === undefined || broker.fenced ? -1 : broker.epoch
    },
    isActive: brokerId => {
      const broker = image()?.cluster.broker(brokerId)
      return broker !== undefined && !broker.fenced && !broker.inControlledShutdown
    },
  }
}
