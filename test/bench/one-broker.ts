import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { floorOf, type Kind, kafka, LOG_OPTIONS, ottla, type Running, removeDirectory, start } from './brokers.js'
import { createPartitions } from './partitions.js'
import { compileFloor, compileLoad, Measurements, printTable, type Row, row, temporaryFolder } from './table.js'
import { fill, measure, WORKS, type Work } from './works.js'

/*
 * npm run bench -- [--rounds 3] [--seconds 6] [--warm 30] [--only NAME,...] [--skip-kafka] [--floor] [--alone]
 *
 * One broker of Ottla and one of Apache Kafka by turns on this machine, both warm. Names are those of the works, `start`
 * and `partitions`. With --floor, producing and reading alone, and a program in C takes its turn, too. With --alone, only
 * one of them runs at a time: each round starts it, warms it up and stops it.
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
  readonly isAlone: boolean
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
      alone: { type: 'boolean', default: false },
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
      isAlone: values.alone,
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

async function loadRows(setting: Setting): Promise<Row[]> {
  const works = WORKS.filter(work => setting.isWanted(work.name))
  if (works.length === 0) return []
  const measured = new Measurements()
  if (setting.isAlone) await measureAlone(setting, works, measured)
  else await measureTogether(setting, works, measured)
  return measured.rows()
}

async function measureTogether(setting: Setting, works: readonly Work[], measured: Measurements): Promise<void> {
  const { rounds, seconds, warmSeconds, kinds, folder, load } = setting
  const brokers: Running[] = []
  try {
    for (const kind of kinds) brokers.push(await start(kind, join(folder, `load-${kind.name}`)))
    for (const broker of brokers) await warmUp(load, broker, works, warmSeconds / works.length)
    for (let round = 0; round < rounds; round++) {
      for (const work of works) {
        for (const broker of brokers) {
          if (work.fillMib !== undefined && round === 0) await fill(load, broker, work.topic, work.fillMib)
          measured.add(work, broker.kind.name, await measure(load, broker, work, seconds))
        }
      }
    }
  } finally {
    for (const broker of brokers) await broker.stop()
  }
}

/** What the other one does while it has nothing to do disturbs nobody. */
async function measureAlone(setting: Setting, works: readonly Work[], measured: Measurements): Promise<void> {
  const { rounds, seconds, warmSeconds, kinds, folder, load } = setting
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      const directory = join(folder, `alone-${kind.name}`)
      const broker = await start(kind, directory)
      try {
        await warmUp(load, broker, works, warmSeconds / works.length)
        for (const work of works) {
          if (work.fillMib !== undefined) await fill(load, broker, work.topic, work.fillMib)
          measured.add(work, kind.name, await measure(load, broker, work, seconds))
        }
      } finally {
        await broker.stop()
      }
      removeDirectory(directory)
    }
  }
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
