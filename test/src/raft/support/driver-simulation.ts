import { strict as assert } from 'node:assert'
import type { VoteRequest } from '#protocol/messages/vote.js'
import { parseSnapshotFileName } from '#src/metadata/snapshot-file.js'
import { NotLeaderError } from '#src/raft/metadata-log.js'
import type { SnapshotLimits } from '#src/raft/snapshotter.js'
import type { VoterSet } from '#src/raft/voters.js'
import type { SeededRandom } from '../../../support/random.js'
import { type DiskMachine, SimDisk } from '../../../support/sim-disk.js'
import { VirtualClock } from '../../../support/virtual-clock.js'
import { drawPace, drawWorld, type Happening } from './happenings.js'
import { Ledger, LedgerListener } from './ledger.js'
import { directoryOf } from './replica.js'
import {
  endpoint,
  type NodeOptions,
  openNode,
  partitionPath,
  type RaftNode,
  snapshotsOf,
  staticVoters,
  topicRecord,
} from './rig.js'
import { type Place, WildNetwork } from './wild-network.js'

interface Host extends Place {
  readonly isController: boolean
  readonly limits: Partial<SnapshotLimits>
  readonly segmentBytes: number
  node: RaftNode | null
  listener: LedgerListener | null
  life: number
  disk: SimDisk
  /** Counts the disks that it had. */
  directories: number
  isStopping: boolean
}

type Quorum = 'static' | 'initial controllers' | 'grown from one'

/** Drivers on disks that are slow and lose what was not synced, on ways that lose calls: all drawn from one seed. */
export class DriverSimulation {
  readonly #random: SeededRandom
  readonly #clock = new VirtualClock()
  readonly #hosts: Host[] = []
  readonly #network: WildNetwork
  readonly #ledger = new Ledger()
  readonly #quorum: Quorum
  readonly #voterIds: readonly number[]
  readonly #autoJoins: boolean
  readonly #hurries: boolean
  /** The election timeout; the others go by it, ms. */
  readonly #patience: number
  readonly #acknowledged: string[] = []
  /** Each seed leaves some things out and does others often. */
  readonly #habits: readonly Happening[]
  #syncDelayMax: number
  /** How likely it is that an fdatasync takes seconds. */
  readonly #stuckness: number
  /** The next that it syncs takes long. */
  #stuck: Host | null = null
  #appended = 0
  #isHealing = false
  readonly counts = { crashes: 0, powerLosses: 0, stops: 0, replacedDisks: 0, snapshots: 0, voterChanges: 0 }

