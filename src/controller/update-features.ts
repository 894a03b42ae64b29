import { ErrorCode, errorName } from '#protocol/errors.js'
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '#protocol/messages/update-features.js'
import { inHashOrder } from '../config/java-text.js'
import type { SupportedFeature } from '../metadata/image.js'
import { ResourceType } from '../metadata/image.js'
import { losesMetadata, METADATA_VERSION, metadataAllows } from '../metadata/metadata-version.js'
import type { MetadataRecord } from '../metadata/record.js'
import { featureSupport, KRAFT_VERSION } from '../metadata/supported-features.js'
import { ELR_FEATURE, isElrEnabled } from './cluster-view.js'
import type { Command, ControllerContext } from './command.js'

/** How a level may change. */
const UpgradeType = { UPGRADE: 1, SAFE_DOWNGRADE: 2, UNSAFE_DOWNGRADE: 3 } as const

const minIsrOption = 'min.insync.replicas'

export interface FeaturesUpdated {
  readonly response: UpdateFeaturesResponse
  /** kraft.version is to be raised to this level, which is the quorum's to allow and to do; null if not. */
  readonly newKRaftVersion: number | null
}

/**
 * Changes finalized levels of features: all of them or, where one is refused, none. Every broker and controller that is
 * registered must be able to work with the new level.
 */
export function updateFeatures(request: UpdateFeaturesRequest): Command<FeaturesUpdated> {
  return context => {
    const { featureUpdates, validateOnly } = request
    // Of a feature that is named twice the last level counts.
    const updates = new Map(featureUpdates.map(update => [update.feature, update]))
    const proposed = new Map(featureUpdates.map(update => [update.feature, update.maxVersionLevel]))
    const records: MetadataRecord[] = []
    for (const name of inHashOrder([...updates.keys()])) {
      const { feature, maxVersionLevel, upgradeType } = updates.get(name)!
      const problem = updateProblem(context, feature, maxVersionLevel, upgradeType, proposed)
      if (problem !== null) {
        const errorMessage = `The update failed for all features since the following feature had an error: ${problem}`
        const errorCode = ErrorCode.INVALID_UPDATE_VERSION
        const response = { throttleTimeMs: 0, errorCode, errorMessage, results: [] }
        return { records: [], response: { response, newKRaftVersion: null } }
      }
    }
    for (const [name, featureLevel] of proposed) {
      if (name === KRAFT_VERSION) continue
      if (name === ELR_FEATURE && featureLevel > 0 && !isElrEnabled(context.image))
        records.push(...minIsrRecords(context))
      records.push({ type: 'FeatureLevelRecord', version: 0, value: { name, featureLevel } })
    }
    const results = featureUpdates.map(({ feature }) => ({
      feature,
      errorCode: ErrorCode.NONE,
      errorMessage: errorName(ErrorCode.NONE),
    }))
    const response = { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null, results }
    const kraftVersion = proposed.get(KRAFT_VERSION) ?? 0
    const newKRaftVersion = kraftVersion > context.kraftVersion ? kraftVersion : null
    return { records: validateOnly ? [] : records, response: { response, newKRaftVersion } }
  }
}

/** Why a level cannot be had, as a whole sentence; null if it can. */
function updateProblem(
  context: ControllerContext,
  name: string,
  level: number,
  upgradeType: number,
  proposed: ReadonlyMap<string, number>,
): string | null {
  const { image, kraftVersion } = context
  const refuse = (why: string): string => `Invalid update version ${level} for feature ${name}. ${why}`
  const isDowngrade = upgradeType === UpgradeType.SAFE_DOWNGRADE || upgradeType === UpgradeType.UNSAFE_DOWNGRADE
  if (!isDowngrade && upgradeType !== UpgradeType.UPGRADE) {
    return refuse('The controller does not support the given upgrade type.')
  }
  const current = name === KRAFT_VERSION ? kraftVersion : image.features.level(name)
  if (level < 0) return refuse('A feature version cannot be less than 0.')
  const unsupported = unsupportedReason(context, name, level)
  if (unsupported !== null) return refuse(unsupported)
  if (level < current && !isDowngrade) {
    return refuse(
      "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe " +
        'downgrade.',
    )
  }
  if (level > current && isDowngrade) return refuse("Can't downgrade to a newer version.")
  if (name === METADATA_VERSION) return metadataVersionProblem(current, level, upgradeType)
  if (featureSupport(name) === undefined) return refuse(`Feature ${name} not found.`)
  if (name === KRAFT_VERSION && level < current) return refuse("Can't downgrade the version of this feature.")
  return dependencyProblem(context, name, level, proposed, refuse)
}

