/**
 * npm run bench -- [--rounds 3] [--seconds 6] [--warm 30] [--only NAME,...] [--skip-partitions]
 * Starts Ottla and Apache Kafka by turns on this machine, warms both up, runs every work alternately and prints medians and
 * ratios. Load goes to the loopback interface only and stops by itself.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Kind, kafka, LOG_OPTIONS, ottla, type Running, removeDirectory, start } from './brokers.js'
import { createPartitions } from './partitions.js'
import { type Figure, fill, type Measured, measure, median, WORKS, type Work } from './works.js'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '6' },
    warm: { type: 'string', default: '30' },
    only: { type: 'string', default: '' },
    'skip-kafka': { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const seconds = Number(options.seconds)
const warmSeconds = Number(options.warm)
const only = options.only === '' ? [] : options.only.split(',')
const kinds: readonly Kind[] = options['skip-kafka'] ? [ottla] : [ottla, kafka]

const SETTLE_MS = 3000
const TOPICS = 1000
const PARTITIONS_OF_A_TOPIC = 10

const isWanted = (name: string) => only.length === 0 || only.some(word => name.includes(word))
const folder = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
const load = join(folder, 'load')
const settle = () => new Promise(resolve => setTimeout(resolve, SETTLE_MS))

interface Row {
  readonly work: string
  readonly figure: Pick<Figure, 'name' | 'unit' | 'min' | 'max'>
  readonly values: ReadonlyMap<string, number>
}

function printTable(rows: readonly Row[]): void {
  console.log('| work | figure | Ottla | Kafka | ratio | asked for |')
  console.log('|---|---|---|---|---|---|')
  for (const { work, figure, values } of rows) {
    const ours = values.get('Ottla') ?? Number.NaN
    const theirs = values.get('Kafka') ?? Number.NaN
    const ratio = ours / theirs
    const { min, max } = figure
    const asked = min !== undefined ? `>= ${round(min)} x` : max !== undefined ? `<= ${round(max)} x` : ''
    const kept = min !== undefined ? ratio >= min : max !== undefined ? ratio <= max : null
    const mark = kept === null || Number.isNaN(ratio) ? '' : kept ? ' ok' : ' MISSED'
    console.log(
      `| ${work} | ${figure.name}, ${figure.unit} | ${round(ours)} | ${round(theirs)} | ${round(ratio)} x | ${asked}${mark} |`,
    )
  }
}

function round(value: number): string {
  if (Number.isNaN(value)) return ''
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1)
      : value >= 0.1
        ? value.toFixed(2)
        : value.toFixed(4)
}

async function loadRows(): Promise<Row[]> {
  const works = WORKS.filter(work => isWanted(work.name))
  if (works.length === 0) return []
  const brokers: Running[] = []
  const measured = new Map<Work, Map<string, Measured[]>>()
  try {
    for (const kind of kinds) brokers.push(await start(kind, join(folder, `load-${kind.name}`)))
    for (const broker of brokers) await warmUp(broker, works)
    for (let round = 0; round < rounds; round++) {
      for (const work of works) {
        for (const broker of brokers) {
          if (work.fillMib !== undefined && round === 0) await fill(load, broker, work.topic, work.fillMib)
          const result = await measure(load, broker, work, seconds)
          const byKind = measured.get(work) ?? new Map<string, Measured[]>()
          byKind.set(broker.kind.name, [...(byKind.get(broker.kind.name) ?? []), result])
          measured.set(work, byKind)
        }
      }
    }
  } finally {
    for (const broker of brokers) await broker.stop()
  }
  return [...measured].flatMap(([work, byKind]) =>
    work.figures.map(figure => ({
      work: work.name,
      figure,
      values: new Map([...byKind].map(([name, results]) => [name, median(results.map(figure.of))])),
    })),
  )
}

/** Half a minute of every kind of load: Kafka's compiler needs it, and the pages of both logs become warm. */
async function warmUp(broker: Running, works: readonly Work[]): Promise<void> {
  const each = warmSeconds / works.length
  for (const work of works) {
    if (work.fillMib !== undefined) await fill(load, broker, work.topic, 64)
    await measure(load, broker, work, each)
  }
}

async function startRows(): Promise<Row[]> {
  if (!isWanted('start')) return []
  const startMs = new Map<string, number[]>()
  const residentMib = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      const directory = join(folder, `start-${kind.name}`)
      const broker = await start(kind, directory)
      await settle()
      startMs.set(kind.name, [...(startMs.get(kind.name) ?? []), broker.startMs])
      residentMib.set(kind.name, [...(residentMib.get(kind.name) ?? []), broker.residentMib()])
      await broker.stop()
    }
  }
  return [
    row('start', { name: 'process start to first answer', unit: 'ms', max: 1 / 15 }, startMs),
    row('start', { name: 'idle resident memory', unit: 'MiB', max: 1 / 5 }, residentMib),
  ]
}

function row(work: string, figure: Row['figure'], values: ReadonlyMap<string, readonly number[]>): Row {
  return { work, figure, values: new Map([...values].map(([name, all]) => [name, median(all)])) }
}

async function partitionRows(): Promise<Row[]> {
  if (!isWanted('partitions')) return []
  const stopped = new Map<string, number[]>()
  const killed = new Map<string, number[]>()
  const residentMib = new Map<string, number[]>()
  const add = (map: Map<string, number[]>, kind: Kind, value: number) =>
    map.set(kind.name, [...(map.get(kind.name) ?? []), value])
  for (const kind of kinds) {
    const directory = join(folder, `partitions-${kind.name}`)
    let broker = await start(kind, directory, LOG_OPTIONS)
    await createPartitions(kind.port, TOPICS, PARTITIONS_OF_A_TOPIC)
    for (let round = 0; round < rounds; round++) {
      await broker.stop()
      broker = await start(kind, directory, LOG_OPTIONS)
      add(stopped, kind, broker.startMs)
      await settle()
      add(residentMib, kind, broker.residentMib())
      await broker.stop('SIGKILL')
      broker = await start(kind, directory, LOG_OPTIONS)
      add(killed, kind, broker.startMs)
    }
    await broker.stop()
    removeDirectory(directory)
  }
  const name = '10,000 partitions of 1,000 topics'
  return [
    row(name, { name: 'restart after a stop', unit: 'ms', max: 1 / 8 }, stopped),
    row(name, { name: 'restart after kill -9', unit: 'ms', max: 1 / 10 }, killed),
    row(name, { name: 'idle resident memory', unit: 'MiB', max: 1 / 5 }, residentMib),
  ]
}

try {
  execFileSync('cc', ['-O2', '-o', load, 'test/bench/load.c'])
  console.log(`${rounds} rounds of ${seconds} s after ${warmSeconds} s of warming up; medians\n`)
  printTable([...(await loadRows()), ...(await startRows()), ...(await partitionRows())])
} finally {
  removeDirectory(folder)
}
