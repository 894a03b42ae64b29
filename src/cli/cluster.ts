import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename, relative } from 'node:path'
import { Transform } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type ClusterEffect, type ClusterEvent, ClusterPlan } from './cluster-plan.js'
import type { LogLevelName } from './logger.js'
import { PrefixedLines } from './prefixed-lines.js'
import { onSignals } from './signals.js'
import { complain, type ReadyMessage } from './start.js'

export interface ClusterOptions {
  readonly override: Readonly<Record<string, string>>
  readonly logLevel: LogLevelName
}

/** How long nodes that were asked to end may take, ms. */
const STOP_TIMEOUT_MS = 30_000
/** When it is told which of them are waited for, ms. */
const STOP_LATE_MS = 5000
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Cyan, yellow, magenta, green, blue. */
const COLOURS = [36, 33, 35, 32, 34]

/** The three nodes that come with the package. */
function defaultFiles(folder: URL): readonly string[] {
  return [1, 2, 3].map(node => {
    const path = fileURLToPath(new URL(`broker-${node}.properties`, folder))
    const fromHere = relative(process.cwd(), path)
    return fromHere.startsWith('..') ? path : fromHere
  })
}

/**
 * Runs a node for each properties file, as processes of their own, with their logs side by side, until a signal ends
 * them; resolves with the exit status. What happens when one of them ends by itself: see ClusterPlan.
 *
 * configFolder: where the files of the package are, for when none is given
 */
export async function cluster(given: readonly string[], options: ClusterOptions, configFolder: URL): Promise<number> {
  const files = given.length > 0 ? given : defaultFiles(configFolder)
  const missing = files.filter(file => !existsSync(file))
  if (missing.length > 0) return complain(missing.map(file => `${file} is not there; allowed are properties files`))
  const names = files.map(file => basename(file, '.properties'))
  const width = Math.max(...names.map(name => name.length), 'cluster'.length)
  const hasColours = process.stdout.isTTY === true
  const prefix = (name: string, colour: number): string => {
    const text = `${name.padEnd(width)} | `
    return hasColours ? `\u001b[${colour}m${text}\u001b[0m` : text
  }
  const self = ownCommand()
  const plan = new ClusterPlan(files.map((file, i) => ({ name: names[i]!, startCommand: `${self} start ${file}` })))
  const own = prefix('cluster', 1)
  return new Promise(resolve => {
    const children: ChildProcess[] = []
    let timers: readonly NodeJS.Timeout[] = []
    const happened = (event: ClusterEvent): void => {
      const wasStopping = plan.isStopping
      for (const effect of plan.step(event)) perform(effect)
      if (plan.isStopping && !wasStopping) {
        timers = [
          setTimeout(() => happened({ type: 'late' }), STOP_LATE_MS),
          setTimeout(() => happened({ type: 'overdue' }), STOP_TIMEOUT_MS),
        ]
        for (const timer of timers) timer.unref()
      }
    }
    const perform = (effect: ClusterEffect): void => {
      if (effect.type === 'say') process.stdout.write(`${own}${effect.line}\n`)
      else if (effect.type === 'signal') children[effect.node]?.kill(effect.signal)
      else {
        for (const timer of timers) clearTimeout(timer)
        stopListening()
        resolve(effect.status)
      }
    }
    // Whoever read along has gone (`| head`): the nodes go on, and what they write must go somewhere.
    process.stdout.on('error', () => {
      for (const stream of children.flatMap(({ stdout, stderr }) => [stdout, stderr])) stream?.unpipe().resume()
    })
    const stopListening = onSignals(SIGNALS, signal => happened({ type: 'interrupt', signal }))
    files.forEach((file, node) => {
      const child = startNode(file, options, hasColours)
      children.push(child)
      showOutput(child, prefix(names[node]!, COLOURS[node % COLOURS.length]!))
      process.stdout.write(`${own}${names[node]} is process ${child.pid}\n`)
      child.on('message', (message: ReadyMessage) => {
        if (message.kind === 'ready') happened({ type: 'ready', node, address: message.address })
      })
      // 'close' comes after the last line that it wrote.
      child.once('close', (code, signal) => happened({ type: 'ended', node, code, signal }))
      child.once('error', error => process.stdout.write(`${own}${names[node]}: ${error.message}\n`))
    })
  })
}

/** What a person types to run this program, who may have it in a folder only. */
function ownCommand(): string {
  const path = process.argv[1]!
  return basename(path) === 'ottla' ? 'ottla' : `node ${relative(process.cwd(), path)}`
}

/** A group of its own, so that Ctrl-C on the terminal reaches this process alone, and each node hears of it once. */
function startNode(file: string, options: ClusterOptions, hasColours: boolean): ChildProcess {
  const overrides = Object.entries(options.override).flatMap(([name, value]) => ['--override', `${name}=${value}`])
  const args = ['start', file, '--log-level', options.logLevel, '--log-format', 'text', ...overrides]
  return fork(process.argv[1]!, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: hasColours ? { ...process.env, FORCE_COLOR: '1' } : process.env,
  })
}

/** Passes on what the process writes, line by line, no faster than it is read. */
function showOutput(child: ChildProcess, prefix: string): void {
  for (const stream of [child.stdout, child.stderr]) {
    const lines = new PrefixedLines(prefix)
    const prefixed = new Transform({
      transform: (chunk: Buffer, _encoding, done) => done(null, lines.push(chunk)),
      flush: done => done(null, lines.end()),
    })
    stream?.pipe(prefixed).pipe(process.stdout, { end: false })
  }
}
