import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheDirectory } from '../cache.js'
import { installClients } from '../cluster/checks.js'
import { checkCluster } from '../cluster/main.js'
import { describeEnd, type Finished } from '../process.js'
import { check, eventually, type SuiteContext } from '../suite.js'
import { copyClient, kafkajsPackages } from '../suites/kafkajs.js'
import { startComposed } from './compose.js'
import { type Docker, startDocker } from './daemon.js'
import { baseImage } from './images.js'

const usage = `npm run compat -- docker [options]

Builds the image of the Dockerfile, starts the three nodes of docker-compose.yml, and takes the clients of
npm run compat -- cluster to them, from outside and from inside; then looks at a container by itself. Uses the Docker
daemon that runs here; where there is none it installs and starts one, which takes the rights of root. Where no base
image can be pulled, debootstrap makes one.

  --install    only install what is needed

Everything is installed into ${cacheDirectory} (OTTLA_COMPAT names another folder).
`

const IMAGE = 'ottla'
/** Node.js itself takes about 120. */
const IMAGE_MB_MAX = 160
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg'

/** `npm run compat -- docker`. Returns the exit status. */
export async function dockerMain(args: readonly string[]): Promise<number> {
  const options = { install: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } as const
  const { values } = parseArgs({ args: [...args], options })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  await installClients()
  const docker = await startDocker()
  try {
    const base = await baseImage(docker)
    if (values.install) return 0
    const cluster = await startComposed(docker, base)
    return await checkCluster(
      cluster,
      context => inside(context, docker, cluster.network),
      context => containers(context, docker),
    )
  } finally {
    await docker.stop()
  }
}

/** Clients in a container of the same network. */
async function inside(context: SuiteContext, docker: Docker, network: string): Promise<void> {
  await check(context, 'kafkajs inside the network of the containers, through each address', async () => {
    const packages = await kafkajsPackages()
    copyClient('kafkajs', packages)
    const addresses = ['node-1:9092', 'node-2:9092', 'node-3:9092']
    const place = ['--network', network, '--volume', `${packages}:/client:ro`, '--entrypoint', 'node', IMAGE]
    const program = ['/client/inside.mjs', `${context.prefix}inside`, ...addresses]
    const known = await docker.docker(['run', '--rm', ...place, ...program], { timeoutMs: 60_000 })
    assert.equal(known.trim(), addresses.join(','), 'inside, brokers have the names of the inside')
  })
}

/** A container by itself, with this and that environment. */
async function containers(context: SuiteContext, docker: Docker): Promise<void> {
  await check(context, `the image has less than ${IMAGE_MB_MAX} MB, and its user is not root`, async () => {
    const size = Number(await docker.docker(['image', 'inspect', '-f', '{{.Size}}', IMAGE])) / 1e6
    process.stdout.write(`     ${size.toFixed(0)} MB\n`)
    assert.ok(size < IMAGE_MB_MAX, `${size} MB`)
    const ids = await docker.docker([
      'run',
      '--rm',
      '--entrypoint',
      'node',
      IMAGE,
      '-p',
      'process.getuid() + ":" + process.getgid()',
    ])
    assert.equal(ids.trim(), '1000:1000')
  })
  await check(context, 'without a variable: one node; docker stop ends it in order', () =>
    withContainer(docker, [], [], async name => {
      await eventually(() => docker.docker(['exec', name, 'ottla', 'health']))
      const startedAt = Date.now()
      await docker.docker(['stop', name])
      assert.ok(Date.now() - startedAt < 5000, 'it is told to stop, and not killed')
      assert.equal((await docker.docker(['inspect', '-f', '{{.State.ExitCode}}', name])).trim(), '0')
    }),
  )
  await check(context, 'a mounted server.properties with variables over it, CLUSTER_ID, and a volume that stays', () =>
    mounted(docker),
  )
  await check(context, 'wrong variables end it with a message', async () => {
    const refused = async (...variables: string[]): Promise<Finished> => {
      const finished = await docker.tryDocker(['run', '--rm', ...variables.flatMap(one => ['--env', one]), IMAGE])
      assert.equal(finished.code, 1, describeEnd(finished))
      return finished
    }
    const controller = await refused('KAFKA_PROCESS_ROLES=controller', 'KAFKA_ADVERTISED_LISTENERS=A://a:1')
    assert.match(controller.stderr, /KAFKA_ADVERTISED_LISTENERS is not supported on a KRaft controller/)
    const incomplete = await refused('KAFKA_NODE_ID=1')
    assert.match(incomplete.stderr, /process\.roles/)
  })
}

async function withContainer(
  docker: Docker,
  flags: readonly string[],
  args: readonly string[],
  body: (name: string) => Promise<void>,
): Promise<void> {
  const name = `ottla-compat-${process.pid}-alone`
  await docker.docker(['run', '--detach', '--name', name, ...flags, IMAGE, ...args])
  try {
    await body(name)
  } finally {
    await docker.docker(['rm', '--force', '--volumes', name])
  }
}

async function mounted(docker: Docker): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-mounted-'))
  const volume = `ottla-compat-${process.pid}-data`
  const lines = [
    'process.roles=broker,controller',
    'node.id=7',
    'controller.quorum.voters=7@localhost:9093',
    'listeners=PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners=PLAINTEXT://localhost:9092',
    'controller.listener.names=CONTROLLER',
    'num.partitions=3',
  ]
  writeFileSync(join(folder, 'server.properties'), `${lines.join('\n')}\n`)
  // It was made for its owner alone; the user of the container is another one.
  chmodSync(folder, 0o755)
  const places = ['--volume', `${folder}:/mnt/shared/config:ro`, '--volume', `${volume}:/var/lib/kafka/data`]
  const variables = ['--env', `CLUSTER_ID=${CLUSTER_ID}`, '--env', 'KAFKA_LOG_DIRS=/var/lib/kafka/data']
  try {
    for (const expected of [/Formatting metadata directory \/var\/lib\/kafka\/data/, /ready in/]) {
      await withContainer(docker, [...places, ...variables], [], async name => {
        await eventually(() => docker.docker(['exec', name, 'ottla', 'health']))
        const log = await docker.docker(['logs', name])
        assert.match(log, expected)
        assert.match(log, new RegExp(`"clusterId":"${CLUSTER_ID}","nodeId":7`))
        if (expected.source === 'ready in') assert.doesNotMatch(log, /Formatting/, 'the second time it is formatted')
        await docker.docker(['stop', name])
      })
    }
  } finally {
    await docker.tryDocker(['volume', 'rm', volume])
    rmSync(folder, { recursive: true, force: true })
  }
}
