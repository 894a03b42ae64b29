import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { floorOf, type Kind, kafka, LOG_OPTIONS, ottla, type Running, removeDirectory, start } from './brokers.js'
import { createPartitions } from './partitions.js'
import { compileFloor, compileLoad, printTable, type Row, row, temporaryFolder } from './table.js'
import { fill, type Measured, measure, median, WORKS, type Work } from './works.js'

/*
 * npm run bench -- [--rounds 3] [--seconds 6] [--warm 30] [--only NAME,...] [--skip-kafka] [--floor]
 *
 * One broker of Ottla and one of Apache Kafka by turns on this machine, both warm. Names are those of the works, `start`
 * and `partitions`. With --floor, producing and reading alone, and a program in C takes its turn, too.
 */
const SETTLE_MS = 3000
const TOPICS = 1000
const PARTITIONS_OF_A_TOPIC = 10

const settle = () => new Promise(resolve => setTimeout(resolve, SETTLE_MS))

interface Setting {
  readonly rounds: number
  readonly seconds: number
  readonly warmSeconds: number
  readonly kinds: readonly Kind[]
  readonly folder: string
  readonly load: string
  readonly isWanted: (name: string) => boolean
}

export async function brokerBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '6' },
      warm: { type: 'string', default: '30' },
      only: { type: 'string', default: '' },
      'skip-kafka': { type: 'boolean', default: false },
      floor: { type: 'boolean', default: false },
    },
  })
  const only = values.only === '' ? [] : values.only.split(',')
  const folder = temporaryFolder()
  try {
    const floor = values.floor ? [floorOf(compileFloor(folder))] : []
    const setting: Setting = {
      rounds: Number(values.rounds),
      seconds: Number(values.seconds),
      warmSeconds: Number(values.warm),
      kinds: [ottla, ...(values['skip-kafka'] ? [] : [kafka]), ...floor],
      folder,
      load: compileLoad(folder),
      isWanted: name =>
        (only.length === 0 || only.some(word => name.includes(word))) && !(values.floor && !isOfFloor(name)),
    }
    console.log(`${values.rounds} rounds of ${values.seconds} s after ${values.warm} s of warming up; medians\n`)
    printTable([...(await loadRows(setting)), ...(await startRows(setting)), ...(await partitionRows(setting))])
  } finally {
    removeDirectory(folder)
  }
}

/** Whether it is one of the works that the floor can do, too. */
function isOfFloor(name: string): boolean {
  return WORKS.some(work => work.name === name && work.args[0] !== 'latency')
}

async function loadRows({ rounds, seconds, warmSeconds, kinds, folder, load, isWanted }: Setting): Promise<Row[]> {
  const works = WORKS.filter(work => isWanted(work.name))
  if (works.length === 0) return []
  const brokers: Running[] = []
  const measured = new Map<Work, Map<string, Measured[]>>()
  try {
    for (const kind of kinds) brokers.push(await start(kind, join(folder, `load-${kind.name}`)))
    for (const broker of brokers) await warmUp(load, broker, works, warmSeconds / works.length)
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
async function warmUp(load: string, broker: Running, works: readonly Work[], each: number): Promise<void> {
  for (const work of works) {
    if (work.fillMib !== undefined) await fill(load, broker, work.topic, 64)
    await measure(load, broker, work, each)
  }
}

async function startRows({ rounds, kinds, folder, isWanted }: Setting): Promise<Row[]> {
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

async function partitionRows({ rounds, kinds, folder, isWanted }: Setting): Promise<Row[]> {
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
