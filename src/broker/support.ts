import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { LogDirectory } from '#storage/log-directory.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import type { AdvertisedVersions } from '../handlers/api-versions.js'
import { type BrokerServices, brokerHandlers } from '../handlers/broker.js'
import { type ControllerServices, controllerHandlers } from '../handlers/controller.js'
import type { TopicLookup } from '../handlers/topic-lookup.js'
import type { MetadataImage } from '../metadata/image.js'
import { imageToRecords } from '../metadata/image-to-records.js'
import { METADATA_VERSION } from '../metadata/metadata-version.js'
import type { MetadataPublisher } from '../metadata/publisher.js'
import { KRAFT_VERSION, supportedFeatures } from '../metadata/supported-features.js'
import type { RaftDriver } from '../raft/driver.js'
import type { SnapshotImage } from '../raft/metadata-log.js'
import { advertisedApis } from '../server/api-table.js'

/** The controller of a node that is none. */
export const noController: ControllerRequests = {
  run: () => Promise.reject(new ApiError(ErrorCode.NOT_CONTROLLER)),
}

/** What handlers of groups ask about topics. */
export function topicLookup(image: () => MetadataImage): TopicLookup {
  return {
    topicIdOf: name => image().topics.byName(name)?.id,
    topicNameOf: topicId => image().topics.byId(topicId)?.name,
    hasPartition: (name, partition) => image().topics.partition(name, partition) !== undefined,
  }
}

/**
 * The published state as a snapshot of the metadata log; null before there is any, and within a metadata transaction.
 */
export function snapshotOf(publisher: MetadataPublisher): SnapshotImage | null {
  const { image } = publisher
  if (publisher.inTransaction || image.offset < 0) return null
  return { offset: image.offset, epoch: image.epoch, records: imageToRecords(image) }
}

/** The id by which the metadata knows a directory. */
export function directoryIdOf(directory: LogDirectory): string {
  const id = directory.metaProperties?.directoryId ?? null
  if (id === null) throw new Error(`${directory.path} has no directory.id`)
  return id
}

/** The epoch with which this broker stopped cleanly last time, in all its directories alike; -1 if it did not. */
export function previousBrokerEpoch(directories: readonly LogDirectory[]): number {
  const epochs = new Set(directories.map(directory => (directory.wasCleanShutdown ? directory.lastBrokerEpoch : -1)))
  const [epoch] = epochs
  return epochs.size === 1 && epoch !== undefined ? epoch : -1
}

/** Raises kraft.version by way of the quorum. */
export function upgradeKRaftVersion(quorum: RaftDriver): (level: number, validateOnly: boolean) => Promise<void> {
  return async (kraftVersion, validateOnly) => {
    const { epoch } = quorum.leader
    const { reply } = await quorum.ask({ api: 'upgradeKRaftVersion', epoch, kraftVersion, validateOnly })
    if (reply.api !== 'upgradeKRaftVersion') throw new Error(`the quorum answered ${reply.api}`)
    if (reply.error !== ErrorCode.NONE) throw new ApiError(reply.error, reply.message ?? undefined)
  }
}

/** What ApiVersions says: the tables of handlers, and the features. */
export function advertisedVersions(
  image: () => MetadataImage,
  quorum: RaftDriver,
  unstableVersions: boolean,
  clusterId: string,
): AdvertisedVersions {
  const apis = {
    broker: advertisedApis<BrokerServices>(brokerHandlers, { unstableVersions }),
    controller: advertisedApis<ControllerServices>(controllerHandlers, { unstableVersions }),
  }
  const features = supportedFeatures.map(({ name, min, max }) => ({ name, minVersion: min, maxVersion: max }))
  return {
    clusterId,
    nodeId: quorum.nodeId,
    apis: kind => apis[kind],
    supportedFeatures: () => features,
    finalizedFeatures: () => {
      const { features, offset } = image()
      if (!features.hasMetadataVersion) return { epoch: -1, levels: new Map() }
      const levels = new Map([[METADATA_VERSION, features.metadataVersion], ...features.levels])
      if (quorum.kraftVersion > 0) levels.set(KRAFT_VERSION, quorum.kraftVersion)
      return { epoch: offset, levels }
    },
  }
}
