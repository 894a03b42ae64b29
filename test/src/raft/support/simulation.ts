import { strict as assert } from 'node:assert'
import type { InboundCall, InboundReply, RaftConfig, RaftEffect, RaftEvent } from '#src/raft/raft-types.js'
import { findVoter, matchesVoter, type QuorumChange, replicaKey, type VoterSet } from '#src/raft/voters.js'
import type { SeededRandom } from '../../../support/random.js'
import { SafetyChecker } from './checker.js'
import {
  directoryOf,
  emptyDisk,
  endOffsetOf,
  endpointOf,
  type ModelDisk,
  Replica,
  raftConfig,
  versionsOfPeer,
  voterOf,
} from './replica.js'

interface Member {
  readonly id: number
  config: RaftConfig
  disk: ModelDisk
  replica: Replica | null
  /** Counts restarts: what belongs to an earlier life is dropped. */
  life: number
  wakeAt: number
  /** Counts the disks that it had. */
  disks: number
}

/** How hard the world is. Probabilities in 0..1, times in ms. */
export interface Hardship {
  readonly loss: number
  readonly duplicate: number
  readonly delayMax: number
  readonly syncDelayMax: number
}

const easy: Hardship = { loss: 0, duplicate: 0, delayMax: 5, syncDelayMax: 3 }

/** A cluster of machines in virtual time: everything that happens is drawn from one seed, and checked after every step. */
export class Simulation {
  readonly #random: SeededRandom
  readonly #members: Member[] = []
  readonly #checker: SafetyChecker
  readonly #isDynamic: boolean
  readonly #initial: readonly QuorumChange[]
  readonly #autoJoins: boolean
  /** How likely it is that a candidate loses power soon after it has asked for a vote, or in the middle of a step. */
  readonly #danger: number
  readonly #restartDelayMax: number
  #hardship: Hardship
  #queue: { at: number; order: number; run: () => void }[] = []
  #order = 0
  #now = 0
  #tickets = 0
  #waiting = new Map<number, (reply: InboundReply) => void>()
  #cut = new Set<string>()
  #appended = 0
  #isHealing = false
  /** How often rare things happened. */
  readonly counts = {
    elections: 0,
    commits: 0,
    truncations: 0,
    snapshots: 0,
    crashes: 0,
    voterChanges: 0,
    resignations: 0,
    powerLosses: 0,
    replacedDisks: 0,
    shutdowns: 0,
  }

  constructor(random: SeededRandom) {
    this.#random = random
    this.#isDynamic = random.below(2) === 0
    const voterCount = 1 + random.below(5)
    const voterIds = Array.from({ length: voterCount }, (_, index) => index + 1)
    const total = voterCount + random.below(3)
    const voters = voterIds.map(voter => voterOf(voter, true))
    this.#initial = this.#isDynamic ? [{ offset: -1, kraftVersion: 1, voters }] : []
    this.#checker = new SafetyChecker(this.#initial)
    this.#autoJoins = random.below(2) === 0
    this.#danger = random.pick([0, 0.02, 0.2])
    this.#restartDelayMax = random.pick([100, 1000, 5000])
    this.#hardship = {
      loss: random.below(4) === 0 ? 0 : random.next() * 0.2,
      duplicate: random.next() * 0.1,
      delayMax: 1 + random.below(random.below(4) === 0 ? 3000 : 200),
      syncDelayMax: 1 + random.below(random.pick([200, 200, 1500, 6000])),
    }
    const refuse = random.below(2) === 0
    for (let id = 1; id <= total; id++) this.#addMember(id, voterIds, refuse)
    for (const member of this.#members) this.#start(member)
  }

