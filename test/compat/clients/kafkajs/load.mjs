// Writes one record after the other, waits for every acknowledgement, and reads all of them as a group meanwhile, until
// a line on standard input says `stop`. While nodes come and go, what was acknowledged must be read, once, in order.
//
// Standard output, an object a line: {"acknowledged":12} as it goes on, then {"summary":{...}}.

import { createInterface } from 'node:readline'
import kafkajs from 'kafkajs'

const { Kafka, logLevel } = kafkajs
const { COMPAT_BOOTSTRAP = 'localhost:9092', COMPAT_TOPIC = 'load' } = process.env
/** A pause after each record, ms. */
const PAUSE_MS = 5
/** How long records may take to reach the reader after the last one was written, ms. */
const CATCH_UP_MS = 60_000
/** How long the reader may take to leave its group in the end, ms. */
const LEAVE_MS = 5000

const kafka = new Kafka({
  clientId: 'load',
  brokers: COMPAT_BOOTSTRAP.split(','),
  logLevel: logLevel.NOTHING,
  connectionTimeout: 3000,
  requestTimeout: 10_000,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 200 },
})
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

let stopped = false
createInterface({ input: process.stdin }).on('line', line => {
  if (line === 'stop') stopped = true
})

/** 'partition:offset' -> value: what a group reads again after a rebalance counts once. */
const read = new Map()
const consumer = kafka.consumer({
  groupId: `${COMPAT_TOPIC}-group`,
  sessionTimeout: 10_000,
  heartbeatInterval: 1000,
  maxWaitTimeInMs: 100,
})
await consumer.connect()
await consumer.subscribe({ topic: COMPAT_TOPIC, fromBeginning: true })
const changed = []
await consumer.run({
  eachMessage: async ({ partition, message }) => {
    const at = `${partition}:${message.offset}`
    const value = message.value.toString()
    if (read.has(at) && read.get(at) !== value) changed.push(`${at}: ${read.get(at)}, then ${value}`)
    read.set(at, value)
  },
})

const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
await producer.connect()
const acknowledged = new Set()
const failures = []
let longestGapMs = 0
let lastAt = Date.now()
for (let i = 0; !stopped; i++) {
  const value = `load ${i}`
  try {
    await producer.send({ topic: COMPAT_TOPIC, acks: -1, messages: [{ key: String(i % 10), value }] })
    acknowledged.add(value)
  } catch (error) {
    failures.push(String(error))
  }
  longestGapMs = Math.max(longestGapMs, Date.now() - lastAt)
  lastAt = Date.now()
  if (i % 20 === 0) process.stdout.write(`${JSON.stringify({ acknowledged: acknowledged.size })}\n`)
  await pause(PAUSE_MS)
}

const readValues = () => new Set(read.values())
const deadline = Date.now() + CATCH_UP_MS
const missing = () => {
  const there = readValues()
  return [...acknowledged].filter(value => !there.has(value))
}
while (missing().length > 0 && Date.now() < deadline) await pause(200)

// Offsets in order: a key's records must come in the order in which they were written.
const lastOfKey = new Map()
const disordered = []
const inOrder = [...read].map(([at, value]) => [at.split(':').map(Number), Number(value.slice(5))])
inOrder.sort(([a], [b]) => a[0] - b[0] || a[1] - b[1])
for (const [, number] of inOrder) {
  const key = number % 10
  if (lastOfKey.has(key) && lastOfKey.get(key) >= number) disordered.push(number)
  lastOfKey.set(key, number)
}
const summary = {
  acknowledged: acknowledged.size,
  longestGapMs,
  failures: failures.slice(0, 5),
  missing: missing().slice(0, 10),
  doubled: read.size - readValues().size,
  disordered: disordered.slice(0, 10),
  changed: changed.slice(0, 10),
}
// A group that nobody has left is waited for until the session of its member ends.
await Promise.race([consumer.disconnect().catch(() => {}), pause(LEAVE_MS)])
process.stdout.write(`${JSON.stringify({ summary })}\n`, () => process.exit())
