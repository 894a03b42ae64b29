import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, type SpawnedBroker, spawnBroker } from '../../support/spawned-broker.js'
import { freePortOfTwo, oracleScript } from '../broker.js'
import { javaPackages } from '../cache.js'
import { run, runOrThrow } from '../process.js'
import { check, commit, connect, PARTITIONS, prepare, type Written, write } from './content.js'

const OVERRIDES = { 'offsets.topic.num.partitions': '5', 'log.index.interval.bytes': '4096' }
/** What the tool says of a file that is not as it should be. */
const COMPLAINTS = /isvalid: false|Exception|mismatch|corrupt|Found timestamp|Non-consecutive|Could not/i

let passed = 0
const failures: string[] = []

function expect(what: string, problems: readonly string[]): void {
  if (problems.length === 0) {
    passed++
    console.log(`ok   ${what}`)
  } else {
    failures.push(what)
    console.log(`FAIL ${what}`)
    for (const problem of problems.slice(0, 10)) console.log(`       ${problem}`)
  }
}

const empty = (): Written[] => Array.from({ length: PARTITIONS }, () => new Map())

/** `npm run compat -- disk`: Kafka's tools read our files, we read Kafka's, and Kafka reads them again. */
export async function diskMain(): Promise<number> {
  await javaPackages()
  const folder = mkdtempSync(join(tmpdir(), 'ottla-disk-'))
  try {
    await ourFiles(join(folder, 'ours'))
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) await kafkasFiles(join(folder, `kafka-${signal}`), signal)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  console.log(`${passed} passed, ${failures.length} failed`)
  return failures.length === 0 ? 0 : 1
}

/** Everything that we write is read by Kafka's tool, every record and every index entry of it. */
async function ourFiles(data: string): Promise<void> {
  const written = empty()
  const broker = await spawnBroker({ port: await freePort(), data, overrides: OVERRIDES })
  const peer = await connect(broker.port)
  await prepare(peer)
  await write(peer, 'ours', written)
  await commit(peer, 17)
  expect('what we wrote is there', await check(peer, 'Ottla', written, 17))
  peer.close()
  await broker.stop()
  const files = filesIn(data)
  const plain = files.filter(file => !file.includes('__cluster_metadata') && !file.includes('__consumer_offsets'))
  const ends =
    (...endings: string[]) =>
    (file: string) =>
      endings.some(ending => file.endsWith(ending))
  const logs = await dump(plain.filter(ends('.log')), ['--deep-iteration', '--print-data-log'])
  const records = (logs.match(/^\| offset: /gm) ?? []).length
  const expected = written.reduce((sum, partition) => sum + partition.size, 0)
  expect(
    "Kafka's tool reads every record of our logs",
    records === expected ? complaintsOf(logs) : [`${records} records instead of ${expected}`],
  )
  const indexes = await dump(plain.filter(ends('.index', '.timeindex')), [
    '--index-sanity-check',
    '--verify-index-only',
  ])
  expect("Kafka's tool finds our indexes sane", complaintsOf(indexes))
  expect("Kafka's tool reads our producer snapshots", complaintsOf(await dump(plain.filter(ends('.snapshot')), [])))
  const offsets = files.filter(file => file.includes('__consumer_offsets') && file.endsWith('.log'))
  const groups = await dump(offsets, ['--offsets-decoder'])
  const commits = /disk-group/.test(groups) ? [] : ['the commit of disk-group is not in it']
  expect("Kafka's tool reads our committed offsets", [...complaintsOf(groups), ...commits])
  const metadata = files.filter(file => file.includes('__cluster_metadata') && /\.(log|checkpoint)$/.test(file))
  const decoded = await dump(metadata, ['--cluster-metadata-decoder'])
  const types = ['REGISTER_BROKER_RECORD', 'TOPIC_RECORD', 'PARTITION_RECORD', 'CONFIG_RECORD', 'FEATURE_LEVEL_RECORD']
  const missing = types.filter(type => !decoded.includes(type)).map(type => `no ${type}`)
  expect("Kafka's tool reads our metadata log", [...complaintsOf(decoded), ...missing])
}

/** A directory that Kafka wrote and left (in order, or not) is served, written to, and taken back by Kafka. */
async function kafkasFiles(home: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const how = signal === 'SIGTERM' ? 'a clean stop' : 'kill -9'
  try {
    await bothWrite(home, signal, how)
  } finally {
    await stopKafka(home, 'SIGKILL')
  }
}

async function bothWrite(home: string, signal: 'SIGTERM' | 'SIGKILL', how: string): Promise<void> {
  const written = empty()
  const port = await freePortOfTwo()
  await startKafka(home, port)
  let peer = await connect(port)
  await prepare(peer)
  await write(peer, 'kafka', written)
  await commit(peer, 5)
  expect(`what Kafka wrote is there (${how})`, await check(peer, 'Kafka', written, 5))
  peer.close()
  await stopKafka(home, signal)

  let broker: SpawnedBroker | null = null
  try {
    broker = await spawnBroker({ port, data: join(home, 'node-1', 'data'), overrides: OVERRIDES })
    peer = await connect(port)
    expect(`Ottla serves what Kafka wrote, after ${how}`, await check(peer, 'Ottla', written, 5))
    await write(peer, 'ottla', written)
    await commit(peer, 9)
    peer.close()
  } catch (error) {
    expect(`Ottla opens what Kafka wrote, after ${how}`, [String(error), broker?.output() ?? ''])
  } finally {
    await broker?.stop(signal)
  }

  await startKafka(home, port)
  peer = await connect(port)
  expect(`Kafka serves what both wrote, after ${how} of Ottla`, await check(peer, 'Kafka', written, 9))
  await write(peer, 'kafka again', written)
  expect(`Kafka goes on writing, after ${how} of Ottla`, await check(peer, 'Kafka', written, 9))
  peer.close()
}

async function startKafka(home: string, port: number): Promise<void> {
  mkdirSync(home, { recursive: true })
  const overrides = Object.entries(OVERRIDES).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  await runOrThrow('bash', [oracleScript, 'start', '--port', String(port), '--dir', home, ...overrides], {
    timeoutMs: 300_000,
  })
}

async function stopKafka(home: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const pid = Number(readFileSync(join(home, 'node-1', 'pid'), 'utf8'))
  for (let isFirst = true; ; isFirst = false) {
    try {
      process.kill(pid, isFirst ? signal : 0)
    } catch {
      return
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
}

async function dump(files: readonly string[], options: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await run(
    'bash',
    [oracleScript, 'tool', 'dump-log', ...options, '--files', files.join(',')],
    {
      timeoutMs: 300_000,
    },
  )
  return code === 0 ? stdout + stderr : `Exception: the tool ended with ${code}\n${stdout}${stderr}`
}

function complaintsOf(output: string): string[] {
  return output.split('\n').filter(line => COMPLAINTS.test(line) && !line.includes('payload:'))
}
