import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describeEnd, run } from '../process.js'

/** A client that goes on writing while nodes come and go. */
export interface Load {
  readonly name: string
  /** Records that it wrote so far; of kafkajs those that were acknowledged. */
  written(): number
  /** Stops it; throws if anything that was acknowledged is lost, doubled, changed or out of order. */
  stop(): Promise<string>
}

/** Ends loads that a failed check left behind. */
export function endLoads(): void {
  for (const child of running) child.kill('SIGKILL')
}

const running = new Set<ChildProcess>()
/** How long a client may take to settle what it has under way, ms. */
const STOP_TIMEOUT_MS = 150_000
/** One record after that time, ms. */
const KCAT_INTERVAL_MS = 10

function start(command: string, args: readonly string[], cwd?: string, env?: Readonly<Record<string, string>>) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  running.add(child)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000)
  })
  child.stdin.on('error', () => {})
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  const endedInTime = async (): Promise<number | null> => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    const code = await ended
    clearTimeout(timer)
    return code
  }
  return { child, errors: () => errors, endedInTime }
}

/** kafkajs: one record at a time, each acknowledged by all in-sync replicas, and a group that reads them. */
export function kafkajsLoad(bootstrap: string, topic: string, packages: string): Load {
  const { child, errors, endedInTime } = start(process.execPath, ['load.mjs'], packages, {
    COMPAT_BOOTSTRAP: bootstrap,
    COMPAT_TOPIC: topic,
    KAFKAJS_NO_PARTITIONER_WARNING: '1',
  })
  let acknowledged = 0
  let summary: LoadSummary | undefined
  createInterface({ input: child.stdout }).on('line', line => {
    const message = JSON.parse(line) as { acknowledged?: number; summary?: LoadSummary }
    acknowledged = message.acknowledged ?? acknowledged
    summary = message.summary ?? summary
  })
  const stop = async () => {
    child.stdin.write('stop\n')
    const code = await endedInTime()
    assert.ok(summary !== undefined, `kafkajs ended with status ${code} and no summary\n${errors()}`)
    const { acknowledged: count, longestGapMs, ...wrong } = summary
    assert.deepEqual(wrong, { failures: [], missing: [], doubled: 0, disordered: [], changed: [] })
    return `${count} records acknowledged, longest gap ${longestGapMs} ms`
  }
  return { name: 'kafkajs', written: () => acknowledged, stop }
}

interface LoadSummary {
  readonly acknowledged: number
  readonly longestGapMs: number
}

/** librdkafka by way of kcat: many records under way, idempotent, each of them there once in the end. */
export function kcatLoad(bootstrap: string, topic: string): Load {
  const settings = ['acks=all', 'enable.idempotence=true', 'linger.ms=5', 'message.timeout.ms=120000']
  // A node that vanishes without closing its connections is given up after this.
  settings.push('socket.timeout.ms=10000', 'reconnect.backoff.max.ms=500')
  const flags = settings.flatMap(setting => ['-X', setting])
  const { child, errors, endedInTime } = start('kcat', ['-b', bootstrap, '-E', '-P', '-t', topic, '-K', ':', ...flags])
  child.stdout.resume()
  let written = 0
  const timer = setInterval(() => {
    if (!child.stdin.writable) return
    child.stdin.write(`${written % 10}:load ${written}\n`)
    written++
  }, KCAT_INTERVAL_MS)
  const stop = async () => {
    clearInterval(timer)
    child.stdin.end()
    const code = await endedInTime()
    assert.equal(code, 0, `kcat could not deliver everything\n${errors()}`)
    const read = await run('kcat', ['-b', bootstrap, '-C', '-t', topic, '-e', '-q', '-f', '%p %s\n'], {
      timeoutMs: 60_000,
    })
    assert.equal(read.code, 0, describeEnd(read))
    const values = read.stdout.split('\n').filter(line => line !== '')
    checkSequences(values, written)
    return `${written} records delivered`
  }
  return { name: 'librdkafka', written: () => written, stop }
}

/** Lines `partition load number`: every number below the count once, and those of each key in order. */
export function checkSequences(lines: readonly string[], count: number): void {
  const numbers = lines.map(line => Number(line.split(' ')[2]))
  const counts = new Map<number, number>()
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1)
  const missing = Array.from({ length: count }, (_, number) => number).filter(number => !counts.has(number))
  const doubled = [...counts].filter(([, times]) => times > 1).map(([number]) => number)
  assert.deepEqual({ missing, doubled }, { missing: [], doubled: [] })
  const lastOfKey = new Map<number, number>()
  for (const number of numbers) {
    assert.ok((lastOfKey.get(number % 10) ?? -1) < number, `record ${number} comes after a later one of its key`)
    lastOfKey.set(number % 10, number)
  }
}
