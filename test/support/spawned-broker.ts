import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { resolve } from 'node:path'

const START_TIMEOUT_MS = 60_000
const OUTPUT_KEPT_CHARS = 20_000

/** A broker of ours as a process of its own. */
export interface SpawnedBroker {
  readonly port: number
  readonly process: ChildProcess
  /** The end of what it printed. */
  output(): string
  /** Resident memory in MiB. */
  residentMib(): number
  isRunning(): boolean
  /** Sends a signal and waits for the end of the process. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface SpawnOptions {
  readonly port: number
  readonly data: string
  readonly overrides?: Readonly<Record<string, string>>
  readonly nodeOptions?: readonly string[]
}

/** Starts `ottla start` and resolves when it answers ApiVersions. */
export async function spawnBroker(options: SpawnOptions): Promise<SpawnedBroker> {
  const overrides = Object.entries(options.overrides ?? {}).flatMap(([name, value]) => [
    '--override',
    `${name}=${value}`,
  ])
  const main = resolve('dist/bundle/main.js')
  const args = [...(options.nodeOptions ?? []), main, 'start', '--port', String(options.port), '--data', options.data]
  const child = spawn(process.execPath, [...args, '--log-level', 'warn', ...overrides], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (text: Buffer) => {
    output = (output + text.toString()).slice(-OUTPUT_KEPT_CHARS)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const exited = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)))
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!(await answers(options.port))) {
    if (!isRunning()) throw new Error(`the broker ended with ${child.exitCode}: ${output}`)
    if (performance.now() > deadline) throw new Error(`the broker did not answer: ${output}`)
  }
  return {
    port: options.port,
    process: child,
    output: () => output,
    residentMib: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    isRunning,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      return exited
    },
  }
}

/** Whether ApiVersions version 0 is answered without an error; takes a few ms at least. */
export function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    const end = (answered: boolean) => {
      socket.destroy()
      setTimeout(() => resolve(answered), answered ? 0 : 5)
    }
    socket.setTimeout(5000, () => end(false))
    socket.once('error', () => end(false))
    socket.once('end', () => end(false))
    socket.once('connect', () => socket.write(Buffer.from('0000000a0012000000000001ffff', 'hex')))
    socket.once('data', data => end(data.length >= 10 && data.readInt16BE(8) === 0))
  })
}

/** A port of the loopback interface that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
