import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { decodeResponse } from '#protocol/frame.js'
import { Produce } from '#protocol/messages/produce.js'
import { batchPositions } from '#protocol/records/batch.js'
import { readRecords } from '#protocol/records/reader.js'
import type { Partition } from '#src/replication/partition.js'
import { SeededRandom, testSeed } from '../../support/random.js'
import { ReplicaCluster } from '../../support/replica-cluster.js'
import type { WireClient } from '../../support/wire-client.js'
import { batchOf, produceRequest } from '../handlers/replica-support.js'

const TOPIC = 't'
const VERSION = 9
const STEPS = 120

interface Asked {
  readonly value: string
  readonly partition: number
}

/** A cluster under random faults, with producers that remember what was acknowledged. */
class Run {
  readonly random: SeededRandom
  readonly cluster: ReplicaCluster
  readonly partitions: number
  readonly acknowledged: Map<number, string>[] = []
  readonly #clients: { readonly client: WireClient; readonly asked: Asked[]; isOpen: boolean }[] = []
  readonly #highWatermarks = new Map<Partition, number>()
  #values = 0
  acks = 0
  elections = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    const { random } = this
    this.partitions = 1 + random.below(3)
    for (let i = 0; i < this.partitions; i++) this.acknowledged.push(new Map())
    this.cluster = new ReplicaCluster({
      seed,
      config: { replicaLagMsMax: 2000, replicaFetchers: 1 + random.below(2), replicaFetchBytesMax: 300 },
    })
    const slow = random.below(3) * 100
    this.cluster.network.latencyMs = () => 1 + random.below(10)
    this.cluster.metadataDelayMs = () => 1 + random.below(20 + slow)
  }

  async run(): Promise<void> {
    const { cluster, random } = this
    await cluster.clock.advance(300)
    cluster.createTopic(TOPIC, [1, 2, 3], { minInsyncReplicas: 1 + random.below(2) }, this.partitions)
    await cluster.clock.advance(300)
    for (let step = 0; step < STEPS; step++) {
      this.#step()
      await cluster.clock.advance(random.below(random.below(10) === 0 ? 4000 : 60))
      this.#collect()
      this.#check()
    }
    await this.#heal()
  }

  #step(): void {
    const { random, cluster } = this
    const choice = random.below(100)
    if (choice < 60) this.#produce()
    else if (choice < 70) this.#elect()
    else if (choice < 78) this.#kill()
    else if (choice < 88) this.#restart()
    else if (choice < 93) cluster.network.cut(`node-${1 + random.below(3)}`, `node-${1 + random.below(3)}`)
    else if (choice < 97) cluster.network.heal()
    else this.#bounce()
  }

  #produce(): void {
    const { random, cluster } = this
    const partition = random.below(this.partitions)
    const { leader } = cluster.partition(TOPIC, partition)
    const id = leader === -1 || random.below(8) === 0 ? 1 + random.below(3) : leader
    if (!cluster.node(id).isAlive) return
    const client = cluster.client(id)
    const asked: Asked[] = []
    for (let i = random.below(4); i >= 0; i--) {
      const value = `value-${this.#values++}`
      asked.push({ value, partition })
      const request = produceRequest(batchOf([value]), { topic: TOPIC, partition, timeoutMs: 5000 })
      client.send(Produce, VERSION, request)
    }
    this.#clients.push({ client, asked, isOpen: true })
  }

  #elect(): void {
    const { random, cluster } = this
    const index = random.below(this.partitions)
    const { isr } = cluster.partition(TOPIC, index)
    const alive = isr.filter(id => cluster.node(id).isAlive && cluster.image.cluster.broker(id)?.fenced === false)
    if (alive.length === 0) return
    this.elections++
    cluster.change(TOPIC, index, { leader: random.pick(alive) })
  }

  #kill(): void {
    const id = 1 + this.random.below(3)
    if (this.cluster.node(id).isAlive) this.cluster.kill(id)
  }

  #restart(): void {
    const { cluster, random } = this
    const dead = [1, 2, 3].filter(id => !cluster.node(id).isAlive)
    if (dead.length === 0) return
    const id = random.pick(dead)
    // Only who is not counted on may lose what was not on the device.
    const isCountedOn = this.#indexes().some(index => cluster.partition(TOPIC, index).isr.includes(id))
    cluster.restart(id, isCountedOn || random.below(2) === 0 ? null : random.below(2 ** 31))
  }

  /** A broker is fenced for a while, though it is there. */
  #bounce(): void {
    const { cluster, random } = this
    const id = 1 + random.below(3)
    if (!cluster.node(id).isAlive) return
    cluster.fence(id)
    cluster.clock.at(cluster.clock.now() + random.below(2000), () => {
      if (cluster.node(id).isAlive) cluster.unfence(id)
    })
  }

  #indexes(): number[] {
    return Array.from({ length: this.partitions }, (_, index) => index)
  }

  #collect(): void {
    for (const each of this.#clients) {
      for (let frame = each.client.receiveFrame(); frame !== null; frame = each.client.receiveFrame()) {
        const { value, partition } = each.asked.shift()!
        const { response } = decodeResponse(Produce, VERSION, frame)
        const { errorCode, baseOffset } = response.responses[0]!.partitionResponses[0]!
        if (errorCode !== ErrorCode.NONE) continue
        this.acks++
        const known = this.acknowledged[partition]!
        assert.ok(!known.has(baseOffset), `offset ${baseOffset} was given out twice`)
        known.set(baseOffset, value)
      }
    }
  }

  #check(): void {
    for (const node of this.cluster.nodes.values()) {
      if (!node.isAlive) continue
      for (const partition of node.broker.replicas.partitions()) {
        const { highWatermark, log } = partition
        assert.ok(highWatermark <= log.logEndOffset, `${partition.name} on ${node.id}: more is committed than there is`)
        // After a loss of power a replica may have what was cut off before; nobody counts on it then.
        if (!this.cluster.partition(TOPIC, partition.index).isr.includes(node.id)) continue
        const before = this.#highWatermarks.get(partition) ?? 0
        assert.ok(highWatermark >= before, `${partition.name} on ${node.id}: ${before} was committed`)
        this.#highWatermarks.set(partition, highWatermark)
      }
    }
  }

  async #heal(): Promise<void> {
    const { cluster } = this
    cluster.network.heal()
    for (const id of [1, 2, 3]) if (!cluster.node(id).isAlive) cluster.restart(id)
    await cluster.clock.advance(3000)
    for (const id of [1, 2, 3]) if (cluster.image.cluster.broker(id)?.fenced === true) cluster.unfence(id)
    cluster.electAll()
    await cluster.clock.advance(20_000)
    this.#collect()
    for (const index of this.#indexes()) {
      const { isr } = cluster.partition(TOPIC, index)
      assert.deepEqual([...isr].sort(), [1, 2, 3], `all are in sync again in ${index}`)
      const contents = [1, 2, 3].map(id => contentOf(cluster.replica(id, TOPIC, index)))
      for (const content of contents) assert.deepEqual(content, contents[0], 'the logs are the same')
      for (const [offset, value] of this.acknowledged[index]!) {
        assert.equal(contents[0]!.get(offset), value, `the record at ${offset} of ${index} was acknowledged`)
      }
      for (const id of [1, 2, 3]) {
        const { highWatermark, log } = cluster.replica(id, TOPIC, index)
        assert.equal(highWatermark, log.logEndOffset, 'everything is committed in the end')
      }
    }
    for (const node of cluster.nodes.values()) node.broker.replicas.halt()
  }
}

/** The values of a log by offset, with the epoch of each. */
function contentOf({ log }: Partition): Map<number, string> {
  const content = new Map<number, string>()
  let offset = log.logStartOffset
  while (offset < log.logEndOffset) {
    const read = log.read(offset, 1_000_000, log.logEndOffset, true)
    if (read === null) break
    for (const position of batchPositions(read.buffer)) {
      for (const record of readRecords(read.buffer, position)) {
        content.set(record.offset, Buffer.from(record.value!).toString())
        offset = record.offset + 1
      }
    }
  }
  return content
}

const first = testSeed()
const count = Number(process.env.RUNS ?? 8)
for (let i = 0; i < count; i++) {
  const seed = (first + i) >>> 0
  test(`nothing acknowledged is lost, whatever happens to brokers and links (SEED=${seed} RUNS=1)`, async () => {
    await new Run(seed).run()
  })
}
