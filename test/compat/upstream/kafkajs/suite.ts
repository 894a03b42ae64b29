import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { compatDirectory, oracleScript } from '../../broker.js'
import { javaPackages } from '../../cache.js'
import { describeEnd, run } from '../../process.js'
import type { Outcome } from '../record.js'
import type { InstalledSuite, UpstreamContext, UpstreamSuite } from '../suite.js'

const runMsMax = 1_800_000

/**
 * kafkajs's own tests. Its npm package has none: `--suite-dir kafkajs=FOLDER` names a checkout whose development
 * dependencies are installed.
 */
export const kafkajsTests: UpstreamSuite = {
  name: 'kafkajs',
  about: "kafkajs's __tests__: every request by itself, then producer, consumer and admin (--suite-dir kafkajs=FOLDER)",
  jobs: 3,
  // As its own brokers are.
  broker: {
    nodeIds: [0, 1, 2],
    overrides: ['num.partitions=2', 'default.replication.factor=2', 'group.initial.rebalance.delay.ms=0'],
  },
  unitOf: name => name.slice(0, name.indexOf(': ')),
  isLong: () => false,
  install,
}

async function install(directory: string | undefined): Promise<InstalledSuite | string> {
  if (directory === undefined) return 'its npm package has no tests: --suite-dir kafkajs=FOLDER names a checkout'
  const jest = join(directory, 'node_modules', '.bin', 'jest')
  if (!existsSync(jest)) return `${jest} is not there: install the development dependencies of the checkout`
  await javaPackages()
  const { version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { version: string }
  const units = readdirSync(join(directory, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.spec.js'))
    .map(file => `src/${file}`)
    .sort()
  return { version, units, run: context => runTests(directory, context) }
}

async function runTests(directory: string, context: UpstreamContext): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'ottla-kafkajs-'))
  const results = join(scratch, 'results.json')
  try {
    writeDocker(scratch, context.bootstrap)
    const args = ['--ci', '--no-watchman', '--forceExit', '--reporters', 'default', '--json', '--outputFile', results]
    args.push('--maxWorkers', String(context.jobs))
    args.push('--setupFiles', join(compatDirectory, 'upstream', 'kafkajs', 'ports.cjs'))
    const names = context.leftOut.map(name => name.slice(name.indexOf(': ') + 2))
    if (names.length > 0) args.push('--testNamePattern', `^(?!(?:${names.map(quoted).join('|')})$)`)
    const finished = await run(join('node_modules', '.bin', 'jest'), [...args, '--runTestsByPath', ...context.units], {
      cwd: directory,
      env: {
        COMPAT_BOOTSTRAP: context.bootstrap,
        KAFKA_VERSION: '4.4',
        NODE_ENV: 'test',
        KAFKAJS_DEBUG_PROTOCOL_BUFFERS: '1',
        KAFKAJS_NO_PARTITIONER_WARNING: '1',
        PATH: `${scratch}${delimiter}${process.env.PATH ?? ''}`,
      },
      timeoutMs: runMsMax,
    })
    if (!existsSync(results)) throw new Error(describeEnd(finished))
    reportResults(directory, readFileSync(results, 'utf8'), context)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/** One test adds partitions by a command inside of the container that its broker is in: this is that container. */
function writeDocker(scratch: string, bootstrap: string): void {
  const lines = [
    '#!/bin/bash',
    'if [ "$1" = ps ]; then echo broker; exit; fi',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of the shell.
    'command="${@: -1}"',
    `exec bash '${oracleScript}' tool topics --bootstrap-server ${bootstrap} --alter \${command##*--alter}`,
    '',
  ]
  writeFileSync(join(scratch, 'docker'), lines.join('\n'))
  chmodSync(join(scratch, 'docker'), 0o755)
}

interface JestResults {
  readonly testResults: readonly {
    readonly name: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: 'passed' | 'failed' | 'pending' | 'todo' | 'disabled'
      readonly duration?: number | null
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

/** Tests of one name in a file count as one, which passes if all of them do. */
function reportResults(directory: string, json: string, context: UpstreamContext): void {
  const leftOut = new Set(context.leftOut)
  for (const file of (JSON.parse(json) as JestResults).testResults) {
    const path = relative(directory, file.name)
    const byName = new Map<string, { outcome: Outcome; tookMs: number; output: string }>()
    for (const test of file.assertionResults) {
      const name = `${path}: ${test.fullName}`
      if (leftOut.has(name)) continue
      const outcome = test.status === 'passed' ? 'pass' : test.status === 'failed' ? 'fail' : 'skip'
      const before = byName.get(name)
      if (before !== undefined && before.outcome !== 'pass') continue
      const tookMs = Math.round(test.duration ?? 0)
      byName.set(name, { outcome, tookMs, output: (test.failureMessages ?? []).join('\n') })
    }
    if (byName.size === 0 && file.message !== '')
      context.report({ name: `${path}: can be loaded`, outcome: 'fail', tookMs: 0, output: file.message })
    for (const [name, { outcome, tookMs, output }] of byName)
      context.report(outcome === 'pass' ? { name, outcome, tookMs } : { name, outcome, tookMs, output })
  }
}
