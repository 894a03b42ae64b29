import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'

const CLOCK_TICKS_PER_SECOND = 100
/** Of every Kafka that is measured. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk'
/** Kafka needs minutes after a kill where there are ten thousand partitions of three nodes and little time. */
const ANSWER_TIMEOUT_MS = 600_000

/** One of the kinds of broker that are compared. */
export interface Kind {
  readonly name: 'Ottla' | 'Kafka' | 'C'
  readonly port: number
  /** Prepares a data directory and returns the command that starts a broker on it. */
  command(directory: string, options: Readonly<Record<string, string>>): { file: string; args: string[] }
}

/** A broker process under measurement. */
export interface Running {
  readonly kind: Pick<Kind, 'name' | 'port'>
  readonly process: ChildProcess
  readonly pid: number
  /** From the start of the process to the first answer to ApiVersions, in ms. */
  readonly startMs: number
  /** CPU time used so far, user and system, in seconds. */
  cpuSeconds(): number
  /** Resident memory, in MiB. */
  residentMib(): number
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Small segments and short retention: the pages of the log are used again, so that the broker is measured, not the host. */
export const LOG_OPTIONS: Readonly<Record<string, string>> = {
  'log.segment.bytes': String(64 * 1024 * 1024),
  'log.retention.bytes': String(192 * 1024 * 1024),
  'log.retention.check.interval.ms': '250',
  'log.segment.delete.delay.ms': '100',
  'offsets.topic.num.partitions': '1',
}

export const ottla: Kind = {
  name: 'Ottla',
  port: Number(process.env.BENCH_OTTLA_PORT ?? 29100),
  command(directory, options) {
    const main = process.env.BENCH_OTTLA_MAIN ?? resolve('dist/bundle/main.js')
    const overrides = Object.entries(options).flatMap(([name, value]) => ['--override', `${name}=${value}`])
    const args = [main, 'start', '--port', String(this.port), '--data', join(directory, 'data'), ...overrides]
    return { file: process.execPath, args }
  },
}

let classpath: string | null = null

/** The jars of Kafka, for java. */
export function kafkaClasspath(): string {
  classpath ??= execFileSync('test/compat/oracle/kafka', ['classpath'], {
    env: { ...process.env, KAFKA: 'core' },
    encoding: 'utf8',
  }).trim()
  return classpath
}

export const kafka: Kind = {
  name: 'Kafka',
  port: Number(process.env.BENCH_KAFKA_PORT ?? 29200),
  command(directory, options) {
    mkdirSync(directory, { recursive: true })
    const file = join(directory, 'server.properties')
    const properties = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@localhost:${this.port + 1}`,
      listeners: `PLAINTEXT://localhost:${this.port},CONTROLLER://localhost:${this.port + 1}`,
      'advertised.listeners': `PLAINTEXT://localhost:${this.port}`,
      'controller.listener.names': 'CONTROLLER',
      'log.dirs': join(directory, 'data'),
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'group.initial.rebalance.delay.ms': '0',
      ...options,
    }
    const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`)
    writeFileSync(file, `${lines.join('\n')}\n`)
    formatKafka(file)
    return { file: 'java', args: ['-Xmx1G', '-cp', kafkaClasspath(), 'kafka.Kafka', file] }
  },
}

/** No broker, but what the load asks for done in C, the plain way: what the kernel and the checksum cost here. */
export function floorOf(program: string): Kind {
  return {
    name: 'C',
    port: Number(process.env.BENCH_FLOOR_PORT ?? 29250),
    command(directory) {
      return { file: program, args: [String(this.port), directory] }
    },
  }
}

/** Formats the directories of a properties file, unless they are formatted. */
export function formatKafka(file: string): void {
  const tool = ['-cp', kafkaClasspath(), 'kafka.tools.StorageTool', 'format', '--ignore-formatted']
  execFileSync('java', [...tool, '-t', CLUSTER_ID, '-c', file], { stdio: 'ignore' })
}

/** Starts a broker and resolves at its first answer. */
export async function start(
  kind: Kind,
  directory: string,
  options: Readonly<Record<string, string>> = LOG_OPTIONS,
): Promise<Running> {
  mkdirSync(directory, { recursive: true })
  const running = spawnBroker(kind, directory, kind.command(directory, options))
  const startMs = await running.firstAnswer()
  return { ...running, startMs }
}

/** Of the shell's settings that make programs slower or larger (NODE_EXTRA_CA_CERTS: 50 ms, 3 MiB), none. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const names = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'JAVA_HOME', 'LD_LIBRARY_PATH']
  return Object.fromEntries(names.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))
}

/** A measurement that is broken off leaves no broker behind. */
const children = new Set<ChildProcess>()

function killAll(): void {
  for (const child of children) child.kill('SIGKILL')
}

/** Starts a process; `firstAnswer` resolves with the time that it took, in ms. */
export function spawnBroker(
  kind: Pick<Kind, 'name' | 'port'>,
  directory: string,
  command: { readonly file: string; readonly args: readonly string[] },
): Omit<Running, 'startMs' | 'kind'> & { readonly kind: typeof kind; firstAnswer(): Promise<number> } {
  const { file, args } = command
  const output = openSync(join(directory, 'output.log'), 'a')
  const begun = performance.now()
  const child = spawn(file, [...args], { stdio: ['ignore', output, output], env: plainEnvironment() })
  closeSync(output)
  const pid = child.pid
  if (pid === undefined) throw new Error(`cannot start ${file}`)
  if (children.size === 0) process.once('exit', killAll)
  children.add(child)
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  exited.then(() => {
    children.delete(child)
    if (children.size === 0) process.off('exit', killAll)
  })
  return {
    kind,
    process: child,
    pid,
    firstAnswer: async () => {
      await firstAnswer(kind, child, directory)
      return performance.now() - begun
    },
    cpuSeconds: () => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
      return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND
    },
    residentMib: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal)
      await exited
    },
  }
}

/** Resolves when ApiVersions version 0 is answered without an error. */
async function firstAnswer(kind: Pick<Kind, 'name' | 'port'>, child: ChildProcess, directory: string): Promise<void> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS
  while (performance.now() < deadline) {
    if (child.exitCode !== null) {
      throw new Error(
        `${kind.name} ended with ${child.exitCode}: ${readFileSync(join(directory, 'output.log'), 'utf8').slice(-2000)}`,
      )
    }
    if (await answers(kind.port)) return
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  throw new Error(`${kind.name} gave no answer within ${ANSWER_TIMEOUT_MS} ms`)
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    const end = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(20_000, () => end(false))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
    socket.once('connect', () => socket.write(Buffer.from('0000000a0012000000000001ffff', 'hex')))
    socket.once('data', data => end(data.length >= 10 && data.readInt16BE(8) === 0))
  })
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
}
