import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '#protocol/messages/delete-topics.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { MetadataRecord } from '../metadata/record.js'
import { type Command, USER_RECORDS_MAX } from './command.js'

type Response = NonNullable<DeleteTopicsResponse['responses']>[number]

const unknownName = 'This server does not host this topic-partition.'
const unknownId = 'This server does not host this topic ID.'

/** Deletes topics by name or by id. Each stands or falls for itself; a topic that is named twice stays. */
export function deleteTopics(request: DeleteTopicsRequest): Command<DeleteTopicsResponse> {
  return ({ image }) => {
    const responses: Response[] = []
    const refuse = (name: string | null, topicId: string, errorCode: ErrorCode, errorMessage: string): void => {
      responses.push({ name, topicId, errorCode, errorMessage })
    }
    const { names, ids, twiceNamed, twiceGiven } = gather(request, refuse)
    for (const name of twiceNamed) refuse(name, ZERO_UUID, ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
    for (const id of twiceGiven) refuse(null, id, ErrorCode.INVALID_REQUEST, 'Duplicate topic id.')
    const doomed = new Map<string, string>()
    for (const id of ids) {
      const topic = image.topics.byId(id)
      if (topic === undefined) refuse(null, id, ErrorCode.UNKNOWN_TOPIC_ID, unknownId)
      else doomed.set(id, topic.name)
    }
    for (const name of names) {
      const topic = image.topics.byName(name)
      if (topic === undefined) refuse(name, ZERO_UUID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, unknownName)
      else if (doomed.has(topic.id) || twiceGiven.has(topic.id)) {
        doomed.delete(topic.id)
        const message = 'The provided topic name maps to an ID that was already supplied.'
        refuse(name, topic.id, ErrorCode.INVALID_REQUEST, message)
      } else doomed.set(topic.id, name)
    }
    if (doomed.size > USER_RECORDS_MAX) {
      throw new ApiError(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
    }
    const records: MetadataRecord[] = []
    for (const [topicId, name] of doomed) {
      records.push({ type: 'RemoveTopicRecord', version: 0, value: { topicId } })
      responses.push({ name, topicId, errorCode: ErrorCode.NONE, errorMessage: null })
    }
    return { records, response: { throttleTimeMs: 0, responses } }
  }
}

interface Gathered {
  readonly names: ReadonlySet<string>
  readonly ids: ReadonlySet<string>
  readonly twiceNamed: ReadonlySet<string>
  readonly twiceGiven: ReadonlySet<string>
}

function gather(
  request: DeleteTopicsRequest,
  refuse: (name: string | null, topicId: string, errorCode: ErrorCode, errorMessage: string) => void,
): Gathered {
  const names = new Set<string>()
  const ids = new Set<string>()
  const twiceNamed = new Set<string>()
  const twiceGiven = new Set<string>()
  const add = (item: string, once: Set<string>, twice: Set<string>): void => {
    if (twice.has(item)) return
    if (once.delete(item)) twice.add(item)
    else once.add(item)
  }
  for (const name of request.topicNames) add(name, names, twiceNamed)
  for (const { name, topicId } of request.topics) {
    if (name !== null && topicId !== ZERO_UUID) {
      refuse(name, topicId, ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
    } else if (name !== null) add(name, names, twiceNamed)
    else if (topicId !== ZERO_UUID) add(topicId, ids, twiceGiven)
    else refuse(null, ZERO_UUID, ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.')
  }
  return { names, ids, twiceNamed, twiceGiven }
}
