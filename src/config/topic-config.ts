import type { CompressionType, LogConfig } from '#storage/log-config.js'
import type { BrokerConfig } from './broker-config.js'
import type { ConfigMap } from './layers.js'
import { longText, type OptionValue } from './option.js'
import { brokerOptionOf, type TopicValues } from './options.js'
import { topicOptions } from './topic-options.js'
import { parseValue } from './values.js'

/** The options of one topic: those of its logs (times in ms, sizes in bytes, Infinity for no limit), and the others. */
export interface TopicConfig extends LogConfig {
  readonly minInsyncReplicas: number
  readonly uncleanLeaderElectionEnable: boolean
  readonly maxDecompressedMessageBytes: number
  readonly leaderReplicationThrottledReplicas: readonly string[]
  readonly followerReplicationThrottledReplicas: readonly string[]
  readonly remoteStorageEnable: boolean
  readonly remoteLogCopyDisable: boolean
  readonly remoteLogDeleteOnDisable: boolean
  readonly remoteCopyLagMs: number
  readonly remoteCopyLagBytes: number
  /** -2: as retentionMs. */
  readonly localRetentionMs: number
  /** -2: as retentionBytes. */
  readonly localRetentionBytes: number
  readonly errorsDeadletterqueueGroupEnable: boolean
}

/** A value and the text in which DescribeConfigs shows it. */
export interface TopicDefault {
  readonly value: OptionValue
  readonly text: string | null
}

export type TopicOptionName = keyof typeof topicOptions

export const TOPIC_OPTION_NAMES = Object.keys(topicOptions) as readonly TopicOptionName[]

interface TopicBase {
  readonly defaults: ReadonlyMap<TopicOptionName, TopicDefault>
  readonly config: TopicConfig
}

const bases = new WeakMap<BrokerConfig, TopicBase>()

function baseOf(broker: BrokerConfig): TopicBase {
  let base = bases.get(broker)
  if (base === undefined) {
    const defaults = new Map(TOPIC_OPTION_NAMES.map(name => [name, defaultOf(broker, name)]))
    base = { defaults, config: configOf(valuesOver(defaults, new Map())) }
    bases.set(broker, base)
  }
  return base
}

/** What holds for a topic that says nothing itself: the broker's value where the broker has such an option. */
export function topicDefaults(broker: BrokerConfig): ReadonlyMap<TopicOptionName, TopicDefault> {
  return baseOf(broker).defaults
}

function defaultOf(broker: BrokerConfig, name: TopicOptionName): TopicDefault {
  switch (name) {
    case 'segment.ms':
      return durationDefault(broker, 'log.roll.ms', broker.logRollMs)
    case 'segment.jitter.ms':
      return durationDefault(broker, 'log.roll.jitter.ms', broker.logRollJitterMs)
    case 'retention.ms':
      return durationDefault(broker, 'log.retention.ms', broker.logRetentionMs)
    case 'flush.ms':
      return durationDefault(broker, 'log.flush.interval.ms', broker.logFlushIntervalMs)
    default: {
      const serverName = topicOptions[name].synonyms[0]
      if (serverName === undefined) return textDefault(name, topicOptions[name].defaultText)
      const option = brokerOptionOf(serverName)
      return textDefault(name, broker.effective.get(serverName) ?? option?.defaultText ?? null)
    }
  }
}

function textDefault(name: TopicOptionName, text: string | null): TopicDefault {
  const parsed = text === null ? null : parseValue(name, topicOptions[name], text)
  return parsed?.ok ? { value: parsed.value, text: parsed.text } : { value: null, text: null }
}

/** Of options with several units: the text as it was given where it was given in ms, otherwise the number of ms. */
function durationDefault(broker: BrokerConfig, serverName: string, ms: number): TopicDefault {
  const given = broker.effective.get(serverName)
  const option = brokerOptionOf(serverName)
  const parsed = given === undefined || option === null ? null : parseValue(serverName, option, given)
  return { value: ms, text: parsed?.ok && parsed.value === ms ? parsed.text : longText(ms) }
}

function valuesOver(defaults: ReadonlyMap<TopicOptionName, TopicDefault>, overrides: ConfigMap): TopicValues {
  const values: Record<string, OptionValue> = {}
  for (const [name, byDefault] of defaults) {
    const text = overrides.get(name)
    const parsed = text === undefined ? null : parseValue(name, topicOptions[name], text)
    values[name] = parsed?.ok ? parsed.value : byDefault.value
  }
  return values as unknown as TopicValues
}

/**
 * The options of a topic with these overrides. Overrides are checked when they are made; one that nevertheless has an
 * unknown name or a value that its option does not take leaves the default in force.
 */
export function topicConfigOf(broker: BrokerConfig, overrides: ConfigMap): TopicConfig {
  const base = baseOf(broker)
  return overrides.size === 0 ? base.config : configOf(valuesOver(base.defaults, overrides))
}

function configOf(values: TopicValues): TopicConfig {
  const policy = values['cleanup.policy']
  return Object.freeze({
    segmentBytes: values['internal.segment.bytes'] ?? values['segment.bytes'],
    segmentMs: values['segment.ms'],
    segmentJitterMs: values['segment.jitter.ms'],
    segmentIndexBytes: values['segment.index.bytes'],
    indexIntervalBytes: values['index.interval.bytes'],
    retentionMs: values['retention.ms'],
    retentionBytes: values['retention.bytes'],
    cleanupPolicy: Object.freeze({ delete: policy.includes('delete'), compact: policy.includes('compact') }),
    fileDeleteDelayMs: values['file.delete.delay.ms'],
    flushMessages: values['flush.messages'],
    flushMs: values['flush.ms'],
    maxMessageBytes: values['max.message.bytes'],
    compressionType: values['compression.type'] as CompressionType,
    compressionGzipLevel: values['compression.gzip.level'],
    compressionLz4Level: values['compression.lz4.level'],
    compressionZstdLevel: values['compression.zstd.level'],
    messageTimestampType: values['message.timestamp.type'] as LogConfig['messageTimestampType'],
    messageTimestampBeforeMaxMs: values['message.timestamp.before.max.ms'],
    messageTimestampAfterMaxMs: values['message.timestamp.after.max.ms'],
    deleteRetentionMs: values['delete.retention.ms'],
    minCompactionLagMs: values['min.compaction.lag.ms'],
    maxCompactionLagMs: values['max.compaction.lag.ms'],
    minCleanableDirtyRatio: values['min.cleanable.dirty.ratio'],
    preallocate: values.preallocate,
    minInsyncReplicas: values['min.insync.replicas'],
    uncleanLeaderElectionEnable: values['unclean.leader.election.enable'],
    maxDecompressedMessageBytes: values['max.decompressed.message.bytes'],
    leaderReplicationThrottledReplicas: values['leader.replication.throttled.replicas'],
    followerReplicationThrottledReplicas: values['follower.replication.throttled.replicas'],
    remoteStorageEnable: values['remote.storage.enable'],
    remoteLogCopyDisable: values['remote.log.copy.disable'],
    remoteLogDeleteOnDisable: values['remote.log.delete.on.disable'],
    remoteCopyLagMs: values['remote.copy.lag.ms'],
    remoteCopyLagBytes: values['remote.copy.lag.bytes'],
    localRetentionMs: values['local.retention.ms'],
    localRetentionBytes: values['local.retention.bytes'],
    errorsDeadletterqueueGroupEnable: values['errors.deadletterqueue.group.enable'],
  })
}
