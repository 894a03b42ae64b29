/*
 * What must follow from what clients were told, while processes are killed, frozen and cut off, and at most one disk at a
 * time is lost (RF 3, min.insync.replicas 2, no unclean elections):
 *
 * - lost       a record acknowledged with acks=all is there at the end, at its offset
 * - changed    what was acknowledged with acks=all or was read at an offset stays there for ever, for every reader
 * - doubled    a record of an idempotent producer, and one that was sent once only, is there once at most
 * - reordered  the records of an idempotent producer are there in its order
 * - invented   everything that is there was sent
 * - back       a committed offset of a group, once acknowledged, does not go back
 * - skipped    a group has read everything below what it committed
 * - admin      topics, deletions and options that were acknowledged are there at the end
 *
 * acks=1 and acks=0 promise the rest of it, but not that a record is there.
 */
import { GroupCheck } from './group-check.js'
import { type ChaosEvent, parseValue, valueText, WHOLE_READER, type WriterKind } from './history.js'

export interface Violation {
  readonly kind: 'lost' | 'changed' | 'doubled' | 'reordered' | 'invented' | 'back' | 'skipped' | 'admin' | 'wrong'
  readonly text: string
}

/** How many violations of a kind are told in full. */
const TOLD_MAX = 20
/** So many clients may lose their way by themselves in a run; when it happens more often, the cluster has part in it. */
const REPLACED_MAX = 2

interface Writer extends WriterKind {
  readonly name: string
  readonly partition: PartitionFacts
  sentTo: number
  acknowledged: number
  gaveUp: number
}

interface PartitionFacts {
  readonly name: string
  /** What is at an offset for good, and how that is known. */
  readonly firm: Map<number, { readonly value: string; readonly how: string }>
  /** Acknowledged as there already, at an offset that nobody said. */
  readonly somewhere: Set<string>
  /** What somebody found at an offset instead of what was known to be there. */
  readonly conflicts: { readonly offset: number; readonly instead: string }[]
  /** Offsets of the partition as somebody read it from one end to the other: [start, end). */
  readonly wholes: { readonly reader: string; readonly start: number; readonly end: number }[]
}

export class HistoryChecker {
  readonly #writers = new Map<string, Writer>()
  readonly #partitions = new Map<string, PartitionFacts>()
  /** How many values those have read who read a whole partition. */
  readonly #reading = new Map<string, number>()
  readonly #groups: GroupCheck
  readonly #topics = new Map<string, { state: 'there' | 'gone' | 'inDoubt'; partitions: number }>()
  /** Values of options: the last one that was acknowledged, and those that may still come about. */
  readonly #configs = new Map<string, { last: string | null; readonly inDoubt: Set<string> }>()
  readonly #told = new Map<string, number>()
  readonly violations: Violation[] = []
  /** Clients that were replaced, and why. */
  readonly replaced: string[] = []
  reads = 0

  constructor() {
    this.#groups = new GroupCheck((kind, text) => this.#violated(kind, text))
  }

