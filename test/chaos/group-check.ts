import type { ChaosEvent } from './history.js'

interface Committing {
  readonly key: string
  readonly group: string
  readonly partition: string
  readonly offset: number
  /** The highest offset that was acknowledged before this was asked. */
  readonly floor: number
}

interface GroupPartition {
  /** The highest offset whose commit was acknowledged; -1: none. */
  floor: number
  /** Commits of which it is not known whether they came about: one may still do so, over a later one. */
  readonly inDoubt: Map<string, number>
  /** The highest offset that anybody tried to commit. */
  tried: number
  /** What members have read: ranges [from, to), which do not touch. */
  read: [number, number][]
}

/** The part of the checker that knows groups: `back` and `skipped`. */
export class GroupCheck {
  readonly #violated: (kind: 'back' | 'skipped', text: string) => void
  readonly #partitions = new Map<string, GroupPartition>()
  readonly #committing = new Map<string, Committing>()
  readonly #fetching = new Map<string, Committing>()
  readonly #readers = new Set<string>()
  commits = 0

  constructor(violated: (kind: 'back' | 'skipped', text: string) => void) {
    this.#violated = violated
  }

  /** Takes an event; false if it is not about groups. */
  add(event: ChaosEvent): boolean {
    if (event.e === 'commit') {
      const asked = this.#ask(event)
      this.#committing.set(event.id, asked)
      const state = this.#partition(asked.key)
      state.inDoubt.set(event.id, event.offset)
      state.tried = Math.max(state.tried, event.offset)
    } else if (event.e === 'committed') this.#committed(event.id)
    else if (event.e === 'fetching') this.#fetching.set(event.id, this.#ask({ ...event, offset: -1 }))
    else if (event.e === 'fetched') this.#fetched(event.id, event.offset)
    else return false
    return true
  }

  /** A member has read the offsets from `from` up to `to`. */
  read(group: string, partition: string, from: number, to: number): void {
    this.#readers.add(group)
    const state = this.#partition(`${group} ${partition}`)
    const last = state.read.at(-1)
    if (last !== undefined && from >= last[0] && from <= last[1]) last[1] = Math.max(last[1], to)
    else state.read.push([from, to])
  }

  finish(): void {
    for (const [key, { read, floor }] of this.#partitions) {
      const [group = '', partition = ''] = key.split(' ')
      if (!this.#readers.has(group)) continue
      let upTo = 0
      for (const [from, to] of read.sort(([a], [b]) => a - b)) {
        if (from > upTo) break
        upTo = Math.max(upTo, to)
      }
      if (upTo < floor) {
        this.#violated('skipped', `${group} committed ${floor} of ${partition}, but nobody in it has read ${upTo}`)
      }
    }
  }

  #ask(event: { group: string; topic: string; p: number; offset: number }): Committing {
    const partition = `${event.topic}-${event.p}`
    const key = `${event.group} ${partition}`
    return { key, group: event.group, partition, offset: event.offset, floor: this.#partition(key).floor }
  }

  #partition(key: string): GroupPartition {
    let found = this.#partitions.get(key)
    if (found === undefined) {
      this.#partitions.set(key, (found = { floor: -1, inDoubt: new Map(), tried: -1, read: [] }))
    }
    return found
  }

  #committed(id: string): void {
    const asked = this.#committing.get(id)
    if (asked === undefined) throw new Error(`the history says nothing of a commit ${id}`)
    this.#committing.delete(id)
    this.commits++
    const { key, group, partition, offset, floor } = asked
    const state = this.#partition(key)
    state.inDoubt.delete(id)
    if (offset < floor) {
      this.#violated('back', `${group} had committed ${floor} of ${partition}, and then ${offset}`)
    }
    state.floor = Math.max(state.floor, offset)
  }

  #fetched(id: string, offset: number): void {
    const asked = this.#fetching.get(id)
    if (asked === undefined) throw new Error(`the history says nothing of a question ${id}`)
    this.#fetching.delete(id)
    const { key, group, partition, floor } = asked
    const { inDoubt, tried } = this.#partition(key)
    if (offset < floor && ![...inDoubt.values()].includes(offset)) {
      this.#violated('back', `${group} had committed ${floor} of ${partition}, and now ${offset} is there`)
    }
    if (offset > tried) {
      this.#violated('back', `${group} has ${offset} of ${partition}, more than anybody committed (${tried})`)
    }
  }
}
