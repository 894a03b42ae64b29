import { ApiError, ErrorCode } from '#protocol/errors.js'
import {
  type Altered,
  type AlterTarget,
  alterIncrementally,
  alterLegacy,
  type ConfigError,
  type ConfigOperation,
  DUPLICATE_RESOURCE,
  entriesProblem,
  type NamedValue,
  scopeOfResourceType,
  unknownResourceType,
} from '../config/alter.js'
import type { OptionScope } from '../config/option.js'
import { ResourceType } from '../metadata/image.js'
import type { MetadataRecord } from '../metadata/record.js'
import { isElrEnabled } from './cluster-view.js'
import {
  type Command,
  type ControllerContext,
  type ItemError,
  itemError,
  NO_ERROR,
  USER_RECORDS_MAX,
} from './command.js'
import { topicNameProblem } from './topic-name.js'

/** What both alter requests have in common. */
interface Resource<Entry> {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly Entry[]
}

export interface AlterResponse extends ItemError {
  readonly resourceType: number
  readonly resourceName: string
}

export interface AlterResult {
  readonly throttleTimeMs: number
  readonly responses: readonly AlterResponse[]
}

/**
 * Who was asked: a broker answers for its own options and for those of all brokers alone; a controller takes what other
 * brokers have checked.
 */
export type AskedNode = 'broker' | 'controller'

/** IncrementalAlterConfigs: each resource stands or falls for itself; answers come in the order of the request. */
export function incrementalAlterConfigs(
  resources: readonly Resource<ConfigOperation>[],
  validateOnly: boolean,
  asked: AskedNode = 'broker',
): Command<AlterResult> {
  return alter(resources, validateOnly, asked, alterIncrementally)
}

/** AlterConfigs, which replaces all that a resource has. */
export function legacyAlterConfigs(
  resources: readonly Resource<NamedValue>[],
  validateOnly: boolean,
  asked: AskedNode = 'broker',
): Command<AlterResult> {
  return alter(resources, validateOnly, asked, alterLegacy)
}

function alter<Entry extends NamedValue>(
  resources: readonly Resource<Entry>[],
  validateOnly: boolean,
  asked: AskedNode,
  apply: (target: AlterTarget, entries: readonly Entry[]) => Altered,
): Command<AlterResult> {
  return context => {
    const counts = new Map<string, number>()
    for (const resource of resources) counts.set(keyOf(resource), (counts.get(keyOf(resource)) ?? 0) + 1)
    const records: MetadataRecord[] = []
    const responses = resources.map(resource => {
      const { resourceType, resourceName } = resource
      const error =
        counts.get(keyOf(resource)) === 1
          ? alterOne(context, resource, asked, apply, records)
          : itemError(ErrorCode.INVALID_REQUEST, DUPLICATE_RESOURCE)
      return { ...error, resourceType, resourceName }
    })
    if (isElrEnabled(context.image)) for (const record of clearElrRecords(records)) records.push(record)
    if (records.length > USER_RECORDS_MAX) {
      throw new ApiError(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
    }
    return { records: validateOnly ? [] : records, response: { throttleTimeMs: 0, responses } }
  }
}

function keyOf({ resourceType, resourceName }: Resource<unknown>): string {
  return `${resourceType}:${resourceName}`
}

function alterOne<Entry extends NamedValue>(
  context: ControllerContext,
  { resourceType, resourceName, configs }: Resource<Entry>,
  asked: AskedNode,
  apply: (target: AlterTarget, entries: readonly Entry[]) => Altered,
  records: MetadataRecord[],
): ItemError {
  const { image, config } = context
  const scope = scopeOfResourceType(resourceType)
  if (scope === null) return refused(entriesProblem(configs) ?? unknownResourceType(resourceType))
  if (scope === 'broker' && asked === 'controller') {
    const problem = brokerProblem(context, resourceName)
    if (problem !== null) return problem
  }
  const isOfOtherBroker = asked === 'controller' && isOtherNode(context, scope, resourceName)
  const target: AlterTarget = {
    scope,
    // The checks take every broker for the one that answers.
    resourceName: isOfOtherBroker ? String(context.identity.nodeId) : resourceName,
    isOfOtherBroker,
    topicNameProblem: scope === 'topic' ? topicNameProblem(resourceName) : null,
    current: image.configs.of(resourceType, resourceName),
    broker: config,
    eligibleLeaderReplicas: isElrEnabled(image),
  }
  const altered = apply(target, configs)
  if (!altered.ok) return refused(altered.error)
  if (scope === 'topic' && image.topics.byName(resourceName) === undefined) {
    return itemError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${resourceName}' does not exist.`)
  }
  for (const { name, value } of altered.changes) {
    records.push({ type: 'ConfigRecord', version: 0, value: { resourceType, resourceName, name, value } })
  }
  return NO_ERROR
}

function refused({ name, message }: ConfigError): ItemError {
  return itemError(ErrorCode[name], message)
}

/** Why a controller has no node of this name; null if it has. */
function brokerProblem({ image: { cluster } }: ControllerContext, name: string): ItemError | null {
  if (name === '') return null
  const id = /^[+-]?\d{1,10}$/.test(name) ? Number(name) : Number.NaN
  if (!(Math.abs(id) <= 0x7fffffff)) {
    return itemError(ErrorCode.INVALID_REQUEST, 'Unable to parse broker name as a base 10 number.')
  }
  if (id < 0) return itemError(ErrorCode.INVALID_REQUEST, 'Invalid negative broker ID.')
  if (cluster.brokers.has(id) || cluster.controllers.has(id)) return null
  return itemError(ErrorCode.BROKER_ID_NOT_REGISTERED, `No node with id ${id} found.`)
}

/** A registered node that is not this one. */
function isOtherNode({ image, identity }: ControllerContext, scope: OptionScope, name: string): boolean {
  if (scope !== 'broker' || !/^\d{1,10}$/.test(name)) return false
  const id = Number(name)
  return id !== identity.nodeId && (image.cluster.brokers.has(id) || image.cluster.controllers.has(id))
}

/** Who may lead was reckoned with the old min.insync.replicas: begin anew, for one topic or for all (''). */
export function clearElrRecords(records: readonly MetadataRecord[]): readonly MetadataRecord[] {
  const topicNames = new Set<string>()
  for (const record of records) {
    if (record.type !== 'ConfigRecord' || record.value.name !== 'min.insync.replicas') continue
    const { resourceType, resourceName } = record.value
    if (resourceType === ResourceType.TOPIC) topicNames.add(resourceName)
    else if (resourceType === ResourceType.BROKER && resourceName === '') topicNames.add('')
  }
  return [...topicNames].map(topicName => ({ type: 'ClearElrRecord', version: 0, value: { topicName } }))
}
