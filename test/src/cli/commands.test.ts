/** The commands as processes: how they begin, what they print, how they end. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { answers, freePort } from '../../support/spawned-broker.js'

const main = resolve('dist/src/main.js')

interface Command {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  output(): string
  /** Resolves with what was printed when it matches. */
  printed(pattern: RegExp): Promise<string>
}

function ottla(
  context: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = process.cwd(),
): Command {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...env },
    cwd,
  })
  context.after(() => child.kill('SIGKILL'))
  let output = ''
  let look: () => void = () => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
      look()
    })
  }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const printed = (pattern: RegExp) =>
    new Promise<string>((found, failed) => {
      look = () => {
        if (pattern.test(output)) found(output)
      }
      look()
      void ended.then(code => failed(new Error(`ended with ${code} before it printed ${pattern}:\n${output}`)))
    })
  return { child, ended, output: () => output, printed }
}

function temporaryDirectory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  context.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A file for a node that is a cluster by itself. */
async function propertiesFile(folder: string, name: string, port?: number): Promise<string> {
  const path = join(folder, `${name}.properties`)
  const lines = [
    'process.roles=broker,controller',
    'node.id=1',
    'controller.quorum.voters=1@localhost:0',
    `listeners=PLAINTEXT://127.0.0.1:${port ?? (await freePort())},CONTROLLER://127.0.0.1:0`,
    'controller.listener.names=CONTROLLER',
    `log.dirs=${folder}/${name}`,
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

test('start without a word about data keeps it in ottla-data of the folder where it is started, and finds it again', async context => {
  const folder = temporaryDirectory(context)
  const clusterIds = new Set<string | undefined>()
  for (let round = 0; round < 2; round++) {
    const node = ottla(context, ['start', '--port', '0'], {}, folder)
    clusterIds.add(/"clusterId":"([^"]+)".*data in .*ottla-data;/.exec(await node.printed(/ready in/))?.[1])
    node.child.kill('SIGTERM')
    assert.equal(await node.ended, 0)
  }
  assert.equal(clusterIds.size, 1)
  assert.ok(!clusterIds.has(undefined))
  assert.ok(existsSync(join(folder, 'ottla-data', 'meta.properties')))
})

test('a terminal that is closed ends a node in order, as SIGTERM does', async context => {
  const node = ottla(context, ['start', '--port', '0', '--ephemeral'])
  const data = /data in ([^;]+);/.exec(await node.printed(/ready in/))?.[1]
  assert.ok(existsSync(data!))
  node.child.kill('SIGHUP')
  assert.equal(await node.ended, 0)
  assert.ok(!existsSync(data!))
})

test('a node whose log lines nobody can take serves on', { skip: !existsSync('/dev/full') }, async context => {
  const port = await freePort()
  const full = openSync('/dev/full', 'w')
  for (const format of ['json', 'text']) {
    const args = [main, 'start', '--port', String(port), '--ephemeral', '--log-format', format]
    const child = spawn(process.execPath, args, { stdio: ['ignore', full, 'inherit'] })
    context.after(() => child.kill('SIGKILL'))
    const ended = once(child, 'close')
    while (!(await answers(port)) && child.exitCode === null);
    child.kill('SIGTERM')
    assert.deepEqual(await ended, [0, null])
  }
  closeSync(full)
})

test('a missing TMPDIR is named', async context => {
  const command = ottla(context, ['start', '--ephemeral'], { TMPDIR: '/dev/null' })
  assert.equal(await command.ended, 1)
  assert.match(command.output(), /^ottla: --ephemeral: \/dev\/null takes no directory \(ENOTDIR.*\); TMPDIR says/)
})

for (const [args, told] of [
  [['start', '--ephemeral', '--data', 'x'], /'--ephemeral' cannot be used with option '--data <directory>'/],
  [['start', '--data', 'dist/none', '--cluster-id', ''], /^ottla: '' cannot be a cluster id\. Allowed are letters/m],
  [['start', '--data', 'dist/none', '--cluster-id', 'a b'], /cannot be a cluster id/],
  [['start', '--data', 'package.json'], /^ottla: package\.json cannot be a log directory .*change log\.dirs\.$/m],
  [['health', 'localhost:99999'], /^ottla: localhost:99999: allowed is host:port, a port being 1 to 65535$/m],
  [['health', 'localhost:1'], /^ottla: cannot connect to localhost:1: connection refused \(ECONNREFUSED\)$/m],
] as const) {
  test(`${args.join(' ')} says what is wrong`, async context => {
    const command = ottla(context, args)
    assert.equal(await command.ended, 1)
    assert.match(command.output(), told)
  })
}

test('format leaves formatted directories alone, and adds new ones, for whichever cluster they are of', async context => {
  const folder = temporaryDirectory(context)
  const format = async (directories: string, ...args: readonly string[]) => {
    const command = ottla(context, ['format', '--override', `log.dirs=${directories}`, ...args], {}, folder)
    return { status: await command.ended, output: command.output() }
  }
  assert.equal((await format('one', '--cluster-id', 'the-first')).status, 0)
  const again = await format('one')
  assert.equal(again.status, 1)
  assert.match(again.output, /one is already formatted/)
  assert.equal((await format('one', '--ignore-formatted')).status, 0)
  assert.equal((await format('one,two', '--ignore-formatted')).status, 0)
  assert.match(readFileSync(join(folder, 'two', 'meta.properties'), 'utf8'), /^cluster\.id=the-first$/m)
  assert.match((await format('one', '--cluster-id', 'another')).output, /Expected another, but read the-first/)
})

for (const data of ['data', './data', 'data/broker-1']) {
  test(`start makes the folder of --data ${data}, with those above it, where it is started`, async context => {
    const folder = temporaryDirectory(context)
    const node = ottla(context, ['start', '--port', '0', '--data', data], {}, folder)
    await node.printed(/ready in/)
    assert.ok(existsSync(join(folder, data, 'meta.properties')))
  })
}

test('docker-start runs a node from the environment, health finds it, and SIGTERM ends it in order', async context => {
  const data = temporaryDirectory(context)
  const env = {
    CLUSTER_ID: 'eS0PFeKVQqyUm5wZqnI2Ug',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_NODE_ID: '3',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '3@localhost:0',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENERS: `PLAINTEXT://:${await freePort()},CONTROLLER://localhost:0`,
    KAFKA_LOG_DIRS: join(data, 'logs'),
    KAFKA_HEAP_OPTS: '-Xmx1G',
    KAFKA_NO_SUCH_OPTION: '1',
  }
  const node = ottla(context, ['docker-start', 'KAFKA_NUM_PARTITIONS=2'], env)
  const printed = await node.printed(/ready in/)
  assert.match(printed, /KAFKA_HEAP_OPTS is for a Java virtual machine and is ignored/)
  assert.match(printed, /KAFKA_NO_SUCH_OPTION: option no\.such\.option is not known and is ignored/)
  assert.match(printed, /"clusterId":"eS0PFeKVQqyUm5wZqnI2Ug","nodeId":3/)
  assert.equal(await ottla(context, ['health'], env).ended, 0)
  const other = ottla(context, ['health'], {
    ...env,
    KAFKA_NODE_ID: '4',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '4@localhost:0',
  })
  assert.equal(await other.ended, 1)
  assert.match(other.output(), /broker 4 is not among those that serve clients/)
  node.child.kill('SIGTERM')
  assert.equal(await node.ended, 0)
  assert.equal(await ottla(context, ['health'], env).ended, 1)
})

test('docker-start says what is wrong with the environment', async context => {
  const missing = ottla(context, ['docker-start'], { KAFKA_NODE_ID: '1' })
  assert.equal(await missing.ended, 1)
  assert.match(missing.output(), /Missing required configuration "process.roles" which has no default value/)
  const wrong = ottla(context, ['docker-start'], {
    KAFKA_PROCESS_ROLES: 'controller',
    KAFKA_ADVERTISED_LISTENERS: 'A://a:1',
  })
  assert.equal(await wrong.ended, 1)
  assert.match(wrong.output(), /KAFKA_ADVERTISED_LISTENERS is not supported on a KRaft controller/)
})

test('cluster shows the nodes side by side, goes on when one dies, and stops them all', async context => {
  const folder = temporaryDirectory(context)
  const files = [await propertiesFile(folder, 'a'), await propertiesFile(folder, 'bb')]
  const cluster = ottla(context, ['cluster', ...files, '--log-level', 'info'])
  const printed = await cluster.printed(/all 2 nodes are ready: bootstrap servers 127\.0\.0\.1:\d+,127\.0\.0\.1:\d+/)
  assert.match(printed, /^a {7}\| .*INFO: .*listening/m)
  assert.match(printed, /^bb {6}\| .*INFO: .*listening/m)
  const pid = Number(/^cluster \| a is process (\d+)$/m.exec(printed)?.[1])
  process.kill(pid, 'SIGKILL')
  await cluster.printed(
    /^cluster \| a was ended by SIGKILL; the others go on\. To start it again: node \S+ start .*a\.prop/m,
  )
  cluster.child.kill('SIGINT')
  assert.equal(await cluster.ended, 0)
  assert.match(cluster.output(), /cluster \| SIGINT: stopping 1 nodes\n(.*\n)*bb {6}\| .*stopped/)
})

test('cluster goes on when nobody reads what it writes any more', async context => {
  const port = await freePort()
  const file = await propertiesFile(temporaryDirectory(context), 'a', port)
  const cluster = ottla(context, ['cluster', file])
  cluster.child.stdout?.destroy()
  while (!(await answers(port)) && cluster.child.exitCode === null);
  cluster.child.kill('SIGTERM')
  const [code] = await once(cluster.child, 'exit')
  assert.equal(code, 0, cluster.output())
})

test('cluster ends when a node cannot start', async context => {
  const folder = temporaryDirectory(context)
  const taken = createServer().listen(0, '127.0.0.1')
  context.after(() => taken.close())
  await once(taken, 'listening')
  const address = taken.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const files = [await propertiesFile(folder, 'a'), await propertiesFile(folder, 'b', port)]
  const cluster = ottla(context, ['cluster', ...files])
  assert.equal(await cluster.ended, 1)
  assert.match(cluster.output(), /^cluster \| b could not start \(it ended with status 1\): stopping the others$/m)
  assert.match(cluster.output(), new RegExp(`^b {7}\\| ottla: .*${port}`, 'm'))
})

test('nodes do not outlive a cluster command that is killed, and end in order', async context => {
  const port = await freePort()
  const folder = temporaryDirectory(context)
  const cluster = ottla(context, ['cluster', await propertiesFile(folder, 'a', port)])
  const printed = await cluster.printed(/all 1 nodes are ready/)
  const pid = Number(/^cluster \| a is process (\d+)$/m.exec(printed)?.[1])
  cluster.child.kill('SIGKILL')
  // The node is no child of this process: that it answers no more is seen before that it is gone.
  while (isAlive(pid)) await answers(port)
  assert.ok(existsSync(join(folder, 'a', '.kafka_cleanshutdown')))
})

test('a node whose parent has gone before the node could hear of it does not stay', async context => {
  const port = await freePort()
  const args = JSON.stringify(['start', '--port', String(port), '--data', join(temporaryDirectory(context), 'a')])
  const program = `
    const { pid } = require('node:child_process').fork(${JSON.stringify(main)}, ${args}, { detached: true, silent: true })
    process.stdout.write(String(pid), () => process.exit())
  `
  const pid = Number(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }))
  while (isAlive(pid)) await answers(port)
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('an answer that standard output does not take ends with status 1 and says so', {
  skip: !existsSync('/dev/full'),
}, () => {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  const full = openSync('/dev/full', 'w')
  try {
    for (const args of [['random-uuid'], ['format', '--override', `log.dirs=${directory}`]]) {
      const { status, stderr } = spawnSync(process.execPath, [main, ...args], {
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      })
      assert.equal(status, 1, stderr)
      assert.match(stderr, /^ottla: standard output cannot be written to: .*ENOSPC/)
    }
  } finally {
    closeSync(full)
    rmSync(directory, { recursive: true, force: true })
  }
})
