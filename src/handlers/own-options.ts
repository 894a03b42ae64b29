import { ErrorCode } from '#protocol/errors.js'
import { type Altered, type AlterTarget, DUPLICATE_RESOURCE } from '../config/alter.js'
import type { BrokerConfig } from '../config/broker-config.js'
import type { AlterResponse } from '../controller/alter-configs.js'
import { isElrEnabled } from '../controller/cluster-view.js'
import { type ItemError, itemError } from '../controller/command.js'
import type { PublishedMetadata } from '../metadata/delta.js'
import { ResourceType } from '../metadata/image.js'
import type { SplitRequest } from './forwarded.js'

/** What a broker needs to judge changes of its own options. */
export interface OwnOptionsServices {
  readonly metadata: PublishedMetadata
  readonly config: () => BrokerConfig
}

interface Resource<Entry> {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly Entry[]
}

interface AlterRequest<Entry> {
  readonly resources: readonly Resource<Entry>[]
}

interface AlterAnswer {
  readonly responses: readonly AlterResponse[]
}

/**
 * A change of options as a broker sends it on: without what it refuses itself, which are changes of its own options, or
 * of those of all brokers, that it cannot live with (no controller knows that), and without what is for this node
 * alone.
 *
 * apply: what the change does to the options of a resource
 */
export function splitOptions<Entry>(
  request: AlterRequest<Entry>,
  services: OwnOptionsServices,
  apply: (target: AlterTarget, entries: readonly Entry[]) => Altered,
  isForThisNode: (resource: Resource<Entry>) => boolean,
): SplitRequest {
  const { resources } = request
  const counts = new Map<string, number>()
  for (const resource of resources) counts.set(keyOf(resource), (counts.get(keyOf(resource)) ?? 0) + 1)
  const refused = new Map<Resource<Entry>, ItemError>()
  for (const resource of resources) {
    const problem =
      counts.get(keyOf(resource)) === 1
        ? ownOptionsProblem(services, resource, apply)
        : itemError(ErrorCode.INVALID_REQUEST, DUPLICATE_RESOURCE)
    if (problem !== null) refused.set(resource, problem)
  }
  const part = (wanted: boolean): AlterRequest<Entry> | null => {
    const some = resources.filter(resource => isForThisNode(resource) === wanted && !refused.has(resource))
    return some.length === 0 && !(resources.length === 0 && !wanted) ? null : { ...request, resources: some }
  }
  return {
    forController: part(false),
    forThisNode: part(true),
    merge: (fromController, fromThisNode) => {
      // By iterators: to shift a long list once for each of its elements takes minutes.
      const remote = answersOf(fromController)
      const local = answersOf(fromThisNode)
      const responses = resources.map(resource => {
        const problem = refused.get(resource)
        if (problem === undefined) return (isForThisNode(resource) ? local : remote).next().value!
        return { ...problem, resourceType: resource.resourceType, resourceName: resource.resourceName }
      })
      return { throttleTimeMs: 0, responses }
    },
  }
}

function answersOf(answer: object | null): Iterator<AlterResponse, undefined> {
  return ((answer as AlterAnswer | null)?.responses ?? []).values()
}

function keyOf({ resourceType, resourceName }: Resource<unknown>): string {
  return `${resourceType}:${resourceName}`
}

/** Why this broker refuses a change of its options, or of those of all brokers; null if it does not. */
function ownOptionsProblem<Entry>(
  { metadata, config }: OwnOptionsServices,
  { resourceType, resourceName, configs }: Resource<Entry>,
  apply: (target: AlterTarget, entries: readonly Entry[]) => Altered,
): ItemError | null {
  if (resourceType !== ResourceType.BROKER) return null
  const { image } = metadata
  const target: AlterTarget = {
    scope: 'broker',
    resourceName,
    current: image.configs.of(resourceType, resourceName),
    broker: config(),
    eligibleLeaderReplicas: isElrEnabled(image),
  }
  const altered = apply(target, configs)
  return altered.ok ? null : itemError(ErrorCode[altered.error.name], altered.error.message)
}
