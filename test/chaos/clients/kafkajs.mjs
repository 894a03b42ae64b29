// kafkajs under faults: producers of every kind, a group of two members that commit what they have read, and an admin.
// Says what it does and what it is told as events of the history (../history.ts), an object a line, until a line on
// standard input says `stop`; then it settles what is under way and ends.

import { createInterface } from 'node:readline'
import kafkajs from 'kafkajs'

const { Kafka, logLevel, ConfigResourceTypes } = kafkajs
const { CHAOS_BOOTSTRAP, CHAOS_TOPIC, CHAOS_ADMIN_INTERVAL_MS = '1500' } = process.env
const NAME = 'kafkajs'
const GROUP = 'kafkajs-group'
const PAUSE_MS = 10
const BATCH = 3
const SETTLE_MS = 60_000
const SURE_MS = 3000

const say = event => process.stdout.write(`${JSON.stringify(event)}\n`)
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const now = () => Math.round(performance.now())
let isOver = false
createInterface({ input: process.stdin }).on('line', line => {
  if (line === 'stop') isOver = true
})

function kafka(clientId, retries) {
  return new Kafka({
    clientId: `kafkajs-${clientId}`,
    brokers: CHAOS_BOOTSTRAP.split(','),
    logLevel: process.env.CHAOS_CLIENT_LOG === undefined ? logLevel.NOTHING : logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log }) =>
        process.stderr.write(`${clientId} ${namespace} ${JSON.stringify(log)}\n`),
    connectionTimeout: 1000,
    requestTimeout: 5000,
    retry: { initialRetryTime: 50, maxRetryTime: 300, retries },
  })
}

/** Sends numbered records, one request after the other. */
async function writer(name, partition, { idempotent, acks, once }) {
  say({ e: 'writer', w: name, topic: CHAOS_TOPIC, p: partition, idempotent, acks, once })
  let producer = null
  let number = 0
  while (!isOver) {
    try {
      if (producer === null) {
        const made = kafka(name, once ? 0 : 1000).producer({
          idempotent,
          maxInFlightRequests: 1,
          allowAutoTopicCreation: false,
        })
        await made.connect()
        producer = made
      }
    } catch {
      await pause(100)
      continue
    }
    const from = number
    number += BATCH
    say({ e: 'send', w: name, n: number - 1, at: now() })
    try {
      const values = Array.from({ length: BATCH }, (_, i) => `${name}:${from + i}`)
      const messages = values.map(value => ({ key: name, value, partition }))
      const [answer] = await producer.send({ topic: CHAOS_TOPIC, acks, messages })
      if (acks !== 0) say({ e: 'ack', w: name, from, count: BATCH, offset: Number(answer.baseOffset), at: now() })
    } catch (error) {
      say({ e: 'gaveUp', w: name, from, count: BATCH, why: String(error.message) })
      // After a failure it would use the same sequence numbers for other records: it begins again as a new producer.
      await producer.disconnect().catch(() => {})
      producer = null
      await pause(50)
    }
    await pause(PAUSE_MS)
  }
  await producer?.disconnect().catch(() => {})
}

let commits = 0

/** Reads as a member of the group, and commits every batch after it has said what is in it. */
async function member(index) {
  const name = `${NAME}-member-${index}`
  while (!isOver) {
    const consumer = kafka(name, 20).consumer({
      groupId: GROUP,
      sessionTimeout: 6000,
      rebalanceTimeout: 6000,
      heartbeatInterval: 500,
      maxWaitTimeInMs: 100,
    })
    let crashed = false
    consumer.on(consumer.events.CRASH, () => {
      crashed = true
    })
    // A consumer that is told to stop gives up what it was to commit, and does not say so: only this tells what was done.
    const done = new Set()
    consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
      for (const { partitions } of payload.topics) {
        for (const { partition, offset } of partitions) done.add(`${partition}:${offset}`)
      }
    })
    try {
      await consumer.connect()
      await consumer.subscribe({ topic: CHAOS_TOPIC, fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch, isStale, isRunning, heartbeat }) => {
          if (batch.isEmpty() || isStale() || !isRunning()) return
          const [topic, p] = [batch.topic, batch.partition]
          const values = batch.messages.map(message => message.value.toString())
          const offset = Number(batch.messages[0].offset)
          const next = Number(batch.lastOffset()) + 1
          if (next - offset !== values.length) say({ e: 'wrong', what: `${name}: ${topic}-${p} has gaps at ${offset}` })
          say({ e: 'read', r: name, group: GROUP, topic, p, offset, values })
          const id = `${name}-${commits++}`
          say({ e: 'commit', id, group: GROUP, topic, p, offset: next })
          done.clear()
          await consumer.commitOffsets([{ topic, partition: p, offset: String(next) }])
          if (done.has(`${p}:${next}`)) say({ e: 'committed', id })
          await heartbeat()
        },
      })
      while (!isOver && !crashed) await pause(100)
    } catch {
      await pause(200)
    }
    await consumer.disconnect().catch(() => {})
  }
}

/**
 * A request whose outcome is said. One that fails is in doubt, and so is one that took long: an attempt that was given
 * up may still be under way to a node and come about later.
 */
async function attempt(before, after, request) {
  say(before)
  const begun = now()
  try {
    await request()
    if (now() - begun > SURE_MS) return false
    say(after)
    return true
  } catch {
    return false
  }
}

async function changes() {
  const admin = kafka('admin', 5).admin()
  for (let round = 0; !isOver; round++) {
    await pause(Number(CHAOS_ADMIN_INTERVAL_MS))
    try {
      await admin.connect()
    } catch {
      continue
    }
    const topic = `${NAME}-made-${round}`
    const create = () => admin.createTopics({ topics: [{ topic, numPartitions: 2 }], timeout: 4000 })
    const made = { topic, partitions: 2 }
    if (!(await attempt({ e: 'creating', ...made }, { e: 'created', ...made }, create))) continue
    const resources = value => [
      { type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'retention.ms', value }] },
    ]
    for (const value of [String(100_000 + round), String(200_000 + round)]) {
      const configured = { topic, name: 'retention.ms', value }
      await attempt({ e: 'configuring', ...configured }, { e: 'configured', ...configured }, () =>
        admin.alterConfigs({ validateOnly: false, resources: resources(value) }),
      )
    }
    const grown = { topic, partitions: 4 }
    const grow = () => admin.createPartitions({ topicPartitions: [{ topic, count: 4 }], timeout: 4000 })
    const isSure = await attempt({ e: 'creating', ...grown }, { e: 'created', ...grown }, grow)
    if (isSure && round % 2 === 1) {
      const remove = () => admin.deleteTopics({ topics: [topic], timeout: 4000 })
      await attempt({ e: 'deleting', topic }, { e: 'deleted', topic }, remove)
    }
  }
  await admin.disconnect().catch(() => {})
}

const all = Promise.all([
  writer(`${NAME}-idempotent`, 0, { idempotent: true, acks: -1, once: false }),
  writer(`${NAME}-all`, 1, { idempotent: false, acks: -1, once: false }),
  writer(`${NAME}-leader`, 2, { idempotent: false, acks: 1, once: true }),
  writer(`${NAME}-none`, 2, { idempotent: false, acks: 0, once: true }),
  member(1),
  member(2),
  changes(),
])
while (!isOver) await pause(50)
const settled = await Promise.race([all.then(() => true), pause(SETTLE_MS).then(() => false)])
if (!settled) say({ e: 'wrong', what: `${NAME} does not settle within ${SETTLE_MS} ms` })
process.stdout.write('{"e":"done"}\n', () => process.exit())