  constructor(random: SeededRandom) {
    this.#random = random
    this.#quorum = random.pick(['static', 'initial controllers', 'grown from one'])
    const voterCount = random.pick([1, 2, 3, 3, 3, 4, 5])
    this.#voterIds = Array.from({ length: voterCount }, (_, index) => index + 1)
    this.#autoJoins = random.below(2) === 0
    this.#hurries = random.below(2) === 0
    const world = drawWorld(random)
    this.#patience = random.pick([100, 200, 400])
    this.#syncDelayMax = this.#patience * world.pace
    this.#stuckness = world.stuckness
    this.#network = new WildNetwork(this.#clock, random, this.#hosts)
    this.#network.onAsked = (api, id, request) => {
      if (api === 'Vote') this.#ledger.asksForVotes(request as VoteRequest)
      if (!this.#isHealing && api === world.dangerous && random.next() < world.danger) this.#losePowerSoon(id)
    }
    const limits = {
      recordBytesBetween: random.pick([200, 200, 1000, 1_000_000]),
      intervalMs: random.pick([0, 700]),
      retentionBytes: world.retentionBytes,
      deleteDelayMs: random.pick([1, 1000]),
    }
    const segmentBytes = random.pick([1000, 1500, 6000])
    this.#habits = world.habits
    const total = voterCount + random.below(3)
    for (let id = 1; id <= total; id++) {
      const isController = id <= voterCount || random.below(2) === 0
      const disk = this.#slow(new SimDisk())
      const state = { node: null, listener: null, life: 0, disk, directories: 0, isStopping: false }
      this.#hosts.push({ id, isController, limits, segmentBytes, ...state })
    }
    for (const host of this.#hosts) this.#start(host)
  }

  /** Lets everything go wrong for so many election timeouts. */
  async act(timeouts: number): Promise<void> {
    const end = this.#clock.now() + timeouts * this.#patience
    const breakMax = this.#patience * this.#random.pick([0.2, 0.5, 1])
    while (this.#clock.now() < end) {
      await this.#clock.advance(1 + this.#random.below(breakMax))
      this.#check()
      this.#meddle()
    }
  }

  /** Everything works again: one leader is found, and everybody gets everything, once. */
  async heal(timeouts: number): Promise<void> {
    this.#isHealing = true
    this.#network.mend()
    this.#network.loss = 0
    this.#network.delayMax = 3
    this.#syncDelayMax = 3
    for (const host of this.#hosts) host.disk.heal()
    const end = this.#clock.now() + timeouts * this.#patience
    do {
      await this.#clock.advance(2 * this.#patience)
      this.#check()
    } while (this.#clock.now() < end && !this.#isAtRest)
    const leader = this.#leader() ?? this.#fail(`no leader after ${timeouts} election timeouts`)
    this.#append(leader)
    for (let waited = 0; waited < timeouts && (waited < 4 || !this.#isAtRest); waited++) {
      await this.#clock.advance(this.#patience)
      this.#check()
    }
    if (this.#ledger.names.at(-1) !== `record-${this.#appended}`) this.#fail('the last record is not committed')
    if (!this.#isAtRest) this.#fail('somebody does not have everything')
    const kept = new Set(this.#ledger.names)
    for (const name of this.#acknowledged) assert(kept.has(name), `${name} was acknowledged and is gone`)
    this.#network.asked.clear()
    await this.#clock.advance(1000)
    this.#check()
    for (const api of ['FetchSnapshot', 'Vote', 'EndQuorumEpoch']) {
      if (this.#network.asked.has(api)) this.#fail(`${api} goes on`)
    }
  }

  /** Everybody has what everybody has, and knows who leads. */
  get #isAtRest(): boolean {
    const leader = this.#leader()
    const epoch = leader?.node?.driver.leader.epoch
    const end = leader?.node?.driver.endOffset
    return this.#hosts.every(({ node, isStopping }) => {
      if (node === null || isStopping || node.driver.highWatermark !== end) return false
      return node.driver.leaderPlace.epoch === epoch && node.witness.records.length === this.#ledger.names.length
    })
  }

  get elections(): number {
    return this.#ledger.elections
  }

  describe(): string {
    const parts = this.#hosts.map(({ id, node, isStopping }) => {
      if (node === null) return `${id}: down`
      const { driver, log, witness } = node
      const { leaderId, epoch } = driver.leaderPlace
      const voters = driver.voters.map(voter => voter.key.id)
      const span = `${log.logStartOffset}..${driver.highWatermark}..${log.logEndOffset}`
      const snapshots = node.disk.list(partitionPath).filter(({ name }) => name.includes('.checkpoint'))
      const files = snapshots.map(({ name }) => name.replace(/^0+|\.checkpoint/g, ''))
      const role = `${isStopping ? 'stops, ' : ''}epoch ${epoch} of ${leaderId}, voters ${voters}`
      return `${id}: ${role}, ${span}, ${witness.records.length} records, snapshots ${files}`
    })
    return `${this.#quorum}, ${parts.join(' | ')}`
  }

  #check(): void {
    const { violation } = this.#ledger
    if (violation !== null) this.#fail(violation)
    for (const host of this.#hosts) {
      if (host.node === null) continue
      if (host.disk.isDead) this.#die(host, host.disk.crashed(this.#random.below(1_000_000)))
      else {
        const fault = host.node.faults[0]
        if (fault !== undefined) this.#fail(`node ${host.id}: ${fault.stack}`)
        this.#checkSnapshots(host.node)
      }
    }
  }

  #fail(what: string): never {
    assert.fail(`${what}: ${this.describe()}`)
  }

  /** The oldest one stands for where the log begins: none may end before it. */
  #checkSnapshots({ nodeId, disk, log }: RaftNode): void {
    for (const { name } of disk.list(partitionPath)) {
      const parsed = parseSnapshotFileName(name)
      if (parsed === null || parsed.state !== 'complete') continue
      const { logStartOffset } = log
      if (parsed.id.endOffset < logStartOffset)
        this.#fail(`node ${nodeId} keeps ${name}, its log is ${logStartOffset}..`)
    }
  }

  #slow(disk: SimDisk): SimDisk {
    const clock = this.#clock
    const machine: DiskMachine = {
      beforeIo: () => {},
      beforeRead: () => {},
      blockOnDevice: () => {},
      changed: () => {},
      waitForDevice: () => {
        const isStuck = !this.#isHealing && (this.#stuck?.disk === disk || this.#random.next() < this.#stuckness)
        const delay = this.#random.below(isStuck ? 20 * this.#patience : this.#syncDelayMax)
        return new Promise(resolve => clock.at(clock.now() + delay, resolve))
      },
      wallTime: () => clock.wallTime(),
    }
    disk.machine = machine
    disk.keepsTrace = false
    return disk
  }