  get totals(): { sent: number; acknowledged: number; gaveUp: number; reads: number; commits: number; topics: number } {
    const total = { sent: 0, acknowledged: 0, gaveUp: 0, reads: this.reads, commits: 0, topics: this.#topics.size }
    for (const writer of this.#writers.values()) {
      total.sent += writer.sentTo + 1
      total.acknowledged += writer.acknowledged
      total.gaveUp += writer.gaveUp
    }
    total.commits = this.#groups.commits
    return total
  }

  /** How many records each writer had acknowledged. */
  get acknowledgedBy(): ReadonlyMap<string, number> {
    return new Map([...this.#writers.values()].map(({ name, acknowledged }) => [name, acknowledged]))
  }

  add(event: ChaosEvent): void {
    switch (event.e) {
      case 'writer': {
        const partition = this.#partition(event.topic, event.p)
        const { idempotent, acks, once } = event
        const counts = { sentTo: -1, acknowledged: 0, gaveUp: 0 }
        this.#writers.set(event.w, { name: event.w, partition, idempotent, acks, once, ...counts })
        break
      }
      case 'send': {
        const writer = this.#writer(event.w)
        writer.sentTo = Math.max(writer.sentTo, event.n)
        break
      }
      case 'ack':
        this.#acknowledged(event)
        break
      case 'gaveUp':
        this.#writer(event.w).gaveUp += event.count
        break
      case 'read':
        this.#read(event)
        break
      case 'whole': {
        const { r: reader, start, end } = event
        const partition = this.#partition(event.topic, event.p)
        const read = this.#reading.get(`${reader} ${partition.name}`) ?? 0
        if (read !== end - start)
          this.#violated('wrong', `${reader} read ${read} of ${end - start} of ${partition.name}`)
        partition.wholes.push({ reader, start, end })
        break
      }
      case 'replaced':
        this.replaced.push(`${event.client}: ${event.why}`)
        break
      case 'wrong':
        this.#violated('wrong', event.what)
        break
      case 'fault':
        break
      default:
        if (!this.#groups.add(event)) this.#admin(event)
    }
  }

  /** Everything that can be said only when all is known. Call once, at the end. */
  finish(): readonly Violation[] {
    for (const partition of this.#partitions.values()) this.#checkPartition(partition)
    this.#groups.finish()
    if (this.replaced.length > REPLACED_MAX) {
      this.#violated('wrong', `${this.replaced.length} clients lost their way, more than ${REPLACED_MAX}`)
    }
    return this.violations
  }

  #writer(name: string): Writer {
    const writer = this.#writers.get(name)
    if (writer === undefined) throw new Error(`the history says nothing of a writer ${name}`)
    return writer
  }

  #partition(topic: string, p: number): PartitionFacts {
    const name = `${topic}-${p}`
    let found = this.#partitions.get(name)
    if (found === undefined) {
      found = { name, firm: new Map(), somewhere: new Set(), conflicts: [], wholes: [] }
      this.#partitions.set(name, found)
    }
    return found
  }

  #violated(kind: Violation['kind'], text: string): void {
    const told = (this.#told.get(kind) ?? 0) + 1
    this.#told.set(kind, told)
    if (told <= TOLD_MAX) this.violations.push({ kind, text })
    else if (told === TOLD_MAX + 1) this.violations.push({ kind, text: 'and more of the same' })
  }

  #acknowledged(event: ChaosEvent & { e: 'ack' }): void {
    const writer = this.#writer(event.w)
    writer.acknowledged += event.count
    if (writer.acks !== -1) return
    for (let i = 0; i < event.count; i++) {
      const value = valueText(event.w, event.from + i)
      if (event.offset < 0) writer.partition.somewhere.add(value)
      else this.#confirm(writer.partition, event.offset + i, value, 'was acknowledged')
    }
  }

  #read(event: ChaosEvent & { e: 'read' }): void {
    const partition = this.#partition(event.topic, event.p)
    if (event.r.startsWith(WHOLE_READER)) {
      const key = `${event.r} ${partition.name}`
      this.#reading.set(key, (this.#reading.get(key) ?? 0) + event.values.length)
    }
    event.values.forEach((value, i) => {
      this.reads++
      this.#confirm(partition, event.offset + i, value, `was read by ${event.r}`)
    })
    if (event.group !== undefined) {
      this.#groups.read(event.group, partition.name, event.offset, event.offset + event.values.length)
    }
  }

  #confirm(partition: PartitionFacts, offset: number, value: string, how: string): void {
    const known = partition.firm.get(offset)
    if (known === undefined) partition.firm.set(offset, { value, how })
    else if (known.value !== value) {
      const text = `${partition.name} at ${offset}: ${known.value} ${known.how}, then ${value} ${how}`
      this.#violated('changed', text)
      partition.conflicts.push({ offset, instead: value })
    }
  }

