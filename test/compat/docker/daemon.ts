import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cacheDirectory, logDirectory, succeeds, systemPackages } from '../cache.js'
import { type Finished, type RunOptions, run, runOrThrow } from '../process.js'

/** A Docker daemon that images can be built with. */
export interface Docker {
  /** Runs `docker` with these arguments; throws if that ends badly. Returns what it wrote to standard output. */
  docker(args: readonly string[], options?: RunOptions): Promise<string>
  /** The same, whatever its end. */
  tryDocker(args: readonly string[], options?: RunOptions): Promise<Finished>
  /** Runs `docker compose`, or what there was before it. */
  compose(args: readonly string[], options?: RunOptions): Promise<string>
  /** Ends the daemon if it was started here. */
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 30_000
const COMMAND_TIMEOUT_MS = 900_000
/** What a kernel may lack, the least first. */
const ATTEMPTS: readonly (readonly string[])[] = [
  [],
  ['--storage-driver=vfs'],
  ['--storage-driver=vfs', '--iptables=false'],
]

/** The daemon that runs on this machine, or one that is installed and started for this run. */
export async function startDocker(): Promise<Docker> {
  if (await succeeds('docker', ['version'])) return commands({}, async () => {})
  await systemPackages([
    { packages: ['docker.io', 'iptables'], present: () => succeeds('dockerd', ['--version']) },
    { packages: ['docker-compose'], present: composeIsThere },
  ])
  if (process.getuid?.() !== 0) throw new Error('no Docker daemon runs here, and only root can start one')
  const folder = mkdtempSync(join(tmpdir(), 'ottla-docker-'))
  for (const extra of ATTEMPTS) {
    const daemon = await startDaemon(folder, extra)
    if (daemon !== null) return daemon
  }
  rmSync(folder, { recursive: true, force: true })
  throw new Error(`dockerd does not start here: see ${join(logDirectory, 'dockerd.log')}`)
}

async function composeIsThere(): Promise<boolean> {
  return (await succeeds('docker', ['compose', 'version'])) || (await succeeds('docker-compose', ['version']))
}

/** Null if it does not come up. Images with a name stay in the cache for the next run. */
async function startDaemon(folder: string, extra: readonly string[]): Promise<Docker | null> {
  mkdirSync(logDirectory, { recursive: true })
  const log = openSync(join(logDirectory, 'dockerd.log'), 'w')
  const socket = `unix://${folder}/docker.sock`
  const places = ['--data-root', join(cacheDirectory, 'docker'), '--exec-root', join(folder, 'exec')]
  const args = ['--host', socket, '--pidfile', join(folder, 'pid'), ...places, ...extra]
  // A group of its own: Ctrl-C ends the containers first.
  const child = spawn('dockerd', args, { stdio: ['ignore', log, log], detached: true })
  closeSync(log)
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS)
    await ended
    clearTimeout(timer)
    rmSync(folder, { recursive: true, force: true })
  }
  const docker = commands({ DOCKER_HOST: socket }, async () => {
    await docker.tryDocker(['image', 'prune', '--force'])
    await stop()
  })
  const deadline = Date.now() + START_TIMEOUT_MS
  while (isRunning(child) && Date.now() < deadline) {
    if ((await docker.tryDocker(['version'])).code === 0) return docker
    await new Promise(resolve => setTimeout(resolve, 200))
  }
  child.kill('SIGKILL')
  await ended
  return null
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

function commands(env: Readonly<Record<string, string>>, stop: () => Promise<void>): Docker {
  const withEnvironment = (options: RunOptions): RunOptions => {
    return { timeoutMs: COMMAND_TIMEOUT_MS, ...options, env: { ...env, ...options.env } }
  }
  return {
    docker: async (args, options = {}) => (await runOrThrow('docker', args, withEnvironment(options))).stdout,
    tryDocker: (args, options = {}) => run('docker', args, withEnvironment(options)),
    compose: async (args, options = {}) => {
      const isPlugin = await succeeds('docker', ['compose', 'version'])
      const [command, ...first] = isPlugin ? (['docker', 'compose'] as const) : (['docker-compose'] as const)
      return (await runOrThrow(command, [...first, ...args], withEnvironment(options))).stdout
    },
    stop,
  }
}