  // What happens to a node

  #optionsOf(host: Host): NodeOptions {
    const { id, isController, directories } = host
    const isDynamic = this.#quorum !== 'static'
    const isFirst = this.#quorum === 'grown from one' ? id === 1 : this.#voterIds.includes(id)
    const argument = this.#voterIds.map(voter => `${voter}@localhost:${9000 + voter}:${directoryOf(voter)}`).join(',')
    const others = { kind: 'noInitialControllers' } as const
    const first =
      this.#quorum === 'grown from one'
        ? ({ kind: 'standalone', host: 'localhost', port: 9001 } as const)
        : ({ kind: 'initialControllers', voters: argument } as const)
    return {
      nodeId: id,
      clock: this.#clock,
      disk: host.disk,
      seed: this.#random.below(1_000_000),
      limits: host.limits,
      segmentBytes: host.segmentBytes,
      voters: isDynamic ? [] : staticVoters(this.#voterIds),
      format: {
        isController,
        quorum: isDynamic ? (isFirst && directories === 0 ? first : others) : { kind: 'static' },
      },
      config: {
        isController,
        bootstrapServers: isDynamic ? this.#voterIds.map(voter => ({ host: 'localhost', port: 9000 + voter })) : [],
        autoJoin: this.#autoJoins,
        electionTimeoutMs: this.#patience,
        electionBackoffMsMax: this.#patience,
        fetchTimeoutMs: 2 * this.#patience,
        requestTimeoutMs: 2 * this.#patience,
        fetchWaitMsMax: this.#patience / 2,
        electWhenLeaderRefuses: this.#hurries,
        hurriesElections: this.#hurries,
      },
    }
  }

