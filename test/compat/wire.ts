import { connect, type Socket } from 'node:net'

/**
 * A few requests written by hand. They look at what a broker answers and stores without any of the code that is under
 * test, and without a client that hides it.
 */

/** One request on a connection of its own; returns the answer's body, after the correlation id. */
export function ask(bootstrap: string, apiKey: number, version: number, body: Uint8Array): Promise<Buffer> {
  const header = Buffer.alloc(4 + 2 + 2 + 4 + 2)
  header.writeInt32BE(header.length - 4 + body.length, 0)
  header.writeInt16BE(apiKey, 4)
  header.writeInt16BE(version, 6)
  header.writeInt32BE(1, 8)
  header.writeInt16BE(-1, 12) // no client id
  const { host, port } = addressOf(bootstrap)
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host, port })
    const chunks: Buffer[] = []
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer within 5 s')))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the broker closed the connection')))
    socket.on('connect', () => socket.write(Buffer.concat([header, body])))
    socket.on('data', chunk => {
      chunks.push(chunk)
      const whole = Buffer.concat(chunks)
      if (whole.length < 4 || whole.length < 4 + whole.readInt32BE(0)) return
      resolve(whole.subarray(8, 4 + whole.readInt32BE(0)))
      socket.destroy()
    })
  })
}

/** Splits `host:port`; of several addresses the first. */
export function addressOf(bootstrap: string): { host: string; port: number } {
  const first = bootstrap.split(',')[0] ?? ''
  const colon = first.lastIndexOf(':')
  return { host: first.slice(0, colon), port: Number(first.slice(colon + 1)) }
}

/** Whether the broker answers ApiVersions 0 with no error. */
export async function answers(bootstrap: string): Promise<boolean> {
  try {
    return (await ask(bootstrap, 18, 0, new Uint8Array(0))).readInt16BE(0) === 0
  } catch {
    return false
  }
}

/** Creates a topic with CreateTopics 2 and returns when its partitions have a leader. Throws if it is refused. */
export async function createTopic(bootstrap: string, topic: string, partitions: number): Promise<void> {
  const name = Buffer.from(topic)
  const body = Buffer.alloc(4 + 2 + name.length + 4 + 2 + 4 + 4 + 4 + 1)
  let at = body.writeInt32BE(1, 0)
  at = body.writeInt16BE(name.length, at)
  at += name.copy(body, at)
  at = body.writeInt32BE(partitions, at)
  at = body.writeInt16BE(1, at) // one replica; no assignments and no configs follow
  body.writeInt32BE(10_000, at + 8)
  const answer = await ask(bootstrap, 19, 2, body)
  const errorCode = answer.readInt16BE(4 + 4 + 2 + name.length)
  if (errorCode !== 0) throw new Error(`CreateTopics of ${topic} answered error ${errorCode}`)
  while (!(await hasLeaders(bootstrap, name))) await new Promise(resolve => setTimeout(resolve, 20))
}

/** Whether Metadata 1 says that the topic is there, with a leader for each partition. */
async function hasLeaders(bootstrap: string, name: Buffer): Promise<boolean> {
  const body = Buffer.alloc(4 + 2 + name.length)
  body.writeInt32BE(1, 0)
  body.writeInt16BE(name.length, 4)
  name.copy(body, 6)
  const answer = await ask(bootstrap, 3, 1, body)
  let at = 4
  for (let broker = answer.readInt32BE(0); broker > 0; broker--) {
    at += 4
    at += 2 + answer.readInt16BE(at) + 4 // host and port
    at += 2 + Math.max(0, answer.readInt16BE(at)) // rack
  }
  at += 4 + 4 // controller; one topic
  if (answer.readInt16BE(at) !== 0) return false
  at += 2 + 2 + name.length + 1
  const partitions = answer.readInt32BE(at)
  at += 4
  for (let partition = 0; partition < partitions; partition++) {
    if (answer.readInt16BE(at) !== 0 || answer.readInt32BE(at + 6) < 0) return false
    at += 2 + 4 + 4
    at += 4 + 4 * answer.readInt32BE(at)
    at += 4 + 4 * answer.readInt32BE(at)
  }
  return partitions > 0
}

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof codecs)[number]

/** The codec of the first batch of a partition, read from the attributes that Fetch 4 returns. */
export async function codecOfFirstBatch(bootstrap: string, topic: string, partition: number): Promise<Codec> {
  const body = Buffer.alloc(4 * 4 + 1 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4 + 8 + 4)
  let at = body.writeInt32BE(-1, 0) // no replica
  at = body.writeInt32BE(1_000, at) // longest wait
  at = body.writeInt32BE(1, at)
  at = body.writeInt32BE(1 << 20, at)
  at = body.writeInt8(0, at)
  at = body.writeInt32BE(1, at)
  at = body.writeInt16BE(Buffer.byteLength(topic), at)
  at += body.write(topic, at)
  at = body.writeInt32BE(1, at)
  at = body.writeInt32BE(partition, at)
  at = body.writeBigInt64BE(0n, at)
  body.writeInt32BE(1 << 20, at)
  const answer = await ask(bootstrap, 1, 4, body)
  // throttle, one topic, its name, one partition: index, error, high watermark, last stable offset, aborted, records
  let read = 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4
  const errorCode = answer.readInt16BE(read)
  if (errorCode !== 0) throw new Error(`Fetch of ${topic}-${partition} answered error ${errorCode}`)
  read += 2 + 8 + 8
  const aborted = answer.readInt32BE(read)
  read += 4 + Math.max(aborted, 0) * 16
  if (answer.readInt32BE(read) < 61) throw new Error(`${topic}-${partition} holds no batch`)
  // base offset, length, leader epoch, magic, CRC, and then the attributes
  const attributes = answer.readInt16BE(read + 4 + 8 + 4 + 4 + 1 + 4)
  return codecs[attributes & 7] ?? 'none'
}
