import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { answers } from '../../support/spawned-broker.js'
import { describeEnd, run } from '../process.js'
import { type CheckResult, check, eventually, type SuiteContext } from '../suite.js'
import { kafkajsPackages } from '../suites/kafkajs.js'
import { kcatSuite } from '../suites/kcat.js'

/*
 * npm run compat -- readme: what a newcomer types. The commands of the README as they stand there, in a folder where
 * nothing has run yet, and its quick-starts as they stand there, against the addresses that they name.
 */
const START_MS_MAX = 60_000
const NODE_PORT = 9092
const CLUSTER_PORTS = [9192, 9292, 9392]

/** What of the package is there right after `npm ci`. */
const INSTALLED = ['package.json', 'node_modules', 'dist', 'config']

/** `npm run compat -- readme`. Returns the exit status. */
export async function readmeMain(): Promise<number> {
  await kcatSuite.install()
  const packages = await kafkajsPackages()
  for (const port of [NODE_PORT, ...CLUSTER_PORTS]) {
    if (await answers(port)) throw new Error(`something answers on port ${port}, which the README's commands need`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'ottla-readme-'))
  for (const name of INSTALLED) symlinkSync(resolve(name), join(folder, name))
  const results: Omit<CheckResult, 'suite'>[] = []
  const context: SuiteContext = {
    bootstrap: `localhost:${NODE_PORT}`,
    prefix: '',
    match: '',
    report: result => {
      results.push(result)
      process.stdout.write(`${result.error === undefined ? 'ok  ' : 'FAIL'} ${result.check} (${result.tookMs} ms)\n`)
      if (result.error !== undefined) process.stdout.write(`${result.error}\n`)
    },
  }
  try {
    await withCommand(context, folder, ['start'], [NODE_PORT], async () => {
      await check(context, 'the quick-start with kafkajs reads what it wrote', () => kafkajsQuickStart(packages))
      await check(context, 'the quick-start with kcat reads both', kcatQuickStart)
    })
    await withCommand(context, folder, ['run', 'cluster'], CLUSTER_PORTS, async () => {})
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const failed = results.filter(({ error }) => error !== undefined).length
  process.stdout.write(`\n${results.length - failed} passed, ${failed} failed\n`)
  return failed === 0 ? 0 : 1
}

/** Types an npm command, waits until all ports answer, does something, and ends it as Ctrl-C does. */
async function withCommand(
  context: SuiteContext,
  folder: string,
  command: readonly string[],
  ports: readonly number[],
  body: () => Promise<void>,
): Promise<void> {
  const name = `npm ${command.join(' ')}`
  const outputPath = join(folder, 'output')
  const output = openSync(outputPath, 'w')
  // A process group of its own: a terminal sends Ctrl-C to all of it.
  const child = spawn('npm', command, { cwd: folder, stdio: ['ignore', output, output], detached: true })
  closeSync(output)
  const exited = new Promise<number | null>(ended => child.once('exit', code => ended(code)))
  const said = () => readFileSync(outputPath, 'utf8').slice(-4000)
  let isUp = false
  try {
    await check(context, `${name} answers on ${ports.join(', ')}`, async () => {
      await eventually(async () => {
        for (const port of ports) {
          if (await answers(port)) continue
          if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: ${said()}`)
          throw new Error(`nothing answers on ${port}: ${said()}`)
        }
      }, START_MS_MAX)
      isUp = true
    })
    if (isUp) await body()
    await check(context, `${name} ends in order by Ctrl-C`, async () => {
      signalGroup(child, 'SIGINT')
      await exited
      assert.match(said(), /stopped/)
      for (const port of ports) assert.equal(await answers(port), false)
    })
  } finally {
    signalGroup(child, 'SIGKILL')
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal)
  } catch {
    // All of it has ended.
  }
}

/** The block of code behind a marker of the README. */
function blockOf(marker: string): string {
  const block = new RegExp(`<!-- ${marker} -->\n\`\`\`\\w+\n([\\s\\S]*?)\`\`\``).exec(readFileSync('README.md', 'utf8'))
  assert.ok(block !== null, `the README has no block behind <!-- ${marker} -->`)
  return block[1]!
}

async function kafkajsQuickStart(packages: string): Promise<void> {
  writeFileSync(join(packages, 'quick-start.mjs'), blockOf('quick-start: kafkajs'))
  const env = { KAFKAJS_NO_PARTITIONER_WARNING: '1' }
  const finished = await run(process.execPath, ['quick-start.mjs'], { cwd: packages, env, timeoutMs: 60_000 })
  assert.equal(finished.code, 0, describeEnd(finished))
  assert.match(finished.stdout, /^0 0 Felice: Dearest, what a morning$/m)
}

async function kcatQuickStart(): Promise<void> {
  const finished = await run('sh', ['-e', '-c', blockOf('quick-start: kcat')], { timeoutMs: 60_000 })
  assert.equal(finished.code, 0, describeEnd(finished))
  assert.match(finished.stdout, /^0 0 Felice: Dearest, what a morning$/m)
  assert.match(finished.stdout, /^0 1 Milena: I am dirty, endlessly dirty$/m)
}