function metadataVersionProblem(current: number, level: number, upgradeType: number): string | null {
  if (level >= current || !losesMetadata(current, level)) return null
  const why =
    upgradeType === UpgradeType.UNSAFE_DOWNGRADE
      ? 'Unsafe metadata downgrade is not supported in this version.'
      : 'Refusing to perform the requested downgrade because it might delete metadata information.'
  return `Unsupported metadata.version downgrade from ${current} to ${level}. ${why}`
}

function dependencyProblem(
  { image }: ControllerContext,
  name: string,
  level: number,
  proposed: ReadonlyMap<string, number>,
  refuse: (why: string) => string,
): string | null {
  if (level === 0) return null
  for (const need of featureSupport(name)?.needs ?? []) {
    if (level < need.level) continue
    const have = proposed.get(need.feature) ?? image.features.level(need.feature)
    if (have < need.minLevel) {
      return refuse(`${name} could not be set to ${level} because it depends on ${need.feature} level ${need.minLevel}`)
    }
  }
  return null
}

/** Who cannot work with a level, in Kafka's words; null if everyone can. */
function unsupportedReason({ identity, image }: ControllerContext, name: string, level: number): string | null {
  const local = rangeProblem(identity.supportedFeatures, name, level, `Local controller ${identity.nodeId}`)
  if (local !== null) return local
  for (const { id, features } of image.cluster.brokers.values()) {
    const problem = rangeProblem(features, name, level, `Broker ${id}`)
    if (problem !== null) return problem
  }
  if (!metadataAllows(image.features.metadataVersion, 'controllerRegistration')) return null
  for (const { id, features } of image.cluster.controllers.values()) {
    const problem = id === identity.nodeId ? null : rangeProblem(features, name, level, `Controller ${id}`)
    if (problem !== null) return problem
  }
  return null
}

function rangeProblem(features: readonly SupportedFeature[], name: string, level: number, who: string): string | null {
  const range = features.find(feature => feature.name === name)
  if (range === undefined) return level === 0 ? null : `${who} does not support this feature.`
  const { minSupportedVersion: min, maxSupportedVersion: max } = range
  if (level >= min && level <= max) return null
  return `${who} only supports versions ${min === max ? String(min) : `${min}-${max}`}`
}

/**
 * Eligible leader replicas are reckoned with one min.insync.replicas for all brokers: the cluster gets a dynamic one,
 * and those of single brokers go.
 */
function minIsrRecords({ image, config }: ControllerContext): readonly MetadataRecord[] {
  const { configs } = image
  const record = (resourceName: string, value: string | null): MetadataRecord => ({
    type: 'ConfigRecord',
    version: 0,
    value: { resourceType: ResourceType.BROKER, resourceName, name: minIsrOption, value },
  })
  const records: MetadataRecord[] = []
  if (!configs.of(ResourceType.BROKER, '').has(minIsrOption)) {
    records.push(record('', String(config.get(minIsrOption))))
  }
  for (const name of configs.resourceNames(ResourceType.BROKER)) {
    if (name !== '' && configs.of(ResourceType.BROKER, name).has(minIsrOption)) records.push(record(name, null))
  }
  return records
}