  #start(host: Host): void {
    host.life++
    host.isStopping = false
    try {
      const node = openNode({ ...this.#optionsOf(host), channel: this.#network.channelOf(host) })
      host.node = node
      host.listener = new LedgerListener(host.id, this.#ledger)
      node.driver.register(host.listener)
      snapshotsOf(node)
      node.driver.start()
    } catch (error) {
      if (!host.disk.isDead) throw error
      this.#die(host, host.disk.crashed(this.#random.below(1_000_000)))
    }
  }

  /** The process is gone, and comes back on what is left of the disk. */
  #die(host: Host, disk: SimDisk): void {
    host.life++
    this.counts.crashes++
    this.counts.snapshots += host.listener?.snapshots ?? 0
    host.node?.driver.abandon()
    host.node = null
    host.disk = this.#slow(disk)
    const delay = this.#random.below(this.#patience * this.#random.pick([0.1, 0.5, 5]))
    const { life } = host
    this.#clock.at(this.#clock.now() + delay, () => {
      if (host.life === life) this.#start(host)
    })
  }

  /** Of a machine: at this moment, or at one of the next things that it does to its disk. */
  #losePower(host: Host): void {
    this.counts.powerLosses++
    if (this.#random.below(2) === 0) host.disk.failAt(1 + this.#random.below(12), 'crash', this.#random.below(1000))
    else if (host.node !== null) this.#die(host, host.disk.crashed(this.#random.below(1_000_000)))
  }

  /** In the middle of what it has just begun. */
  #losePowerSoon(id: number): void {
    const host = this.#hosts.find(one => one.id === id)!
    const { life } = host
    this.#clock.at(this.#clock.now() + this.#random.below(this.#random.pick([10, 300])), () => {
      if (host.life !== life || host.node === null || this.#isHealing) return
      this.counts.powerLosses++
      this.#die(host, host.disk.crashed(this.#random.below(1_000_000)))
    })
  }

  #stop(host: Host): void {
    const { node, life } = host
    if (node === null || host.isStopping) return
    this.counts.stops++
    host.isStopping = true
    const gone = (): void => {
      if (host.life === life && !host.disk.isDead) this.#die(host, host.disk.killed())
    }
    node.driver.close().then(gone, gone)
  }

  /** Only where the others are enough: what such a voter has acknowledged is lost with it. */
  #replaceDisk(host: Host): void {
    const leader = this.#leader()
    if (leader?.node == null || !this.#autoJoins || this.#quorum === 'static' || !host.isController) return
    const { voters, highWatermark, endOffset } = leader.node.driver
    if (!this.#areWhole(voters) || voters.length < 3 || highWatermark < endOffset || host === leader) return
    this.counts.replacedDisks++
    host.directories++
    this.#die(host, new SimDisk())
  }

  /** All of them run on the disks that they voted with. */
  #areWhole(voters: VoterSet): boolean {
    return voters.every(({ key }) => {
      const node = this.#hosts.find(host => host.id === key.id)?.node
      return node?.directory.metaProperties?.directoryId === key.directoryId
    })
  }

  // What goes wrong, and what there is to do

  #meddle(): void {
    const host = this.#random.pick(this.#hosts)
    const important = this.#random.below(3) === 0 ? (this.#leader() ?? host) : host
    switch (this.#random.pick(this.#habits)) {
      case 'append':
        return this.#append(this.#random.below(2) === 0 ? this.#anyLeader() : this.#leader())
      case 'storm':
        return this.#stormOfAppends()
      case 'cut':
        return this.#cut(important)
      case 'mend':
        return this.#network.mend()
      case 'power':
        return this.#losePower(important)
      case 'kill':
        return host.node === null ? undefined : this.#die(host, host.disk.killed())
      case 'stop':
        return this.#stop(important)
      case 'snapshot':
        return void host.node?.driver.takeSnapshot()
      case 'resign':
        return this.#resign()
      case 'voters':
        return this.#changeVoters()
      case 'replace':
        return this.#replaceDisk(host)
      case 'overtake':
        return this.#overtake(this.#random.below(2) === 0 ? host : this.#leader())
      case 'pace':
        this.#syncDelayMax = this.#patience * drawPace(this.#random)
    }
  }

  #leader(): Host | null {
    let best: Host | null = null
    for (const host of this.#hosts) {
      if (host.node === null || host.node.driver.leader.leaderId !== host.id) continue
      if (best === null || host.node.driver.leader.epoch > best.node!.driver.leader.epoch) best = host
    }
    return best
  }

  /** One that thinks that it leads. */
  #anyLeader(): Host | null {
    const leaders = this.#hosts.filter(({ id, node }) => node?.driver.leader.leaderId === id)
    return leaders.length === 0 ? null : this.#random.pick(leaders)
  }

  #append(host: Host | null): void {
    if (host?.node == null) return
    const { driver } = host.node
    const { leaderId, epoch } = driver.leader
    if (leaderId !== host.id) return
    const names = Array.from({ length: 1 + this.#random.below(3) }, () => `record-${++this.#appended}`)
    try {
      driver.append(epoch, names.map(topicRecord))
    } catch (error) {
      if (!(error instanceof NotLeaderError)) throw error
      return
    }
    driver.whenCommitted(epoch, driver.endOffset).then(
      () => this.#acknowledged.push(...names),
      () => {},
    )
  }

  /** Batch by batch to those who think that they lead; a leader that has none with it knows no better for a while. */
  #stormOfAppends(): void {
    const leader = this.#anyLeader()
    if (leader !== null && this.#random.below(2) === 0) this.#cut(leader)
    for (let count = this.#random.below(16); count > 0; count--) {
      this.#clock.at(this.#clock.now() + this.#random.below(this.#patience), () => this.#append(leader))
    }
  }

  /**
   * A node that hears nobody goes on with what it does, a snapshot on a disk that is stuck perhaps, while the others
   * leave it behind.
   */
  #overtake(host: Host | null): void {
    if (host === null || this.#network.isCut) return
    const later = (from: number, to: number, work: () => void): void => {
      const delay = this.#patience * (from + this.#random.next() * (to - from))
      this.#clock.at(this.#clock.now() + delay, work)
    }
    this.#stuck = this.#random.below(2) === 0 ? host : null
    void host.node?.driver.takeSnapshot()
    later(0.1, 0.5, () => {
      this.#stuck = null
      this.#network.cut(host.id, this.#patience * (5 + this.#random.below(12)))
    })
    for (let count = this.#random.below(20); count > 0; count--) later(0.5, 3, () => this.#append(host))
    for (let count = 4; count > 0; count--) {
      later(4, 12, () => {
        const leader = this.#leader()
        this.#append(leader)
        void leader?.node?.driver.takeSnapshot()
      })
    }
  }

  #cut(host: Host): void {
    if (this.#network.isCut && this.#random.below(4) > 0) return
    this.#network.cut(host.id, this.#random.below(this.#patience * this.#random.pick([3, 20])))
  }

  #resign(): void {
    const driver = this.#leader()?.node?.driver
    driver?.resign(driver.leader.epoch)
  }

  #changeVoters(): void {
    const driver = this.#leader()?.node?.driver
    if (driver === undefined) return
    if (driver.kraftVersion === 0) {
      const { epoch } = driver.leader
      const call = { api: 'upgradeKRaftVersion', epoch, kraftVersion: 1, validateOnly: false } as const
      if (this.#random.below(3) === 0) driver.ask(call).catch(() => {})
      return
    }
    const { id, node } = this.#random.pick(this.#hosts.filter(host => host.isController))
    const directoryId = node?.directory.metaProperties?.directoryId ?? null
    if (directoryId === null) return
    const voter = { id, directoryId }
    const isIn = driver.voters.some(({ key }) => key.id === id)
    if (isIn && !this.#areWhole(driver.voters)) return
    const adding = { endpoints: [endpoint(id)], ackWhenCommitted: this.#random.below(2) === 0, timeoutMs: 1000 }
    driver.ask(isIn ? { api: 'removeVoter', voter } : { api: 'addVoter', voter, ...adding }).then(
      ({ reply }) => {
        if (reply.api !== 'describeQuorum' && 'error' in reply && reply.error === 0) this.counts.voterChanges++
      },
      () => {},
    )
  }
}
