import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { javaPackages, logDirectory } from './cache.js'
import { run, runOrThrow } from './process.js'
import { answers } from './wire.js'

/** The top of the working tree: this file is dist/test/compat/broker.js when it runs. */
export const projectDirectory = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

/** test/compat in the working tree, where programs in other languages are. */
export const compatDirectory = join(projectDirectory, 'test', 'compat')

/** The script that starts Apache Kafka and runs its tools. */
export const oracleScript = join(compatDirectory, 'oracle', 'kafka')

/** A broker that clients can be pointed at. */
export interface StartedBroker {
  /** host:port */
  readonly bootstrap: string
  readonly name: string
  /** Where its log is, if it was started here. */
  readonly logFile?: string
  /** Ends it and removes its data. */
  readonly stop: () => Promise<void>
}

export interface BrokerOptions {
  /** Options of the broker as `name=value`, after those that every run has. */
  readonly overrides: readonly string[]
  /** Its id, where a client's tests ask for one. Default: 1. */
  readonly nodeId?: number
}

/** One broker on a laptop: a first member need not wait for others, and few partitions of the offsets topic. */
const overridesOfEveryRun = ['group.initial.rebalance.delay.ms=0', 'offsets.topic.num.partitions=5']

function overridesOf({ nodeId, overrides }: BrokerOptions, controllerPort: number): string[] {
  const identity =
    nodeId === undefined ? [] : [`node.id=${nodeId}`, `controller.quorum.voters=${nodeId}@localhost:${controllerPort}`]
  return [...overridesOfEveryRun, ...identity, ...overrides]
}

/** A broker that somebody else runs. */
export async function attachToBroker(bootstrap: string): Promise<StartedBroker> {
  await untilItAnswers(bootstrap, 10_000, () => undefined)
  return { bootstrap, name: 'the broker', stop: async () => {} }
}

/** Starts Ottla on a free port, with a data directory of its own. */
export async function startOttla(options: BrokerOptions): Promise<StartedBroker> {
  const main = join(projectDirectory, 'dist', 'bundle', 'main.js')
  if (!existsSync(main)) throw new Error(`${main} is not there: run npm run build`)
  const data = mkdtempSync(join(tmpdir(), 'ottla-compat-'))
  const port = await freePortOfTwo()
  mkdirSync(logDirectory, { recursive: true })
  const logFile = join(logDirectory, 'ottla.log')
  const log = openSync(logFile, 'w')
  const args = [main, 'start', '--port', String(port), '--data', data]
  for (const override of overridesOf(options, 0)) args.push('--override', override)
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log] })
  closeSync(log)
  let ended: string | undefined
  const gone = new Promise<void>(resolve => {
    child.on('exit', (code, signal) => {
      ended = `the broker ended with ${signal ?? `status ${code}`}: see ${logFile}`
      resolve()
    })
  })
  const stop = async () => {
    child.kill('SIGTERM')
    const kill = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await gone
    clearTimeout(kill)
    rmSync(data, { recursive: true, force: true })
  }
  const bootstrap = `localhost:${port}`
  try {
    await untilItAnswers(bootstrap, 30_000, () => ended)
  } catch (error) {
    await stop()
    throw error
  }
  return { bootstrap, name: 'Ottla', logFile, stop }
}

/** Starts Apache Kafka on a free port, with a data directory of its own. */
export async function startKafka(options: BrokerOptions): Promise<StartedBroker> {
  await javaPackages()
  const data = mkdtempSync(join(tmpdir(), 'ottla-compat-kafka-'))
  const port = await freePortOfTwo()
  const args = ['start', '--port', String(port), '--dir', data]
  for (const override of overridesOf(options, port + 1)) args.push('--set', override)
  await runOrThrow('bash', [oracleScript, ...args], { timeoutMs: 900_000 })
  const pids = readdirSync(data).map(node => Number(readFileSync(join(data, node, 'pid'), 'utf8')))
  const stop = async () => {
    await run('bash', [oracleScript, 'stop', '--dir', data])
    for (let tries = 0; tries < 200 && pids.some(isAlive); tries++) await pause(50)
    rmSync(data, { recursive: true, force: true })
  }
  const bootstrap = `localhost:${port}`
  await untilItAnswers(bootstrap, 60_000, () => undefined)
  return { bootstrap, name: 'Apache Kafka', stop }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function untilItAnswers(bootstrap: string, timeoutMs: number, problem: () => string | undefined): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await answers(bootstrap))) {
    const why = problem()
    if (why !== undefined) throw new Error(why)
    if (Date.now() > deadline) throw new Error(`no broker answers at ${bootstrap}`)
    await pause(20)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

/** A port that is free, and the next one too (Apache Kafka's controller takes it). */
export async function freePortOfTwo(): Promise<number> {
  while (true) {
    const first = await listen(0)
    if (first === undefined) continue
    const address = first.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const second = await listen(port + 1)
    await close(first)
    if (second === undefined) continue
    await close(second)
    return port
  }
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()))
}
