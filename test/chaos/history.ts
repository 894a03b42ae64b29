/*
 * What happened, as those saw it to whom something was promised: one event a line of JSON in the file of a run. Events
 * of one client are in the order in which it saw them; between clients the order is that in which they were heard of.
 */
import { createWriteStream, type WriteStream } from 'node:fs'

/** Who writes numbered records to one partition: 0, 1, 2 …, each number once, under the key that is its name. */
export interface WriterKind {
  /** The broker must keep its records unique and in order, however often they are sent. */
  readonly idempotent: boolean
  /** What an acknowledgement stands for: -1 all in-sync replicas, 1 the leader, 0 nothing. */
  readonly acks: -1 | 0 | 1
  /** The client sends a record once and never again, so that it can be there once at most. */
  readonly once: boolean
}

export type ChaosEvent =
  | ({ e: 'writer'; w: string; topic: string; p: number } & WriterKind)
  /** All numbers up to n are sent, or will be at once. */
  | { e: 'send'; w: string; n: number; at: number }
  /** The numbers from `from` on are acknowledged, the first of them at `offset`; -1: the broker did not say where. */
  | { e: 'ack'; w: string; from: number; count: number; offset: number; at: number }
  /** The client gave a record up: it may be there or not. */
  | { e: 'gaveUp'; w: string; from: number; count: number; why: string }
  /** A consumer saw these values, one offset after the other. `group`: it belongs to one. */
  | { e: 'read'; r: string; group?: string; topic: string; p: number; offset: number; values: readonly string[] }
  /** A whole partition was read, up to its end; the values came as reads of the same reader, see WHOLE_READER. */
  | { e: 'whole'; r: string; topic: string; p: number; start: number; end: number }
  /** A member of a group commits; ids are unique in a run. */
  | { e: 'commit'; id: string; group: string; topic: string; p: number; offset: number }
  | { e: 'committed'; id: string }
  /** Somebody asks what a group has committed, and is answered; offset -1: nothing. */
  | { e: 'fetching'; id: string; group: string; topic: string; p: number }
  | { e: 'fetched'; id: string; offset: number }
  /** Changes by an admin: said before the request, and again when it was acknowledged. */
  | { e: 'creating' | 'created'; topic: string; partitions: number }
  | { e: 'deleting' | 'deleted'; topic: string }
  | { e: 'configuring' | 'configured'; topic: string; name: string; value: string }
  /** What there is at the end: topics with their partitions; options that were changed. */
  | { e: 'topics'; topics: Readonly<Record<string, number>> }
  | { e: 'config'; topic: string; name: string; value: string }
  /** What was done to the cluster; nothing follows from it for the promises. */
  | { e: 'fault'; fault: string; nodes: readonly number[]; at: number; until: number; time: string; note: string }
  /**
   * A client program has put a new client in the place of one whose library had lost its way, which it has found out
   * without the cluster: records and commits that were under way are in doubt.
   */
  | { e: 'replaced'; client: string; why: string }
  /** Something that must not happen and that was noticed when it did. */
  | { e: 'wrong'; what: string }

/** How the names of readers begin that read partitions from one end to the other, and are compared with all that is known. */
export const WHOLE_READER = 'whole'

export function valueText(writer: string, number: number): string {
  return `${writer}:${number}`
}

/** 'writer:12' -> its parts; null if nobody here wrote it. */
export function parseValue(value: string): { writer: string; number: number } | null {
  const colon = value.lastIndexOf(':')
  const number = Number(value.slice(colon + 1))
  return colon <= 0 || !Number.isSafeInteger(number) ? null : { writer: value.slice(0, colon), number }
}

/** Takes events: hands each to everybody who wants it and writes it down. */
export class HistoryLog {
  readonly path: string
  readonly #stream: WriteStream
  readonly #listeners: readonly ((event: ChaosEvent) => void)[]
  events = 0

  constructor(path: string, listeners: readonly ((event: ChaosEvent) => void)[]) {
    this.path = path
    this.#stream = createWriteStream(path)
    this.#listeners = listeners
  }

  add(event: ChaosEvent): void {
    this.events++
    this.#stream.write(`${JSON.stringify(event)}\n`)
    for (const listener of this.#listeners) listener(event)
  }

  close(): Promise<void> {
    return new Promise(resolve => this.#stream.end(() => resolve()))
  }
}
