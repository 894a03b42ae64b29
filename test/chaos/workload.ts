import { setTimeout } from 'node:timers/promises'
import type { SeededRandom } from '../support/random.js'
import { type ClientName, type ClientProgram, startClient } from './clients.js'
import { Committer } from './committer.js'
import { ExactWriter } from './exact-writer.js'
import type { GapMeter } from './gaps.js'
import type { ChaosEvent } from './history.js'
import { pause } from './nodes.js'
import { TailReader } from './readers.js'
import { createTopic, EXACT_PARTITIONS, EXACT_TOPIC, reassign, type Scene } from './scene.js'

export const MOVING_TOPIC = 'moving'
export const CLIENTS: readonly ClientName[] = ['kafkajs', 'librdkafka']
const COMMITTED_GROUP = 'exact-group'
const CLIENT_PARTITIONS = 3
const MOVE_INTERVAL_MS = 3000
const SETTLE_MS_MAX = 60_000

/** Topics with records, and how many partitions they have. */
export const TOPICS: readonly (readonly [string, number])[] = [
  [EXACT_TOPIC, EXACT_PARTITIONS],
  [MOVING_TOPIC, 1],
  ...CLIENTS.map(name => [name, CLIENT_PARTITIONS] as const),
]

/** Groups, the topics that they read, and how many of their partitions. */
export const GROUPS: readonly (readonly [string, string, number])[] = [
  [COMMITTED_GROUP, EXACT_TOPIC, 1],
  ...CLIENTS.map(name => [`${name}-group`, name, CLIENT_PARTITIONS] as const),
]

/** Everybody who uses the cluster during a run. */
export class Workload {
  readonly writers: readonly ExactWriter[]
  readonly #scene: Scene
  readonly #say: (event: ChaosEvent) => void
  readonly #readers: readonly TailReader[]
  readonly #committer: Committer
  readonly #random: SeededRandom
  readonly #running: Promise<void>[] = []
  #clients: readonly ClientProgram[] = []
  #isOver = false

  constructor(scene: Scene, random: SeededRandom, meter: GapMeter, say: (event: ChaosEvent) => void) {
    this.#scene = scene
    this.#random = random
    this.#say = say
    const { addresses } = scene.client
    const writer = (name: string, topic: string, partition: number) => {
      const onAcknowledged = (at: number) => meter.acknowledged(name, at)
      return new ExactWriter(name, topic, partition, addresses, random, say, onAcknowledged)
    }
    const exact = Array.from({ length: EXACT_PARTITIONS }, (_, p) => writer(`exact-${p}`, EXACT_TOPIC, p))
    this.writers = [...exact, writer('moving', MOVING_TOPIC, 0)]
    this.#readers = TOPICS.flatMap(([topic, partitions]) => {
      return Array.from({ length: partitions }, (_, p) => new TailReader(topic, p, addresses, say))
    })
    this.#committer = new Committer(COMMITTED_GROUP, EXACT_TOPIC, addresses, random, say)
  }

  /** Creates the topics and starts everybody; `folder` takes the logs of the client programs. */
  async start(folder: string, clients: readonly ClientName[]): Promise<void> {
    for (const [name, partitions] of TOPICS) await createTopic(this.#scene, name, partitions)
    const bootstrap = this.#scene.client.addresses.join(',')
    this.#clients = await Promise.all(clients.map(name => startClient(name, bootstrap, name, folder, this.#say)))
    for (const one of [...this.writers, ...this.#readers, this.#committer]) this.#running.push(one.run())
    this.#running.push(this.#move())
  }

  /** Rejects when something of it breaks that should not; never resolves before it is stopped. */
  get broken(): Promise<unknown> {
    return Promise.all(this.#running)
  }

  /** Writers first, until all that was sent is settled, then readers. */
  async stop(): Promise<void> {
    this.#isOver = true
    for (const writer of this.writers) writer.stop()
    this.#committer.stop()
    await Promise.all(this.#clients.map(client => client.stop()))
    for (const reader of this.#readers) reader.stop()
    const settled = Promise.all(this.#running).then(() => true)
    const timer = new AbortController()
    const late = setTimeout(SETTLE_MS_MAX, false, { signal: timer.signal, ref: false }).catch(() => false)
    const isSettled = await Promise.race([settled, late])
    timer.abort()
    if (isSettled) return
    for (const { state } of this.writers) this.#say({ e: 'wrong', what: `not settled at the end: ${state}` })
  }

  kill(): void {
    for (const client of this.#clients) client.kill()
  }

  /** Moves the partition of a topic from nodes to nodes. */
  async #move(): Promise<void> {
    const ids = this.#scene.nodes.map(({ id }) => id)
    const random = this.#random
    while (!this.#isOver) {
      await pause(MOVE_INTERVAL_MS)
      if (this.#isOver) break
      const shuffled = [...ids].sort(() => random.next() - 0.5)
      // What does not come about is tried again with other replicas.
      await reassign(this.#scene, MOVING_TOPIC, new Map([[0, shuffled.slice(random.below(2))]])).catch(() => {})
    }
    await reassign(this.#scene, MOVING_TOPIC, new Map([[0, ids]]))
  }
}
