/**
 * npm run fuzz -- [--frames 1000000] [--seed S] [--connections 16]
 * Sends mutated frames to a broker of its own over many sockets, with a well-behaved client beside them, and asks: does the
 * process live, does its memory stay under the ceiling, is the neighbour undisturbed, does everything still work at the end?
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { SeededRandom, testSeed } from '../support/random.js'
import { freePort, type SpawnedBroker, spawnBroker } from '../support/spawned-broker.js'
import { makeFrame, type RequestVector } from './frames.js'
import { Neighbour } from './neighbour.js'

const { values: options } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(testSeed()) },
    connections: { type: 'string', default: '16' },
    'resident-mib-max': { type: 'string', default: '700' },
  },
})
const framesWanted = Number(options.frames)
const random = new SeededRandom(Number(options.seed))
const residentMibMax = Number(options['resident-mib-max'])

/** Few, since the broker reads no further behind a frame that ends the connection. */
const FRAMES_A_WRITE = 4
const FRAMES_A_CONNECTION_MAX = 24
const VECTOR_BYTES_MAX = 4096
/** Requests that would, if they are understood, end what is tested. */
const LEFT_OUT = new Set(['UnregisterBrokerRequest', 'DeleteTopicsRequest', 'UpdateFeaturesRequest'])

const vectors: RequestVector[] = gunzipSync(readFileSync('test/vectors/messages.jsonl.gz'))
  .toString('utf8')
  .split('\n')
  .filter(line => line !== '')
  .map(line => JSON.parse(line) as RequestVector)
  .filter(vector => vector.kind === 'request' && !LEFT_OUT.has(vector.name) && vector.hex.length < 2 * VECTOR_BYTES_MAX)

let sent = 0
let connections = 0
let closedByBroker = 0
let residentMibPeak = 0

/** One connection: writes frames until the broker has enough of it, or until it has sent its share; reads or does not. */
function attack(port: number): Promise<void> {
  return new Promise(resolve => {
    const socket: Socket = connect({ port, host: '127.0.0.1' })
    const share = 1 + random.below(FRAMES_A_CONNECTION_MAX)
    let mine = 0
    connections++
    socket.on('error', () => {})
    let isOurs = false
    socket.once('close', () => {
      if (!isOurs) closedByBroker++
      resolve()
    })
    if (random.below(10) > 0) socket.resume()
    const more = (): void => {
      while (!socket.destroyed && mine < share && sent < framesWanted) {
        const frames: Buffer[] = []
        for (let i = 0; i < FRAMES_A_WRITE && mine < share; i++, mine++) frames.push(makeFrame(random, vectors))
        sent += frames.length
        if (!socket.write(Buffer.concat(frames))) {
          socket.once('drain', more)
          return
        }
      }
      if (socket.destroyed) return
      isOurs = true
      if (random.below(10) === 0) socket.destroy()
      else socket.end(() => socket.destroy())
    }
    socket.setTimeout(300, () => {
      isOurs = true
      socket.destroy()
    })
    socket.once('connect', more)
  })
}

async function attackUntilEnough(broker: SpawnedBroker): Promise<void> {
  while (sent < framesWanted && broker.isRunning()) {
    await attack(broker.port)
    residentMibPeak = Math.max(residentMibPeak, broker.isRunning() ? broker.residentMib() : 0)
  }
}

const folder = mkdtempSync(join(tmpdir(), 'ottla-fuzz-'))
const failures: string[] = []
console.log(`seed ${random.seed}, ${framesWanted} frames`)
const broker = await spawnBroker({ port: await freePort(), data: join(folder, 'data') })
try {
  const neighbour = await Neighbour.start(broker.port)
  await Promise.all(Array.from({ length: Number(options.connections) }, () => attackUntilEnough(broker)))
  if (!broker.isRunning()) failures.push(`the broker ended: ${broker.output()}`)
  failures.push(...(await neighbour.finish()))
  if (residentMibPeak > residentMibMax) failures.push(`memory reached ${residentMibPeak.toFixed(0)} MiB`)
  console.log(`${sent} frames over ${connections} connections, ${closedByBroker} closed by the broker`)
  console.log(`neighbour: ${neighbour.summary()}; peak memory ${residentMibPeak.toFixed(0)} MiB of ${residentMibMax}`)
  if (broker.isRunning()) {
    const code = await broker.stop()
    if (code !== 0) failures.push(`the broker ended with ${code} after SIGTERM: ${broker.output()}`)
  }
} finally {
  if (broker.isRunning()) await broker.stop('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
for (const failure of failures) console.log(`FAILED: ${failure}`)
console.log(`${failures.length === 0 ? 1 : 0} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
