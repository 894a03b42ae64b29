import * as consumerProtocol from '#protocol/consumer-protocol.js'
import * as header from '#protocol/header.js'
import * as consumerGroup from '#protocol/internal/consumer-group-records.js'
import * as group from '#protocol/internal/group-records.js'
import * as metadata from '#protocol/internal/metadata-records.js'
import * as principal from '#protocol/internal/principal-data.js'
import * as raft from '#protocol/internal/raft-records.js'
import * as remoteLog from '#protocol/internal/remote-log-records.js'
import * as shareGroup from '#protocol/internal/share-group-records.js'
import * as share from '#protocol/internal/share-records.js'
import * as storage from '#protocol/internal/storage-records.js'
import * as streamsGroup from '#protocol/internal/streams-group-records.js'
import * as transaction from '#protocol/internal/transaction-records.js'
import { APIS } from '#protocol/messages/index.js'
import type { Message } from '#protocol/schema.js'

const modules = [
  consumerProtocol,
  header,
  consumerGroup,
  group,
  metadata,
  principal,
  raft,
  remoteLog,
  share,
  shareGroup,
  storage,
  streamsGroup,
  transaction,
]

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'fields' in value && 'flexible' in value
}

/** Every message that is declared, by name: requests, responses, headers, records, structures. */
export const ALL_MESSAGES: ReadonlyMap<string, Message> = new Map(
  [
    ...APIS.flatMap(api => [api.request, api.response]),
    ...modules.flatMap(module => Object.values(module).filter(isMessage)),
  ].map(message => [message.name, message as Message]),
)
