import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectDirectory } from '../broker.js'
import { logDirectory } from '../cache.js'
import { freeBlock } from './ports.js'
import { isAlive, killAndWait, NODES, OVERRIDES, pause, type StartedCluster, untilNodeAnswers } from './started.js'

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 40_000

/** The processes of a cluster on this machine. */
interface Processes {
  /** `npm run cluster`, in a process group of its own. */
  supervisor: ChildProcess | null
  /** The nodes that run, by index. */
  readonly pids: Map<number, number>
  /** Those of them that were started again by themselves. */
  readonly alone: Set<number>
}

interface Files {
  readonly folder: string
  readonly properties: readonly string[]
  readonly addresses: readonly string[]
}

/** `config/broker-{1,2,3}.properties`, with free ports instead of theirs and the data in a folder. */
async function makeFiles(): Promise<Files> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-cluster-'))
  const configs = NODES.map(node => join(projectDirectory, 'config', `broker-${node + 1}.properties`))
  const texts = configs.map(path => readFileSync(path, 'utf8'))
  let all = texts.join('\0').replaceAll('log.dirs=data', `log.dirs=${folder}`)
  const first = await freeBlock(2 * NODES.length)
  for (const node of NODES) {
    const port = first + 2 * node
    all = all.replaceAll(`:9${node + 1}92`, `:${port}`).replaceAll(`:9${node + 1}93`, `:${port + 1}`)
  }
  const properties = NODES.map(node => join(folder, `broker-${node + 1}.properties`))
  for (const [node, text] of all.split('\0').entries()) writeFileSync(properties[node]!, text)
  return { folder, properties, addresses: NODES.map(node => `localhost:${first + 2 * node}`) }
}

/** `npm run cluster`, with the files of config/ on free ports. */
export async function startOttlaCluster(overrides: readonly string[]): Promise<StartedCluster> {
  const files = await makeFiles()
  mkdirSync(logDirectory, { recursive: true })
  const logFile = join(logDirectory, 'cluster.log')
  const log = createWriteStream(logFile)
  const flags = [...OVERRIDES, ...overrides].flatMap(override => ['--override', override])
  const processes: Processes = { supervisor: null, pids: new Map(), alone: new Set() }
  const startAll = async () => {
    const args = ['run', '-s', 'cluster', '--', ...files.properties, ...flags]
    const child = spawn('npm', args, { cwd: projectDirectory, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    processes.supervisor = child
    await untilAllReady(child, processes.pids, log).catch(error => {
      throw new Error(`${(error as Error).message}: see ${logFile}`)
    })
  }
  const cluster: StartedCluster = {
    name: 'Ottla (npm run cluster)',
    addresses: files.addresses,
    logFile,
    kill: async node => {
      await killAndWait(processes.pids.get(node)!)
      processes.pids.delete(node)
      processes.alone.delete(node)
    },
    erase: async node => rmSync(join(files.folder, `broker-${node + 1}`), { recursive: true }),
    start: async node => {
      const args = [join(projectDirectory, 'dist', 'bundle', 'main.js'), 'start', files.properties[node]!]
      const child = spawn(process.execPath, [...args, '--log-format', 'text', ...flags], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      processes.pids.set(node, child.pid!)
      processes.alone.add(node)
      for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false })
      const ended = () => (child.exitCode === null ? null : `a node ended with ${child.exitCode}: see ${logFile}`)
      await untilNodeAnswers(files.addresses[node]!, ended)
    },
    stop: async () => {
      const nodes = [...processes.pids.keys()]
      await interrupt(processes)
      const marks = nodes.map(node => join(files.folder, `broker-${node + 1}`, '.kafka_cleanshutdown'))
      const missing = marks.filter(mark => !existsSync(mark))
      if (missing.length > 0) throw new Error(`not ended in order, without ${missing.join(', ')}: see ${logFile}`)
    },
    startAll,
    remove: async () => {
      await interrupt(processes).catch(error => process.stderr.write(`${error}\n`))
      log.end()
      rmSync(files.folder, { recursive: true, force: true })
    },
  }
  try {
    await startAll()
    return cluster
  } catch (error) {
    await cluster.remove()
    throw error
  }
}

/** Resolves when the command says that all nodes are ready; rejects if it ends before, or after the time. */
async function untilAllReady(
  child: ChildProcess,
  pids: Map<number, number>,
  log: NodeJS.WritableStream,
): Promise<void> {
  let isReady = false
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.pipe(log, { end: false })
    stream.setEncoding('utf8').on('data', (text: string) => {
      for (const [, node, pid] of text.matchAll(/broker-(\d) is process (\d+)/g))
        pids.set(Number(node) - 1, Number(pid))
      isReady ||= /all 3 nodes are ready/.test(text)
    })
  }
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!isReady) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('npm run cluster ended')
    if (Date.now() > deadline) throw new Error('npm run cluster does not say that all nodes are ready')
    await pause(20)
  }
}

/** Ctrl-C: the terminal tells npm, its shell and the command; and nodes that were started by themselves. */
async function interrupt({ supervisor, pids, alone }: Processes): Promise<void> {
  const group = supervisor?.pid
  const command = group === undefined ? [] : [-group]
  for (const target of [...command, ...[...alone].map(node => pids.get(node)!)]) {
    if (isAlive(target)) process.kill(target, 'SIGINT')
  }
  const targets = [...command, ...pids.values()]
  const deadline = Date.now() + STOP_TIMEOUT_MS
  while (targets.some(isAlive)) {
    if (Date.now() > deadline) {
      for (const target of targets) if (isAlive(target)) process.kill(target, 'SIGKILL')
      throw new Error(`not ended within ${STOP_TIMEOUT_MS} ms`)
    }
    await pause(50)
  }
  pids.clear()
  alone.clear()
}
