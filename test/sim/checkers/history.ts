/*
 * What clients were told about records, and what must follow from it.
 *
 * Promised is, with min.insync.replicas = m and without unclean elections:
 *
 * - A record that a consumer has seen, or that was acknowledged with acks=all, stays at its offset for ever, whatever
 *   processes are killed, paused or cut off. Kafka acknowledges from the page cache, which a killed process leaves
 *   behind: what every replica of the ISR has written, a kill takes from none of them.
 * - The loss of power takes what was not synced. So such a record survives if a replica that was eligible to lead (in the
 *   ISR or the ELR) kept its power, or had synced it, and comes back before one without it may lead. When all eligible
 *   replicas went down together and one of them lost power, the tail that was not synced may be gone: a disaster, which
 *   `weaken` tells the history of. With `log.flush.interval.messages=1` everything acknowledged is synced, and no
 *   disaster takes anything. A leader of before that has not heard of the disaster goes on for a while: what it says
 *   promises nothing either.
 * - acks=1 promises as much as long as the same replica leads; acks=0 promises nothing.
 *
 * Even a disaster doubles no record of an idempotent producer and changes no order: the state of producers is rebuilt
 * from the log that is left.
 */

/** Thrown when something that was promised did not come true. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

export interface SentRecord {
  readonly value: string
  readonly writer: string
  /** Grows by one with each record of a writer in a partition. */
  readonly number: number
  readonly isIdempotent: boolean
  /** Sent once and never again, so that it may be there at most once even without idempotence. */
  readonly isSentOnce: boolean
  isAcknowledged: boolean
}

interface Entry {
  value: string
  /** It was seen or acknowledged for good, and no disaster has put it in doubt since. */
  isFirm: boolean
}

/** One partition as its clients know it. */
export class PartitionHistory {
  readonly topic: string
  readonly partition: number
  readonly sent = new Map<string, SentRecord>()
  /** What is where, by offset: told by acknowledgements and by reads. */
  readonly #entries: (Entry | undefined)[] = []
  /** Acknowledged as already there, at an offset that nobody said. */
  readonly #somewhere = new Set<string>()
  /** No consumer may see less: all below was visible. */
  visibleEnd = 0
  disasters = 0
  /** What is below may be deleted: somebody has asked for it, or (Infinity) retention does it. */
  deletedEnd = 0
  /** Of the leader that the last disaster has brought. */
  #soundEpoch = -1

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get name(): string {
    return `${this.topic}-${this.partition}`
  }

  get end(): number {
    return this.#entries.length
  }

  /** The offset behind the last record that must be there. */
  get firmEnd(): number {
    for (let end = this.#entries.length; end > 0; end--) if (this.#entries[end - 1]?.isFirm === true) return end
    return 0
  }

  valueAt(offset: number): string | undefined {
    return this.#entries[offset]?.value
  }

  /** Somebody is about to delete what is below an offset. */
  willDelete(offset: number): void {
    this.deletedEnd = Math.max(this.deletedEnd, offset)
  }

  willSend(record: SentRecord): void {
    this.sent.set(record.value, record)
  }

  /**
   * A producer was told that its record is at an offset. `isFirm`: by acks=all, or nothing can take it away.
   * `disastersBefore`: how many there were when it was sent; an answer may be older than the loss of what it says.
   */
  acknowledged(record: SentRecord, offset: number, isFirm: boolean, disastersBefore: number): void {
    record.isAcknowledged = true
    if (disastersBefore !== this.disasters) return
    if (offset < 0) {
      if (isFirm) this.#somewhere.add(record.value)
      return
    }
    if (isFirm) this.#confirm(offset, record.value, 'was acknowledged')
  }

  /** A consumer has read a record. */
  seen(offset: number, value: string): void {
    if (!this.sent.has(value)) throw new Violation(`${this.name} has at ${offset} ${value}, which nobody sent`)
    this.#confirm(offset, value, 'was read')
    this.visibleEnd = Math.max(this.visibleEnd, offset + 1)
  }

  #confirm(offset: number, value: string, how: string): void {
    const known = this.#entries[offset]
    if (known !== undefined && known.value !== value && known.isFirm) {
      const text = `${value} ${how} at ${offset} of ${this.name}, where ${known.value} was before`
      throw new Violation(`acknowledged stays: ${text}`)
    }
    this.#entries[offset] = { value, isFirm: true }
  }

  /** Whether what was asked of the leader of an epoch was answered by one from before the last disaster. */
  isOutdated(leaderEpoch: number): boolean {
    return leaderEpoch < this.#soundEpoch
  }

  /** With the leader of this epoch everything from an offset on may be lost: see above. */
  weaken(offset: number, leaderEpoch: number): void {
    this.disasters++
    this.#soundEpoch = leaderEpoch
    this.visibleEnd = Math.min(this.visibleEnd, offset)
    this.#somewhere.clear()
    for (let at = offset; at < this.#entries.length; at++) {
      const entry = this.#entries[at]
      if (entry !== undefined) entry.isFirm = false
    }
  }

