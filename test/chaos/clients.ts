import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, createWriteStream } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pythonPackages } from '../compat/cache.js'
import { kafkajsPackages } from '../compat/suites/kafkajs.js'
import { versions } from '../compat/versions.js'
import type { ChaosEvent } from './history.js'

/** How long a client may take to settle what is under way, ms: a little more than it allows itself. */
const STOP_MS_MAX = 80_000

export type ClientName = 'kafkajs' | 'librdkafka'

/** A program with real clients in it, in a process of its own. */
export interface ClientProgram {
  readonly name: ClientName
  /** Asks it to end; resolves when it has settled everything. */
  stop(): Promise<void>
  kill(): void
}

interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
}

/** Where a client program can be run; installs what it needs. */
async function commandOf(name: ClientName): Promise<Command> {
  const clients = resolve('test/chaos/clients')
  if (name === 'kafkajs') {
    // Node.js looks for packages from where the program is.
    const cwd = await kafkajsPackages()
    copyFileSync(join(clients, 'kafkajs.mjs'), join(cwd, 'chaos.mjs'))
    return { command: process.execPath, args: ['chaos.mjs'], cwd }
  }
  const command = await pythonPackages('confluent', { 'confluent-kafka': versions.confluentKafka })
  return { command, args: ['-B', '-u', 'librdkafka.py'], cwd: clients }
}

export async function startClient(
  name: ClientName,
  bootstrap: string,
  topic: string,
  folder: string,
  say: (event: ChaosEvent) => void,
): Promise<ClientProgram> {
  const { command, args, cwd } = await commandOf(name)
  const env = { CHAOS_BOOTSTRAP: bootstrap, CHAOS_TOPIC: topic, KAFKAJS_NO_PARTITIONER_WARNING: '1' }
  const child: ChildProcess = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stderr?.pipe(createWriteStream(join(folder, `${name}.log`)))
  child.stdin?.on('error', () => {})
  let isDone = false
  createInterface({ input: child.stdout! }).on('line', line => {
    const event = JSON.parse(line) as ChaosEvent | { e: 'done' }
    if (event.e === 'done') isDone = true
    else say(event)
  })
  const ended = new Promise<void>(resolve => {
    child.once('close', (code, signal) => {
      if (!isDone) say({ e: 'wrong', what: `${name} ended with ${code ?? signal} and did not settle: see ${folder}` })
      resolve()
    })
  })
  const stop = async () => {
    child.stdin?.write('stop\n')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    await ended
    clearTimeout(timer)
  }
  return { name, stop, kill: () => void child.kill('SIGKILL') }
}
