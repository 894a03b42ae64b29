import type { RoomPlan } from './node.js'

/** A cluster of both kinds, and what is done to it. */
export interface Scenario {
  readonly name: string
  readonly about: string
  readonly plan: RoomPlan
  /** The nodes that are killed and started again, in this order, under clients that write. */
  readonly losses: readonly number[]
  /** The nodes whose directory is replaced by an empty one, and the kind of the quorum's leader meanwhile. */
  readonly wiped: readonly { readonly id: number; readonly leader: 'kafka' | 'ottla' }[]
}

/** A snapshot after a few changes, so that whoever comes late is sent one. */
const OPTIONS = { 'metadata.log.max.record.bytes.between.snapshots': '6000' }
const BOTH = 'broker,controller'

export const scenarios: readonly Scenario[] = [
  {
    name: 'a',
    about: 'our brokers under controllers of Kafka',
    plan: {
      nodes: [
        { kind: 'kafka', id: 1, roles: BOTH },
        { kind: 'kafka', id: 2, roles: 'controller' },
        { kind: 'kafka', id: 3, roles: 'controller' },
        { kind: 'ottla', id: 4, roles: 'broker' },
        { kind: 'ottla', id: 5, roles: 'broker' },
      ],
      quorum: { kind: 'static', voters: [1, 2, 3] },
      directories: 2,
      options: OPTIONS,
    },
    losses: [4, 1],
    wiped: [{ id: 5, leader: 'kafka' }],
  },
  {
    name: 'b',
    about: 'brokers of Kafka under our controllers',
    plan: {
      nodes: [
        { kind: 'ottla', id: 1, roles: BOTH },
        { kind: 'ottla', id: 2, roles: 'controller' },
        { kind: 'ottla', id: 3, roles: 'controller' },
        { kind: 'kafka', id: 4, roles: 'broker' },
        { kind: 'kafka', id: 5, roles: 'broker' },
      ],
      quorum: { kind: 'dynamic', voters: [1, 2, 3] },
      directories: 2,
      options: OPTIONS,
    },
    losses: [4, 1],
    wiped: [{ id: 5, leader: 'ottla' }],
  },
  {
    name: 'c1',
    about: 'two voters of Kafka and one of ours',
    plan: {
      nodes: [
        { kind: 'kafka', id: 1, roles: BOTH },
        { kind: 'kafka', id: 2, roles: BOTH },
        { kind: 'ottla', id: 3, roles: BOTH },
      ],
      quorum: { kind: 'static', voters: [1, 2, 3] },
      options: OPTIONS,
    },
    losses: [3, 1],
    wiped: [
      { id: 3, leader: 'kafka' },
      { id: 2, leader: 'ottla' },
    ],
  },
  {
    name: 'c2',
    about: 'one voter of Kafka and two of ours',
    plan: {
      nodes: [
        { kind: 'kafka', id: 1, roles: BOTH },
        { kind: 'ottla', id: 2, roles: BOTH },
        { kind: 'ottla', id: 3, roles: BOTH },
      ],
      quorum: { kind: 'dynamic', voters: [1, 2, 3] },
      options: OPTIONS,
    },
    losses: [2, 1],
    wiped: [
      { id: 1, leader: 'ottla' },
      { id: 3, leader: 'kafka' },
    ],
  },
]
