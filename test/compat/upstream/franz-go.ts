import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compatDirectory } from '../broker.js'
import { goCommand, installed } from '../cache.js'
import { describeEnd, run, runOrThrow } from '../process.js'
import { readRecord, reasonLeftOut } from './record.js'
import type { CaseResult, InstalledSuite, UpstreamContext, UpstreamSuite } from './suite.js'

const moduleName = 'github.com/twmb/franz-go'
/** The program whose go.mod says which version of franz-go is meant. */
const client = join(compatDirectory, 'clients', 'franz-go')

/** What the tests take by themselves: groups are joined and left while they are read. */
const records = 500_000
const runMsMax = 1_200_000
/** The reason by which the record leaves out what is not about a broker. */
const needsNoBroker = 'needs no broker'

/** franz-go's tests of its client, `pkg/kgo`: the module of the Go proxy has them. */
export const franzGoTests: UpstreamSuite = {
  name: 'franz-go',
  about: 'pkg/kgo of franz-go: produce, consume, groups that change while they are read',
  jobs: 1,
  broker: { overrides: ['group.initial.rebalance.delay.ms=0'] },
  unitOf,
  isLong: () => false,
  install: () => install(1, () => true),
}

/** The same with three copies of each partition on three brokers, without the tests that need none. */
export const franzGoNodesTests: UpstreamSuite = {
  name: 'franz-go-nodes',
  about: 'the same on three brokers, with replication factor 3',
  jobs: 1,
  broker: { nodeIds: [1, 2, 3], overrides: ['group.initial.rebalance.delay.ms=0', 'min.insync.replicas=2'] },
  unitOf,
  isLong: () => false,
  install: () => {
    const record = readRecord(franzGoTests.name)
    return install(3, unit => reasonLeftOut(record, unit) !== needsNoBroker)
  },
}

function unitOf(name: string): string {
  return name.split('/')[0] ?? name
}

async function install(replicas: number, isWanted: (unit: string) => boolean): Promise<InstalledSuite> {
  const version = versionOfModule()
  const { go, env } = await goCommand()
  const directory = await installed('franz-go-tests', { version }, async partial => {
    const download = await runOrThrow(go, ['mod', 'download', '-json', `${moduleName}@${version}`], {
      cwd: client,
      env,
      timeoutMs: 600_000,
    })
    const { Dir: source } = JSON.parse(download.stdout) as { Dir: string }
    cpSync(source, join(partial, 'module'), { recursive: true })
    // Read-only folders of the module cache would keep the test program out.
    await runOrThrow('chmod', ['-R', 'u+w', join(partial, 'module')])
    const cwd = join(partial, 'module', 'pkg', 'kgo')
    await runOrThrow(go, ['test', '-c', '-o', join(partial, 'kgo.test'), '.'], { cwd, env, timeoutMs: 900_000 })
  })
  const program = join(directory, 'kgo.test')
  if (!existsSync(program)) throw new Error(`${program} is not there: remove ${directory}`)
  const list = await runOrThrow(program, ['-test.list', '^Test'], { cwd: join(directory, 'module', 'pkg', 'kgo') })
  const units = list.stdout.split('\n').filter(line => line.startsWith('Test') && isWanted(line))
  const runEnv = { ...env, KGO_TEST_RF: String(replicas) }
  return { version, units, run: context => runTests(go, runEnv, directory, context) }
}

function versionOfModule(): string {
  const version = /franz-go (v\S+)/.exec(readFileSync(join(client, 'go.mod'), 'utf8'))?.[1]
  if (version === undefined) throw new Error(`clients/franz-go/go.mod does not name ${moduleName}`)
  return version
}

async function runTests(
  go: string,
  env: Readonly<Record<string, string>>,
  directory: string,
  context: UpstreamContext,
): Promise<void> {
  const args = ['tool', 'test2json', '-t', join(directory, 'kgo.test'), '-test.v=test2json', '-test.count=1']
  args.push(`-test.timeout=${runMsMax / 1000 - 60}s`, `-test.run=${patternOf(context.units)}`)
  if (context.leftOut.length > 0) args.push(`-test.skip=${patternOf(context.leftOut)}`)
  const reader = readEvents(context.report)
  const finished = await run(go, args, {
    cwd: join(directory, 'module', 'pkg', 'kgo'),
    env: {
      ...env,
      KGO_SEEDS: context.bootstrap.replaceAll('localhost', '127.0.0.1'),
      KGO_TEST_RECORDS: String(records),
      KGO_LOG_LEVEL: 'none',
    },
    timeoutMs: runMsMax,
    onLine: reader.line,
  })
  const unfinished = reader.unfinished()
  for (const name of unfinished) {
    const output = `${reader.outputOf(name)}\n${describeEnd({ ...finished, stdout: '' })}`
    context.report({ name, outcome: 'fail', tookMs: 0, output })
  }
  // Status 1 only says that a test failed.
  if (finished.code !== 0 && finished.code !== 1) throw new Error(describeEnd({ ...finished, stdout: '' }))
}

/** A pattern of Go's test runner for exactly these tests and subtests: it matches level by level between slashes. */
function patternOf(names: readonly string[]): string {
  const quoted = names.map(name => name.split('/').map(part => `^${part.replace(/[^\w ]/g, '\\$&')}$`))
  return quoted.map(parts => parts.join('/')).join('|')
}

interface TestEvent {
  readonly Action: string
  readonly Test?: string
  readonly Elapsed?: number
  readonly Output?: string
}

/** The last lines of a test say what went wrong. */
const outputLinesMax = 40

/** Turns the events of `go tool test2json` into results. */
function readEvents(report: (result: CaseResult) => void) {
  const outputs = new Map<string, string[]>()
  const running = new Set<string>()
  const outputOf = (name: string) => (outputs.get(name) ?? []).join('')
  const line = (text: string) => {
    if (!text.startsWith('{')) return
    const event = JSON.parse(text) as TestEvent
    const name = event.Test
    if (name === undefined) return
    if (event.Action === 'run') running.add(name)
    if (event.Action === 'output') {
      const lines = outputs.get(name) ?? []
      lines.push(event.Output ?? '')
      if (lines.length > outputLinesMax) lines.shift()
      outputs.set(name, lines)
    }
    if (event.Action !== 'pass' && event.Action !== 'fail' && event.Action !== 'skip') return
    running.delete(name)
    const result = { name, outcome: event.Action, tookMs: Math.round((event.Elapsed ?? 0) * 1000) } as const
    report(event.Action === 'pass' ? result : { ...result, output: outputOf(name) })
    outputs.delete(name)
  }
  return { line, outputOf, unfinished: () => [...running] }
}
