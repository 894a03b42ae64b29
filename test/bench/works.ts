import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Running } from './brokers.js'

const run = promisify(execFile)

/** A fetch that reaches the end of the topic begins again, so often at most. */
const REPEATS_MAX = 20

/** What the load generator prints. */
export interface LoadResult {
  readonly seconds: number
  readonly mib_s: number
  readonly req_s: number
  readonly p50_ms: number
  readonly p99_ms: number
  readonly p999_ms: number
}

/** What a load runs against. */
export type Measurable = Pick<Running, 'kind' | 'cpuSeconds'>

export interface Measured extends LoadResult {
  readonly cpuSeconds: number
}

/** A figure that is compared: higher or lower is better, and the least that is asked for. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly of: (measured: Measured) => number
  /** The ratio Ottla / Kafka that is asked for: at least (`min`) or at most (`max`). */
  readonly min?: number
  readonly max?: number
}

export interface Work {
  readonly name: string
  readonly topic: string
  readonly args: readonly string[]
  readonly figures: readonly Figure[]
  /** Fills the topic first with this much, once per round, so that there is something to read. */
  readonly fillMib?: number
}

const mibPerCpuSecond = (m: Measured) => (m.mib_s * m.seconds) / m.cpuSeconds
const requestsPerCpuSecond = (m: Measured) => (m.req_s * m.seconds) / m.cpuSeconds
const cpuPerGb = (m: Measured) => m.cpuSeconds / ((m.mib_s * m.seconds) / 1024)

const rate: Figure = { name: 'throughput', unit: 'MiB/s', of: m => m.mib_s }
const perCpu: Figure = { name: 'per CPU second', unit: 'MiB', of: mibPerCpuSecond }
const latency: readonly Figure[] = [
  { name: 'p50', unit: 'ms', of: m => m.p50_ms },
  { name: 'p99', unit: 'ms', of: m => m.p99_ms },
  { name: 'p99.9', unit: 'ms', of: m => m.p999_ms },
]
const common: readonly Figure[] = [
  { name: 'requests', unit: '/s', of: m => m.req_s },
  { name: 'CPU per GiB', unit: 's', of: cpuPerGb },
  ...latency,
]

function produce(name: string, batchBytes: number, least: { perCpu: number; rate?: number }): Work {
  return {
    name,
    topic: 'bench',
    args: ['produce', '--conns', '1', '--depth', '4', '--batch', String(batchBytes), '--record', '1024'],
    figures: [
      { ...perCpu, min: least.perCpu },
      least.rate === undefined ? rate : { ...rate, min: least.rate },
      ...common,
    ],
  }
}

/** One broker, acks=1. */
export const WORKS: readonly Work[] = [
  produce('produce 16 KiB batches', 16384, { perCpu: 6, rate: 5 }),
  produce('produce 64 KiB batches', 65536, { perCpu: 5 }),
  produce('produce 1 MiB batches', 1 << 20, { perCpu: 4 }),
  {
    name: 'produce 1 KiB batches, pipelined',
    topic: 'bench',
    args: ['produce', '--conns', '8', '--depth', '64', '--batch', '1024', '--record', '900'],
    figures: [{ name: 'per CPU second', unit: 'requests', of: requestsPerCpuSecond, min: 10 }, rate, ...common],
  },
  {
    name: 'fetch 64 KiB at a time',
    topic: 'fill',
    fillMib: 128,
    args: ['fetch', '--fetch-max', '65536'],
    figures: [{ ...rate, min: 2 }, perCpu, ...common],
  },
  {
    name: 'fetch 1 MiB at a time',
    topic: 'fill',
    fillMib: 128,
    args: ['fetch', '--fetch-max', '1048576'],
    figures: [{ ...rate, min: 0.6 }, perCpu, ...common],
  },
  {
    name: 'produce to consume, 1,000 batches/s',
    topic: 'tail',
    args: ['latency', '--rate', '1000', '--batch', '1024', '--record', '900'],
    figures: [
      { ...latency[0]!, max: 0.8 },
      { ...latency[1]!, max: 0.4 },
      latency[2]!,
      { name: 'CPU per 1,000 batches', unit: 's', of: m => (m.cpuSeconds / (m.req_s * m.seconds)) * 1000 },
    ],
  },
]

/**
 * Each measurement follows upon so much of the same work, without a pause. While the other broker has its turn, memory
 * that is free goes back to the host within a second, and to touch it again costs fourteen times as much (a MiB of page
 * cache: 3,400 us instead of 250): without this, who writes faster pays more of it.
 */
const RUN_IN_SECONDS = 2

/** Runs one work against a running broker. */
export async function measure(load: string, broker: Measurable, work: Work, seconds: number): Promise<Measured> {
  const port = String(broker.kind.port)
  const args = [...work.args, '--port', port, '--topic', work.topic]
  const runFor = async (time: number) =>
    (await run(load, [...args, '--seconds', String(time)], { timeout: Math.ceil(time + 60) * 1000 })).stdout
  await runFor(RUN_IN_SECONDS)
  const before = broker.cpuSeconds()
  const results: LoadResult[] = []
  let elapsed = 0
  do {
    const result = JSON.parse(await runFor(seconds)) as LoadResult
    results.push(result)
    elapsed += result.seconds
  } while (work.fillMib !== undefined && elapsed < seconds && results.length < REPEATS_MAX)
  return { ...combined(results), cpuSeconds: Math.max(broker.cpuSeconds() - before, 0.01) }
}

/** Several runs as one: rates weighted by time, the median of the latencies. */
function combined(results: readonly LoadResult[]): LoadResult {
  const seconds = results.reduce((sum, result) => sum + result.seconds, 0)
  const rate = (of: (result: LoadResult) => number) =>
    results.reduce((sum, result) => sum + of(result) * result.seconds, 0) / seconds
  const middle = (of: (result: LoadResult) => number) => median(results.map(of))
  return {
    seconds,
    mib_s: rate(result => result.mib_s),
    req_s: rate(result => result.req_s),
    p50_ms: middle(result => result.p50_ms),
    p99_ms: middle(result => result.p99_ms),
    p999_ms: middle(result => result.p999_ms),
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** Writes `mib` MiB in 64 KiB batches. */
export async function fill(load: string, broker: Measurable, topic: string, mib: number): Promise<void> {
  const args = ['produce', '--conns', '1', '--depth', '4', '--batch', '65536', '--record', '1024', '--mib', String(mib)]
  await run(load, [...args, '--port', String(broker.kind.port), '--topic', topic, '--seconds', '120'])
}