  #addMember(id: number, voterIds: readonly number[], refuse: boolean): void {
    const disk = emptyDisk()
    const isVoter = voterIds.includes(id)
    if (this.#isDynamic && isVoter) {
      disk.snapshots.push({ id: { endOffset: 0, epoch: 0 }, changes: this.#initial, content: [] })
    }
    const config = raftConfig(id, {
      staticVoters: this.#isDynamic ? [] : voterIds.map(voter => voterOf(voter, false)),
      bootstrapServers: this.#isDynamic ? voterIds.map(voter => endpointOf(voter)) : [],
      isController: isVoter || this.#random.below(2) === 0,
      electWhenLeaderRefuses: refuse,
      hurriesElections: refuse,
      autoJoin: this.#autoJoins,
    })
    this.#members.push({ id, config, disk, replica: null, life: 0, wakeAt: Infinity, disks: 1 })
  }

  /** Lets everything go wrong for a while. */
  act(ms: number): void {
    const end = this.#now + ms
    this.#later(this.#random.below(300), () => this.#meddle(end))
    this.#runUntil(end)
  }

  /** Everything works again: one leader must be found, and everybody must get everything. */
  heal(ms: number): void {
    this.#hardship = easy
    this.#isHealing = true
    this.#cut.clear()
    for (const member of this.#members) if (member.replica === null) this.#start(member)
    const end = this.#now + ms
    do this.#runUntil(this.#now + 2000)
    while (this.#now < end && !this.#isAtRest)
    const leader = this.#leader()
    assert(leader !== null, `no leader ${ms} ms after everything works again: ${this.describe()}`)
    this.#appendAt(leader)
    this.#runUntil(this.#now + 5000)
    const logEnd = endOffsetOf(leader.disk)
    for (const member of this.#members) {
      assert.equal(member.replica?.raft.role === 'leader', member === leader, this.describe())
      assert.equal(
        member.replica?.committedOffset,
        logEnd,
        `node ${member.id} does not have everything: ${this.describe()}`,
      )
    }
    assert(this.#isAtRest, `voters are not up to date: ${this.describe()}`)
    this.#checker.atRest(this.#members)
  }

  /** Everybody has everything, and nobody has anything to say of itself. */
  get #isAtRest(): boolean {
    const leader = this.#leader()
    if (leader === null) return false
    const { epoch, voters, kraftVersion } = leader.replica!.raft
    const end = endOffsetOf(leader.disk)
    return this.#members.every(({ config, replica }) => {
      if (replica === null || replica.raft.epoch !== epoch || replica.committedOffset !== end) return false
      const { nodeId, directoryId, localEndpoints } = config
      const voter = findVoter(voters, nodeId)
      if (kraftVersion === 0 || !config.isController) return true
      if (voter === undefined) return !config.autoJoin
      return voter.key.directoryId === directoryId && voter.endpoints.length === localEndpoints.length
    })
  }

  describe(): string {
    return this.#members
      .map(({ id, replica, disk }) => {
        const role =
          replica === null
            ? 'stopped'
            : `${replica.raft.role} epoch=${replica.raft.epoch} leader=${replica.raft.leaderId} hw=${replica.committedOffset} voters=${replica.raft.voters.map(voter => voter.key.id)}`
        return `${id}: ${role} end=${endOffsetOf(disk)} synced=${disk.syncedOffset}`
      })
      .join(' | ')
  }

  #later(delay: number, run: () => void): void {
    const entry = { at: this.#now + delay, order: this.#order++, run }
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#queue[middle]!
      if (other.at < entry.at || (other.at === entry.at && other.order < entry.order)) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, entry)
  }

