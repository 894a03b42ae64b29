/**
 * Conversations with Kafka's active controller (4.4), held through Kafka's own codecs: what was asked, what it answered,
 * and which records it wrote. The handlers here, on a controller in the same state, must say and write the same. The
 * brokers are made up: nobody but the conversation speaks for them. Where records come from a set of partitions, Kafka
 * lists them in the order of a hash table, so order counts only between kinds of records. Kafka's tool of 4.3 cannot
 * show the record that a controller is unregistered; that one is filled in.
 *
 * Left out on purpose, because it is done otherwise here:
 * - Kafka writes once more that a broker is fenced which is fenced and wants to stop, and that the directories which
 *   take no new replicas are none when they were not told before;
 * - Kafka keeps the session of a broker that it has let go: its next process must wait until that has run out;
 * - Kafka keeps whoever is being added to a partition among those also when a new target does not have it;
 * - a leader recovery state that nobody knows costs Kafka's controller its office; here it is an invalid request.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { ApiError, errorName } from '#protocol/errors.js'
import { APIS } from '#protocol/messages/index.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { controllerHandlers } from '#src/handlers/controller.js'
import type { Handler } from '#src/handlers/handler.js'
import { ResourceType } from '#src/metadata/image.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import { errorResponse } from '#src/server/error-response.js'
import { sourceFolder } from '../../support/transcript.js'
import { call, TestCluster } from '../handlers/admin-support.js'
import {
  asKafkaShowsIt,
  inAnyOrder,
  type Json,
  ordered,
  plain,
  type ShownRecord,
  withoutStrangers,
} from './kafka-records.js'

interface Step {
  readonly about: string
  readonly api: string
  readonly version: number
  /** Texts that begin with $ stand for what was saved before. */
  readonly request: Json
  /** What is kept of the answer: name to place. */
  readonly save?: Readonly<Record<string, string>>
  readonly answer: Json
  readonly records: readonly ShownRecord[]
}

const folder = sourceFolder(import.meta.url, 'kafka')

/** What the conversations' clusters were formatted with, by what the name of the file says. */
const formats: readonly (readonly [suffix: string, metadataVersion: number, elr: number])[] = [
  ['-at-3.5', 11, 0],
  ['-at-3.9', 21, 0],
  ['-without-elr', 33, 0],
  ['', 33, 1],
]

for (const name of readdirSync(folder).sort()) {
  const about = name.replace(/\.jsonl\.gz$/, '')
  const [, metadataVersion, elr] = formats.find(([suffix]) => about.endsWith(suffix))!
  test(`Kafka's controller was asked the same: ${about.replaceAll('-', ' ')}`, async () => {
    const side = new Side()
    const cluster = controllerOnItsOwn(metadataVersion, elr)
    const steps = gunzipSync(readFileSync(new URL(name, folder)))
      .toString()
      .trimEnd()
      .split('\n')
    for (const line of steps) await check(cluster, side, JSON.parse(line) as Step)
  })
}

/** A controller that is no broker, as it was when the conversations began. */
function controllerOnItsOwn(metadataVersion: number, elr: number): TestCluster {
  const options = {
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
    'broker.session.timeout.ms': '120000',
    'auto.leader.rebalance.enable': 'false',
  }
  const cluster = new TestCluster({ metadataVersion, elr, options }, [])
  const minIsr = { resourceType: ResourceType.BROKER, resourceName: '', name: 'min.insync.replicas', value: '2' }
  if (elr > 0) cluster.controller.append([{ type: 'ConfigRecord', version: 0, value: minIsr }])
  // No broker epoch of either side is as low as the ones that are stale on purpose.
  const noOp: MetadataRecord = { type: 'NoOpRecord', version: 0, value: {} }
  cluster.controller.append(Array.from({ length: 10 }, () => noOp))
  return cluster
}

/** What both sides name by numbers and ids of their own. */
class Side {
  readonly ours = new Map<string, Json>()
  readonly kafkas = new Map<string, Json>()
}

async function check(cluster: TestCluster, side: Side, step: Step): Promise<void> {
  const from = cluster.controller.log.length
  const answer = plain(await ask(cluster, step, filledIn(step.request, side.ours)))
  const records = cluster.controller.log.slice(from).map(record => withoutStrangers(asKafkaShowsIt(record)))
  for (const [name, place] of Object.entries(step.save ?? {})) {
    side.ours.set(name, at(answer, place))
    side.kafkas.set(name, at(step.answer, place))
  }
  const about = `${step.about}: ${JSON.stringify(step.request).slice(0, 300)}`
  assert.deepEqual(settled(named(answer, side.ours)), settled(named(comparable(step.answer), side.kafkas)), about)
  assert.deepEqual(
    ordered(named(records, side.ours)),
    ordered(named(step.records.map(withoutStrangers), side.kafkas)),
    about,
  )
}

async function ask(cluster: TestCluster, { api: apiName, version }: Step, request: Json): Promise<object> {
  const api = APIS.find(({ name }) => name === apiName)!
  const handler = controllerHandlers.find(one => one.api.key === api.key) as Handler<unknown>
  const services = { controller: cluster, config: cluster.config, upgradeKRaftVersion: async () => {} }
  const options = { apiVersion: version, listenerKind: 'controller' } as const
  try {
    return comparable((await call(api, handler, services, request as never, options)) as Json) as object
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const message = error.message === errorName(error.code) ? null : error.message
    const failed = { api, handle: () => errorResponse(api, version, request, error.code, message) }
    return comparable((await call(api, failed, {}, request as never, options)) as Json) as object
  }
}

/** Without the options of new topics, which are another test's, and what of them is not shown where it says nothing. */
function comparable(answer: Json): Json {
  return JSON.parse(JSON.stringify(answer), (key, value) => {
    if (value === ZERO_UUID || key === 'topicConfigErrorCode' || (key === 'results' && value.length === 0))
      return undefined
    return key === 'configs' ? [] : value
  })
}

/** Where all topics are meant, they come in the order of a hash table. */
function settled(answer: Json): Json {
  return JSON.parse(JSON.stringify(answer), (key, value) => {
    return ['topics', 'responses', 'replicaElectionResults', 'partitionResult'].includes(key)
      ? inAnyOrder(value)
      : value
  })
}

function at(value: Json, place: string): Json {
  let found = value
  for (const key of place.split('/').slice(1)) found = (found as Record<string, Json>)[key]!
  return found
}

function filledIn(value: Json, saved: ReadonlyMap<string, Json>): Json {
  return JSON.parse(JSON.stringify(value), (_key, item) => {
    return typeof item === 'string' && item.startsWith('$') ? saved.get(item.slice(1)) : item
  })
}

/** With names for broker epochs and topic ids; an epoch or id without a name has come to light just now. */
function named<Value extends Json>(value: Value, saved: ReadonlyMap<string, Json>): Value {
  const names = new Map([...saved].map(([name, item]) => [item, `$${name}`]))
  return JSON.parse(JSON.stringify(value), (key, item) => {
    if (key === 'brokerEpoch' && item !== -1) return names.get(item) ?? 'another'
    return key === 'topicId' && item !== ZERO_UUID ? (names.get(item) ?? 'another') : item
  })
}