  #checkPartition(partition: PartitionFacts): void {
    const { name, firm, somewhere, conflicts, wholes } = partition
    for (const { reader, start, end } of wholes) {
      for (const [offset, { value, how }] of firm) {
        if (offset >= start && offset < end) continue
        this.#violated('lost', `${name} at ${offset}: ${value} ${how}, but ${reader} found ${start} to ${end - 1} only`)
      }
    }
    const instead = new Map(conflicts.map(conflict => [conflict.offset, conflict.instead]))
    const found = [...firm].map(([offset, { value }]) => [offset, instead.get(offset) ?? value] as const)
    if (conflicts.length > 0 || somewhere.size > 0) {
      const there = new Set(found.map(([, value]) => value))
      for (const { offset } of conflicts) {
        const { value, how } = firm.get(offset)!
        if (!there.has(value)) this.#violated('lost', `${name} at ${offset}: ${value} ${how} there, and is nowhere`)
      }
      for (const value of somewhere) {
        if (!there.has(value)) this.#violated('lost', `${name}: ${value} was acknowledged, and is nowhere`)
      }
    }
    this.#checkRecords(
      partition,
      found.sort(([a], [b]) => a - b),
    )
  }

  /** `found`: everything that was seen in a partition, in the order of its offsets. */
  #checkRecords(partition: PartitionFacts, found: readonly (readonly [number, string])[]): void {
    const offsetOf = new Map<string, number>()
    const lastOf = new Map<string, { number: number; offset: number }>()
    for (const [offset, value] of found) {
      const parsed = parseValue(value)
      const writer = parsed === null ? undefined : this.#writers.get(parsed.writer)
      if (parsed === null || writer === undefined || writer.partition !== partition || parsed.number > writer.sentTo) {
        this.#violated('invented', `${partition.name} at ${offset}: nobody sent ${value} there`)
        continue
      }
      const first = offsetOf.get(value)
      if (first !== undefined && (writer.idempotent || writer.once)) {
        this.#violated('doubled', `${partition.name}: ${value} is at ${first} and at ${offset}`)
        continue
      }
      offsetOf.set(value, offset)
      const last = lastOf.get(writer.name)
      if (writer.idempotent && last !== undefined && last.number > parsed.number) {
        const before = valueText(writer.name, last.number)
        this.#violated('reordered', `${partition.name}: ${value} at ${offset} comes after ${before} at ${last.offset}`)
      }
      lastOf.set(writer.name, { number: parsed.number, offset })
    }
  }

  #admin(event: ChaosEvent): void {
    if (event.e === 'creating' || event.e === 'created') {
      const before = this.#topics.get(event.topic)
      const state = event.e === 'created' ? 'there' : before?.state === 'there' ? 'there' : 'inDoubt'
      // More partitions may be asked for later: what was acknowledged is the least.
      const partitions = event.e === 'created' ? event.partitions : (before?.partitions ?? 0)
      this.#topics.set(event.topic, { state, partitions: Math.max(partitions, before?.partitions ?? 0) })
    } else if (event.e === 'deleting' || event.e === 'deleted') {
      const partitions = this.#topics.get(event.topic)?.partitions ?? 0
      this.#topics.set(event.topic, { state: event.e === 'deleted' ? 'gone' : 'inDoubt', partitions })
    } else if (event.e === 'configuring' || event.e === 'configured') {
      this.#configured(event)
    } else if (event.e === 'topics') {
      for (const [name, { state, partitions }] of this.#topics) {
        const found = event.topics[name]
        if (state === 'there' && found === undefined) this.#violated('admin', `topic ${name} was created and is gone`)
        if (state === 'gone' && found !== undefined) this.#violated('admin', `topic ${name} was deleted and is there`)
        if (state === 'there' && found !== undefined && found < partitions) {
          this.#violated('admin', `topic ${name} had ${partitions} partitions and has ${found}`)
        }
      }
    } else if (event.e === 'config') {
      const known = this.#configs.get(`${event.topic} ${event.name}`)
      if (known === undefined || event.value === known.last || known.inDoubt.has(event.value)) return
      if (known.last === null) return
      const wanted = [known.last, ...known.inDoubt].join(' or ')
      this.#violated('admin', `${event.name} of ${event.topic} was set to ${wanted} and is ${event.value}`)
    }
  }

  #configured(event: ChaosEvent & { e: 'configuring' | 'configured' }): void {
    const key = `${event.topic} ${event.name}`
    const known = this.#configs.get(key) ?? { last: null, inDoubt: new Set<string>() }
    this.#configs.set(key, known)
    if (event.e === 'configuring') known.inDoubt.add(event.value)
    else {
      known.inDoubt.delete(event.value)
      known.last = event.value
    }
  }
}

/** Checks a history from its first to its last event. */
export function checkHistory(events: Iterable<ChaosEvent>): readonly Violation[] {
  const checker = new HistoryChecker()
  for (const event of events) checker.add(event)
  return checker.finish()
}
