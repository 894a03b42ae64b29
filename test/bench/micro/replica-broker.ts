/**
 * A broker of server and replicas alone, for profiles of the way of a record:
 *
 *   node dist/test/bench/micro/replica-broker.js [--port N] [--dir D] [--partitions N] [--segment-bytes N] [--flush-messages N]
 *
 * then `load produce --port N --topic load` and so on. Prints its processor time at the end.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'
import { createNodeRandom } from '#src/runtime/node/random.js'
import type { Logger } from '#src/runtime/ports.js'
import { nodeDisk } from '#storage/node-disk.js'
import { ReplicaBroker } from '../../support/replica-broker.js'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '28100' },
    dir: { type: 'string' },
    partitions: { type: 'string', default: '8' },
    'segment-bytes': { type: 'string', default: '67108864' },
    'retention-bytes': { type: 'string', default: '268435456' },
    'flush-messages': { type: 'string' },
    data: { type: 'boolean', default: false },
  },
})

const dir = values.dir ?? mkdtempSync(join(tmpdir(), 'ottla-micro-'))
const print = (fields: object, message: string): void => console.error(message, fields)
const quiet = (): void => {}
const logger: Logger = {
  trace: quiet,
  debug: quiet,
  info: print,
  warn: print,
  error: print,
  fatal: print,
  child: () => logger,
}
const broker = new ReplicaBroker({
  clock: createNodeClock(),
  random: createNodeRandom(),
  logger,
  network: createNodeNetwork({ sharedBuffer: !values.data }),
  disk: nodeDisk(),
  logDirs: [dir],
  config: { retentionCheckMs: 100 },
})
await broker.start({ port: Number(values.port) })
broker.replicas.startHousekeeping()
broker.createTopic('load', Number(values.partitions), {
  config: {
    segmentBytes: Number(values['segment-bytes']),
    retentionBytes: Number(values['retention-bytes']),
    fileDeleteDelayMs: 100,
    flushMessages: values['flush-messages'] === undefined ? Infinity : Number(values['flush-messages']),
  },
})
console.log(`listening on ${broker.port}, data in ${dir}`)

let before = process.cpuUsage()
process.on('SIGUSR2', () => {
  const used = process.cpuUsage(before)
  before = process.cpuUsage()
  console.log(JSON.stringify({ cpuMs: (used.user + used.system) / 1000, rssMb: process.memoryUsage.rss() / 1048576 }))
})
process.on('SIGTERM', async () => {
  await broker.close()
  if (values.dir === undefined) rmSync(dir, { recursive: true, force: true })
  process.exit(0)
})
