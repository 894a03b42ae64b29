import { ErrorCode } from '#protocol/errors.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { FetchReply } from '../coordinator/group/group-commands.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'
import type { TopicLookup } from './topic-lookup.js'

interface AskedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitionIndexes: readonly number[]
}

type FetchedTopic = FetchReply['topics'][number]
type FetchedGroup = FetchReply & { readonly errorCode: ErrorCode }

export interface OffsetFetchServices {
  readonly groups: GroupCoordinator
  readonly topics: TopicLookup
}

/**
 * OffsetFetch 1-10.
 * Behaviour: a partition without a committed offset has -1 and no error, and so has an unknown group. What is named
 *            twice is answered once: a request has room for very many names of a group with very many offsets.
 * Versions:  2 null topics for all, an error for the whole answer (before: the same in every partition), 3 throttle
 *            time, 5 leader epoch, 6 flexible, 7 requireStable (KIP-447), 8 several groups (KIP-709), 9 member id and
 *            epoch (KIP-848; of no effect on classic groups), 10 topic ids for names.
 */
export const offsetFetch = handler(OffsetFetch, async (services: OffsetFetchServices, request, { apiVersion }) => {
  const { requireStable } = request
  if (apiVersion >= 8) {
    const fetched = withoutRepeats(request.groups).map(async ({ groupId, topics }) => ({
      groupId,
      ...(await fetchGroup(services, { groupId, topics, requireStable, usesIds: apiVersion >= 10 })),
    }))
    return { groups: await Promise.all(fetched) }
  }
  const topics = request.topics?.map(topic => ({ ...topic, topicId: ZERO_UUID })) ?? null
  const [asked] = withoutRepeats([{ groupId: request.groupId, topics }])
  const fetched = await fetchGroup(services, { ...asked!, requireStable, usesIds: false })
  if (apiVersion >= 2 || fetched.errorCode === ErrorCode.NONE) return fetched
  return { topics: (topics ?? []).map(topic => refusedTopic(topic, fetched.errorCode, '')) }
})

interface AskedGroup {
  readonly groupId: string
  /** null for everything. */
  readonly topics: readonly AskedTopic[] | null
}

/** Everything of a group is asked for once, and each partition where it is first named. */
function withoutRepeats(groups: readonly AskedGroup[]): readonly AskedGroup[] {
  const whole = new Set<string>()
  const seen = new Map<string, Map<string, Set<number>>>()
  const asked: AskedGroup[] = []
  for (const { groupId, topics } of groups) {
    if (topics === null) {
      if (!whole.has(groupId)) asked.push({ groupId, topics })
      whole.add(groupId)
      continue
    }
    const known = seen.get(groupId) ?? new Map<string, Set<number>>()
    seen.set(groupId, known)
    asked.push({ groupId, topics: topics.map(topic => withoutKnown(topic, known)) })
  }
  return asked
}

function withoutKnown(topic: AskedTopic, known: Map<string, Set<number>>): AskedTopic {
  const key = `${topic.topicId}${topic.name}`
  const before = known.get(key) ?? new Set<number>()
  known.set(key, before)
  const partitionIndexes = topic.partitionIndexes.filter(index => !before.has(index) && before.add(index))
  return { ...topic, partitionIndexes }
}

function refusedTopic(
  { name, topicId, partitionIndexes }: AskedTopic,
  errorCode: ErrorCode,
  metadata: string,
): FetchedTopic {
  const refused = { committedOffset: -1, committedLeaderEpoch: -1, metadata, errorCode }
  return { name, topicId, partitions: partitionIndexes.map(partitionIndex => ({ partitionIndex, ...refused })) }
}

async function fetchGroup(
  { groups, topics: lookup }: OffsetFetchServices,
  asked: {
    readonly groupId: string
    readonly topics: readonly AskedTopic[] | null
    readonly requireStable: boolean
    readonly usesIds: boolean
  },
): Promise<FetchedGroup> {
  const { groupId, requireStable, usesIds } = asked
  const refused: FetchedTopic[] = []
  const known: AskedTopic[] = []
  for (const topic of asked.topics ?? []) {
    const name = usesIds ? lookup.topicNameOf(topic.topicId) : topic.name
    if (name === undefined) refused.push(refusedTopic(topic, ErrorCode.UNKNOWN_TOPIC_ID, ''))
    else known.push({ ...topic, name })
  }
  const fetched = await groups.fetch({ groupId, topics: asked.topics === null ? null : known, requireStable })
  if (fetched.errorCode !== ErrorCode.NONE) return { errorCode: fetched.errorCode, topics: [] }
  if (asked.topics !== null) return { errorCode: ErrorCode.NONE, topics: [...fetched.topics, ...refused] }
  // A topic that is no more has no id, and cannot be told of where ids stand for names.
  const topics = usesIds
    ? fetched.topics.flatMap(topic => {
        const topicId = lookup.topicIdOf(topic.name)
        return topicId === undefined ? [] : [{ ...topic, topicId }]
      })
    : fetched.topics
  return { errorCode: ErrorCode.NONE, topics }
}
