import { join } from 'node:path'
import { projectDirectory } from '../broker.js'
import { logDirectory } from '../cache.js'
import { pause, type StartedCluster, untilNodeAnswers } from '../cluster/started.js'
import { runOrThrow } from '../process.js'
import type { Docker } from './daemon.js'

const SERVICES = ['node-1', 'node-2', 'node-3']
const HEALTHY_TIMEOUT_MS = 120_000
const EXITED_IN_ORDER = '0'

export interface ComposedCluster extends StartedCluster {
  /** The network of the containers. */
  readonly network: string
}

/** `docker compose up` of the file of the project. */
export async function startComposed(docker: Docker, image: string): Promise<ComposedCluster> {
  const project = `ottla-compat-${process.pid}`
  const file = join(projectDirectory, 'docker-compose.yml')
  const env = { NODE_IMAGE: image, DOCKER_BUILDKIT: '0', COMPOSE_DOCKER_CLI_BUILD: '0' }
  const compose = (...args: string[]) => docker.compose(['-p', project, '-f', file, ...args], { env })
  const logFile = join(logDirectory, 'compose.log')
  const keepLog = async () => {
    const text = await compose('logs', '--no-color')
    await runOrThrow('tee', [logFile], { input: text })
  }
  const inspect = async (service: string, format: string) => {
    const id = (await compose('ps', '-q', service)).trim()
    return (await docker.docker(['inspect', '-f', format, id])).trim()
  }
  const untilHealthy = async (service: string) => {
    const deadline = Date.now() + HEALTHY_TIMEOUT_MS
    while ((await inspect(service, '{{.State.Health.Status}}')) !== 'healthy') {
      if (Date.now() > deadline) throw new Error(`${service} does not become healthy`)
      await pause(500)
    }
  }
  // As it stands in the file.
  const addresses = ['localhost:9192', 'localhost:9292', 'localhost:9392']
  const startAll = async () => {
    await compose('up', '-d')
    await Promise.all(SERVICES.map(untilHealthy))
  }
  const remove = async () => {
    await keepLog().catch(() => {})
    await compose('down', '-v', '--remove-orphans')
  }
  try {
    await compose('build')
    await startAll()
  } catch (error) {
    await remove()
    throw error
  }
  const idOfFirst = (await compose('ps', '-q', SERVICES[0]!)).trim()
  const networks = await docker.docker(['inspect', '-f', '{{json .NetworkSettings.Networks}}', idOfFirst])
  return {
    name: 'Ottla (docker compose up)',
    addresses,
    logFile,
    network: Object.keys(JSON.parse(networks) as object)[0]!,
    kill: async node => {
      await compose('kill', '-s', 'SIGKILL', SERVICES[node]!)
    },
    erase: async node => {
      await compose('rm', '-f', SERVICES[node]!)
      await docker.docker(['volume', 'rm', `${project}_${SERVICES[node]}`])
    },
    start: async node => {
      await compose('up', '-d', '--no-build', SERVICES[node]!)
      await untilNodeAnswers(addresses[node]!)
      await untilHealthy(SERVICES[node]!)
    },
    stop: async () => {
      await compose('stop')
      for (const service of SERVICES) {
        const code = await inspect(service, '{{.State.ExitCode}}')
        if (code !== EXITED_IN_ORDER) throw new Error(`${service} ended with status ${code}`)
      }
    },
    startAll,
    remove,
  }
}