  #runUntil(end: number): void {
    for (let next = this.#queue[0]; next !== undefined && next.at <= end; next = this.#queue[0]) {
      this.#queue.shift()
      this.#now = next.at
      next.run()
    }
    this.#now = end
  }

  #leader(): Member | null {
    let best: Member | null = null
    for (const member of this.#members) {
      if (member.replica?.raft.role !== 'leader') continue
      if (best === null || member.replica.raft.epoch > best.replica!.raft.epoch) best = member
    }
    return best
  }

  // What happens to a node

  #start(member: Member): void {
    member.life++
    member.replica = new Replica(member.config, member.disk, bound => this.#random.below(bound))
    this.#checker.started(member)
    this.#step(member, { type: 'start' })
  }

  /** With the power goes what was not synced, or only the last of it. */
  #crash(member: Member, losesPower: boolean): void {
    this.counts.crashes++
    member.life++
    member.replica = null
    const { disk, life } = member
    if (losesPower) {
      this.counts.powerLosses++
      const unsynced = disk.batches.filter(batch => batch.lastOffset >= disk.syncedOffset).length
      const lost = this.#random.below(2) === 0 ? unsynced : this.#random.below(unsynced + 1)
      disk.batches = disk.batches.slice(0, disk.batches.length - lost)
    }
    disk.syncedOffset = Math.min(disk.syncedOffset, endOffsetOf(disk))
    if (this.#isDynamic && this.#random.below(4) === 0) this.#readdress(member)
    this.#later(this.#random.below(this.#restartDelayMax), () => {
      if (member.replica === null && member.life === life) this.#start(member)
    })
  }

  /** It comes back with one more listener, which the voters have to be told of. */
  #readdress(member: Member): void {
    const place = endpointOf(member.id)
    const localEndpoints = [place, { ...place, name: 'EXTRA', port: 1000 + this.#random.below(100) }]
    member.config = { ...member.config, localEndpoints }
  }

  #replaceDisk(member: Member): void {
    const raft = this.#leader()?.replica?.raft
    if (raft === undefined || !this.#autoJoins || raft.kraftVersion === 0 || !member.config.isController) return
    if (!this.#areWhole(raft.voters) || raft.voters.length < 3 || raft.highWatermark < raft.endOffset) return
    this.counts.replacedDisks++
    member.disk = emptyDisk()
    member.config = { ...member.config, directoryId: directoryOf(member.id + 10 * member.disks++) }
    this.#crash(member, true)
  }

  /** All of them run on the disks that they voted with. */
  #areWhole(voters: VoterSet): boolean {
    return voters.every(({ key }) =>
      this.#members.some(({ id, config, replica }) => {
        return id === key.id && replica !== null && matchesVoter(key, replicaKey(id, config.directoryId))
      }),
    )
  }

  #step(member: Member, event: RaftEvent): void {
    const { replica, life } = member
    if (replica === null) return
    const before = replica.raft.epoch
    const isDangerous = !this.#isHealing && this.#random.next() < this.#danger / 10
    if (isDangerous) replica.effectsLeft = this.#random.below(4)
    const effects = replica.step(event, this.#now)
    this.#checker.stepped(member, effects, this.#members)
    for (const effect of effects) this.#perform(member, effect)
    if (replica.raft.role === 'leader' && replica.raft.epoch !== before) this.counts.elections++
    if (member.life !== life) return
    if (replica.isGone) return this.#crash(member, true)
    replica.effectsLeft = Infinity
    this.#wake(member)
  }

  #wake(member: Member): void {
    const deadline = member.replica?.raft.deadline ?? Infinity
    if (deadline === Infinity || deadline === member.wakeAt) return
    assert(
      deadline > this.#now,
      `node ${member.id} wants to be woken at ${deadline}, now is ${this.#now}: ${this.describe()}`,
    )
    member.wakeAt = deadline
    const { life } = member
    this.#later(deadline - this.#now, () => {
      if (member.wakeAt === deadline) member.wakeAt = Infinity
      if (member.life === life && member.replica!.raft.deadline <= this.#now) this.#step(member, { type: 'tick' })
    })
  }

  #perform(member: Member, effect: RaftEffect): void {
    const { life } = member
    switch (effect.type) {
      case 'sync': {
        const { disk } = member
        const written = new Set(disk.batches)
        // Some disks are slow at times, when others are not.
        const delay = this.#random.below(2) === 0 ? 0 : this.#random.below(this.#hardship.syncDelayMax)
        this.#later(delay, () => {
          if (member.life !== life) return
          // What was cut off meanwhile is not there to be synced, and what took its place was not there yet.
          for (const batch of disk.batches) {
            if (batch.lastOffset < disk.syncedOffset) continue
            if (!written.has(batch)) break
            disk.syncedOffset = batch.lastOffset + 1
          }
          this.#step(member, { type: 'synced', token: effect.token })
        })
        break
      }
      case 'call':
        this.#send(member, effect)
        break
      case 'reply':
        this.#waiting.get(effect.ticket)?.(
          effect.reply.api === 'describeQuorum' ? (effect.reply as never) : member.replica!.asInbound(effect.reply),
        )
        this.#waiting.delete(effect.ticket)
        break
      case 'truncate':
        this.counts.truncations++
        break
      case 'installSnapshot':
        this.counts.snapshots++
        break
      case 'highWatermark':
        this.counts.commits++
        break
      case 'shutdownReady':
        this.#crash(member, false)
        break
      default:
    }
  }

  // What happens between nodes

  #isCut(from: number, to: number): boolean {
    return this.#cut.has(`${from}->${to}`)
  }

  #send(from: Member, { address, call, correlationId }: Extract<RaftEffect, { type: 'call' }>): void {
    const to = this.#members.find(member => address.host === `node-${member.id}`)!
    const { life } = from
    if (call.api === 'vote' && !call.preVote && !this.#isHealing && this.#random.next() < this.#danger) {
      this.#later(this.#random.below(300), () => {
        if (from.life === life) this.#crash(from, true)
      })
    }
    const fail = (failure: 'disconnected' | 'refused', delay: number): void =>
      this.#later(delay, () => {
        if (from.life === life) this.#step(from, { type: 'callFailed', correlationId, failure })
      })
    const copies = this.#random.next() < this.#hardship.duplicate ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const isLost = this.#random.next() < this.#hardship.loss
      this.#later(1 + this.#random.below(this.#hardship.delayMax), () => {
        if (isLost || this.#isCut(from.id, to.id)) {
          // Some losses are noticed, others are not.
          if (this.#random.below(2) === 0) fail('disconnected', this.#random.below(1000))
          return
        }
        if (to.replica === null) return fail('refused', 1)
        if (call.api === 'apiVersions') return this.#answer(to, from, life, correlationId, versionsOfPeer)
        const ticket = ++this.#tickets
        this.#waiting.set(ticket, reply => this.#answer(to, from, life, correlationId, reply))
        this.#step(to, { type: 'call', ticket, call: call as InboundCall })
      })
    }
  }

  #answer(from: Member, to: Member, life: number, correlationId: number, reply: InboundReply): void {
    if (this.#random.next() < this.#hardship.loss) return
    this.#later(1 + this.#random.below(this.#hardship.delayMax), () => {
      if (to.life !== life || this.#isCut(from.id, to.id)) return
      this.#step(to, { type: 'reply', correlationId, reply })
    })
  }

  // What goes wrong, and what there is to do

  #meddle(end: number): void {
    if (this.#now >= end) return
    const member = this.#random.pick(this.#members)
    const dice = this.#random.below(100)
    if (dice < 45) this.#append()
    else if (dice < 55) this.#toggleCut()
    else if (dice < 60) this.#cut.clear()
    else if (dice < 68) member.replica === null ? this.#start(member) : this.#crash(member, this.#random.below(2) === 0)
    else if (dice < 80) this.#snapshot(member)
    else if (dice < 84) this.#resign()
    else if (dice < 94) this.#changeVoters()
    else if (dice < 96) this.#replaceDisk(member)
    else if (dice < 97) this.#shutDown(member)
    this.#later(1 + this.#random.below(400), () => this.#meddle(end))
  }

  #append(): void {
    const leader = this.#random.below(4) === 0 ? this.#random.pick(this.#members) : this.#leader()
    if (leader?.replica?.raft.role === 'leader') this.#appendAt(leader)
  }

  #appendAt(leader: Member): void {
    const handle = `#${++this.#appended}`
    this.#step(leader, {
      type: 'append',
      epoch: leader.replica!.raft.epoch,
      recordCount: 1 + this.#random.below(3),
      handle,
    })
  }

  #toggleCut(): void {
    const [a, b] = [this.#random.pick(this.#members).id, this.#random.pick(this.#members).id]
    for (const way of this.#random.below(3) === 0 ? [`${a}->${b}`] : [`${a}->${b}`, `${b}->${a}`]) {
      if (this.#cut.has(way)) this.#cut.delete(way)
      else this.#cut.add(way)
    }
  }

  #snapshot(member: Member): void {
    const { replica, disk } = member
    if (replica === null) return
    const ends = disk.batches
      .map(batch => batch.lastOffset + 1)
      .filter(end => end <= replica.committedOffset && end > (disk.snapshots.at(-1)?.id.endOffset ?? 0))
    if (ends.length === 0) return
    const endOffset = this.#random.pick(ends)
    const snapshot = replica.makeSnapshot(endOffset, this.#checker.committedBelow(endOffset))
    this.#checker.takenSnapshot(member, snapshot)
    const cleans = this.#random.below(2) === 0
    const { life } = member
    this.#later(this.#random.below(this.#hardship.syncDelayMax), () => {
      if (member.life !== life) return
      replica.addSnapshot(snapshot)
      if (!cleans) return
      replica.clean()
      this.#step(member, { type: 'logCleaned' })
    })
  }

  #shutDown(member: Member): void {
    this.counts.shutdowns++
    this.#step(member, { type: 'shutdown' })
  }

  #resign(): void {
    const leader = this.#leader()
    if (leader === null) return
    this.counts.resignations++
    this.#step(leader, { type: 'resign', epoch: leader.replica!.raft.epoch })
  }

  #changeVoters(): void {
    const leader = this.#leader()
    if (leader === null) return
    const { voters, kraftVersion, epoch } = leader.replica!.raft
    const candidates = this.#members.filter(member => member.config.isController)
    const { id, config } = this.#random.pick(candidates)
    const voter = { id, directoryId: config.directoryId }
    const isIn = voters.some(other => other.key.id === id)
    // An operator looks whether those who stay can go on.
    if (isIn && !this.#areWhole(voters)) return
    const ticket = ++this.#tickets
    this.#waiting.set(ticket, reply => {
      if (reply.error === 0) this.counts.voterChanges++
    })
    if (kraftVersion === 0) {
      const call = { api: 'upgradeKRaftVersion', epoch, kraftVersion: 1, validateOnly: false } as const
      if (this.#random.below(4) === 0) this.#step(leader, { type: 'call', ticket, call })
      return
    }
    const call: InboundCall = isIn
      ? { api: 'removeVoter', voter }
      : {
          api: 'addVoter',
          voter,
          endpoints: config.localEndpoints,
          ackWhenCommitted: this.#random.below(2) === 0,
          timeoutMs: 1000,
        }
    this.#step(leader, { type: 'call', ticket, call })
  }
}
