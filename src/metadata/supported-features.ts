/**
 * Which level each feature of Kafka stands at here, and why. A level is offered when the behaviour that it stands for
 * is there; nothing else looks at the names of features to decide what to offer.
 */
import { METADATA_VERSION, METADATA_VERSION_MAX, METADATA_VERSION_MIN } from './metadata-version.js'

export const KRAFT_VERSION = 'kraft.version'
export const ELIGIBLE_LEADER_REPLICAS_VERSION = 'eligible.leader.replicas.version'
export const GROUP_VERSION = 'group.version'
export const SHARE_VERSION = 'share.version'
export const STREAMS_VERSION = 'streams.version'
export const TRANSACTION_VERSION = 'transaction.version'

export interface FeatureSupport {
  readonly name: string
  /** The levels that ApiVersions and the registrations of this node offer. */
  readonly min: number
  readonly max: number
  /**
   * The highest level that a log may say is finalized although what it stands for is not offered here: it is kept,
   * shown as finalized and handed on in snapshots, so that a directory which Kafka wrote can be served and given back.
   * A level above stops the start: records may then mean something that is not known here.
   */
  readonly toleratedMax: number
  /** From which metadata.version on Kafka's formatting finalizes which level, ascending. */
  readonly defaults: readonly { readonly metadataVersion: number; readonly level: number }[]
  /** What a level needs of other features. */
  readonly needs: readonly { readonly level: number; readonly feature: string; readonly minLevel: number }[]
  readonly reason: string
}

/** Sorted by name, but metadata.version first. */
export const supportedFeatures: readonly FeatureSupport[] = [
  {
    name: METADATA_VERSION,
    min: METADATA_VERSION_MIN,
    max: METADATA_VERSION_MAX,
    toleratedMax: METADATA_VERSION_MAX,
    defaults: [],
    needs: [],
    reason: 'Every record up to 4.4-IV2 is read and written; a new directory is formatted with 4.4-IV2.',
  },
  {
    name: ELIGIBLE_LEADER_REPLICAS_VERSION,
    min: 0,
    max: 1,
    toleratedMax: 1,
    defaults: [{ metadataVersion: 26, level: 1 }],
    needs: [{ level: 1, feature: METADATA_VERSION, minLevel: 23 }],
    reason: 'The controller keeps eligible leader replicas (KIP-966).',
  },
  {
    name: GROUP_VERSION,
    min: 0,
    max: 0,
    toleratedMax: 1,
    defaults: [{ metadataVersion: 22, level: 1 }],
    needs: [],
    reason:
      'Level 1 is the consumer group protocol of KIP-848, whose engine is not there; classic groups need no level.',
  },
  {
    name: KRAFT_VERSION,
    min: 0,
    max: 1,
    toleratedMax: 1,
    defaults: [],
    needs: [],
    reason:
      'Static voters (0) and voters in the log (1, KIP-853); chosen by the kind of quorum, kept in control records.',
  },
  {
    name: SHARE_VERSION,
    min: 0,
    max: 0,
    toleratedMax: 2,
    defaults: [
      { metadataVersion: 28, level: 1 },
      { metadataVersion: 31, level: 2 },
    ],
    needs: [],
    reason: 'Level 1 is share groups (KIP-932), whose engine is not there.',
  },
  {
    name: STREAMS_VERSION,
    min: 0,
    max: 0,
    toleratedMax: 1,
    defaults: [{ metadataVersion: 29, level: 1 }],
    needs: [],
    reason: 'Level 1 is the streams group protocol (KIP-1071), whose engine is not there.',
  },
  {
    name: TRANSACTION_VERSION,
    min: 0,
    max: 0,
    toleratedMax: 2,
    defaults: [{ metadataVersion: 24, level: 2 }],
    needs: [],
    reason:
      'Levels 1 and 2 are ways to run transactions (KIP-890), whose engine is not there; idempotence needs no level.',
  },
]

const byName = new Map(supportedFeatures.map(feature => [feature.name, feature]))

export function featureSupport(name: string): FeatureSupport | undefined {
  return byName.get(name)
}

/**
 * The level of a feature that formatting finalizes at a metadata.version unless told otherwise: Kafka's, as far as it
 * is offered here.
 */
export function defaultLevel(feature: FeatureSupport, metadataVersion: number): number {
  const kafkas = feature.defaults.findLast(entry => entry.metadataVersion <= metadataVersion)?.level ?? 0
  return Math.min(kafkas, feature.max)
}

/** How a finalized level goes with this node. 'unknown': the node must not start with it. */
export function judgeFinalized(name: string, level: number): 'supported' | 'tolerated' | 'unknown' {
  const feature = byName.get(name)
  if (feature === undefined) return level === 0 ? 'supported' : 'unknown'
  if (level <= feature.max && (level >= feature.min || level === 0)) return 'supported'
  return level <= feature.toleratedMax ? 'tolerated' : 'unknown'
}

/** Why this node cannot start with a finalized level that it does not know: what is wrong, and what to do. */
export function describeUnknownFeature(name: string, level: number): string {
  const feature = byName.get(name)
  const known = feature === undefined ? 'is not known here' : `is known here up to level ${feature.toleratedMax}`
  return (
    `the metadata log says that ${name} is finalized at level ${level}, which ${known}. ` +
    'A newer version wrote this directory: start that version, or lower the feature with it before starting this one.'
  )
}

/** Throws an Error with the text of `describeUnknownFeature` if one of the finalized levels is not known here. */
export function expectKnownFeatures(levels: Iterable<readonly [name: string, level: number]>): void {
  for (const [name, level] of levels) {
    if (judgeFinalized(name, level) === 'unknown') throw new Error(describeUnknownFeature(name, level))
  }
}

/**
 * The range to register with: wide enough for a finalized level that is only tolerated, or the quorum would refuse this
 * node.
 */
export function registrationRange(
  feature: FeatureSupport,
  finalizedLevel: number,
): { readonly min: number; readonly max: number } {
  return { min: feature.min, max: Math.max(feature.max, Math.min(finalizedLevel, feature.toleratedMax)) }
}
