// A static member in a thread of its own, so that it can vanish without leaving its group.

import { parentPort, workerData } from 'node:worker_threads'
import { Consumer } from '@platformatic/kafka'

const { topic, ...options } = workerData
const consumer = new Consumer(options)
consumer.on('consumer:group:join', ({ assignments, memberId }) => {
  parentPort.postMessage({ memberId, assigned: (assignments ?? []).flatMap(one => one.partitions) })
})
const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' })
stream.resume()