  /** The whole partition as it was read at the end, from its first offset on. */
  checkAll(values: ReadonlyMap<number, string>, logStartOffset: number): void {
    if (logStartOffset > this.deletedEnd) {
      const text = `${this.name} begins at ${logStartOffset}, what was deleted ended at ${this.deletedEnd}`
      throw new Violation(`acknowledged stays: ${text}`)
    }
    const offsetOf = new Map<string, number>()
    const lastOf = new Map<string, SentRecord>()
    for (const [offset, value] of values) {
      const record = this.sent.get(value)
      if (record === undefined) throw new Violation(`${this.name} has at ${offset} ${value}, which nobody sent`)
      const first = offsetOf.get(value)
      if (first !== undefined && (record.isIdempotent || record.isSentOnce)) {
        const text = `${this.name} has ${value} twice, at ${first} and ${offset}`
        throw new Violation(`no duplicate and no change of order: ${text}`)
      }
      offsetOf.set(value, offset)
      const last = lastOf.get(record.writer)
      if (record.isIdempotent && last !== undefined && last.number > record.number) {
        const text = `${this.name} has ${value} at ${offset} after ${last.value}`
        throw new Violation(`no duplicate and no change of order: ${text}`)
      }
      lastOf.set(record.writer, record)
    }
    for (let offset = logStartOffset; offset < this.#entries.length; offset++) {
      const entry = this.#entries[offset]
      if (entry === undefined || !entry.isFirm || values.get(offset) === entry.value) continue
      const found = values.get(offset) ?? 'nothing'
      const text = `${entry.value} was promised at ${offset} of ${this.name}, where ${found} is`
      throw new Violation(`acknowledged stays: ${text}`)
    }
    // Somewhere may have been where records are deleted by now.
    if (logStartOffset > 0) return
    for (const value of this.#somewhere) {
      if (offsetOf.has(value)) continue
      throw new Violation(`acknowledged stays: ${value} was acknowledged as in ${this.name}, and is not`)
    }
  }
}

/** What the members of a group were told of the offsets that they commit. */
export class GroupHistory {
  readonly group: string
  /** Acknowledged commits. */
  commits = 0
  disasters = 0
  readonly #acknowledged = new Map<string, number>()
  readonly #tried = new Map<string, number>()
  /**
   * Smaller offsets that a member was about to commit of its own will: its position was lost in a disaster of the
   * partition. They may have come about though nobody has had an answer.
   */
  readonly #lowered = new Map<string, Set<number>>()

  constructor(group: string) {
    this.group = group
  }

  /** A member is about to commit. */
  willCommit(partition: string, offset: number): void {
    this.#tried.set(partition, Math.max(offset, this.#tried.get(partition) ?? -1))
    if (offset >= this.floor(partition)) return
    const lowered = this.#lowered.get(partition)
    if (lowered === undefined) this.#lowered.set(partition, new Set([offset]))
    else lowered.add(offset)
  }

  /** `disastersBefore`: how many there were when the commit was sent. */
  committed(partition: string, offset: number, disastersBefore: number): void {
    this.commits++
    if (disastersBefore !== this.disasters) return
    // A member that begins again further back, after a disaster, commits less of its own will.
    this.#acknowledged.set(partition, offset)
  }

  /** What was acknowledged before a fetch of offsets was sent, to be compared with its answer. */
  floor(partition: string): number {
    return this.#acknowledged.get(partition) ?? -1
  }

  fetched(partition: string, offset: number, floor: number): void {
    if (offset < floor && this.floor(partition) >= floor && !this.#lowered.get(partition)?.has(offset)) {
      const text = `${this.group} had committed ${floor} of ${partition}, and now ${offset} is there`
      throw new Violation(`committed offsets do not go back: ${text}`)
    }
    const tried = this.#tried.get(partition) ?? -1
    if (offset > tried) throw new Violation(`${this.group} has ${offset} of ${partition}, more than anybody committed`)
  }

  /** A disaster may have taken commits. */
  weaken(): void {
    this.disasters++
    this.#acknowledged.clear()
  }
}

/** All that clients know. */
export class History {
  readonly partitions = new Map<string, PartitionHistory>()
  readonly groups = new Map<string, GroupHistory>()
  /** Topics whose creation was acknowledged, with how many partitions they have at least. */
  readonly topics = new Map<string, number>()
  acknowledged = 0
  read = 0
  commits = 0

  partition(topic: string, partition: number): PartitionHistory {
    const name = `${topic}-${partition}`
    let found = this.partitions.get(name)
    if (found === undefined) this.partitions.set(name, (found = new PartitionHistory(topic, partition)))
    return found
  }

  group(name: string): GroupHistory {
    let found = this.groups.get(name)
    if (found === undefined) this.groups.set(name, (found = new GroupHistory(name)))
    return found
  }
}
