// Writes and reads a record through each address that is given, from where only those names are known.

import assert from 'node:assert/strict'
import kafkajs from 'kafkajs'

const { Kafka, logLevel } = kafkajs
const [topic, ...addresses] = process.argv.slice(2)

for (const address of addresses) {
  const kafka = new Kafka({ clientId: 'inside', brokers: [address], logLevel: logLevel.NOTHING })
  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, acks: -1, messages: [{ value: address }] })
  await producer.disconnect()
}
const kafka = new Kafka({ clientId: 'inside', brokers: addresses, logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({ groupId: `${topic}-group` })
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
const read = []
await new Promise(resolve => {
  void consumer.run({
    eachMessage: async ({ message }) => {
      if (read.push(message.value.toString()) === addresses.length) resolve()
    },
  })
})
assert.deepEqual(read.sort(), addresses.sort())
const admin = kafka.admin()
await admin.connect()
const { brokers } = await admin.describeCluster()
process.stdout.write(`${brokers.map(({ host, port }) => `${host}:${port}`).sort()}\n`, () => process.exit())
