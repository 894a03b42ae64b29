import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHistory, type Violation } from './checker.js'
import type { ChaosEvent } from './history.js'

const IDEMPOTENT = { idempotent: true, acks: -1, once: false } as const
const AT_LEAST_ONCE = { idempotent: false, acks: -1, once: false } as const
const LEADER_ONLY = { idempotent: false, acks: 1, once: true } as const
const UNACKNOWLEDGED = { idempotent: false, acks: 0, once: true } as const

/** What the partition t-0 holds in a history without faults. */
const LOG = ['i:0', 'i:1', 'a:0', 'i:2', 'o:0', 'a:0', 'n:0', 'i:3']

function writers(): ChaosEvent[] {
  return [
    { e: 'writer', w: 'i', topic: 't', p: 0, ...IDEMPOTENT },
    { e: 'writer', w: 'a', topic: 't', p: 0, ...AT_LEAST_ONCE },
    { e: 'writer', w: 'o', topic: 't', p: 0, ...LEADER_ONLY },
    { e: 'writer', w: 'n', topic: 't', p: 0, ...UNACKNOWLEDGED },
    { e: 'send', w: 'i', n: 3, at: 1 },
    { e: 'send', w: 'a', n: 0, at: 1 },
    { e: 'send', w: 'o', n: 0, at: 1 },
    { e: 'send', w: 'n', n: 0, at: 1 },
  ]
}

function acknowledgements(): ChaosEvent[] {
  return [
    { e: 'ack', w: 'i', from: 0, count: 2, offset: 0, at: 2 },
    { e: 'ack', w: 'i', from: 2, count: 1, offset: -1, at: 2 },
    { e: 'ack', w: 'a', from: 0, count: 1, offset: 5, at: 2 },
    { e: 'ack', w: 'o', from: 0, count: 1, offset: 4, at: 2 },
    { e: 'ack', w: 'i', from: 3, count: 1, offset: 7, at: 2 },
  ]
}

function whole(values: readonly string[], reader = 'whole-1'): ChaosEvent[] {
  return [
    { e: 'read', r: reader, topic: 't', p: 0, offset: 0, values },
    { e: 'whole', r: reader, topic: 't', p: 0, start: 0, end: values.length },
  ]
}

function history(values: readonly string[], ...more: ChaosEvent[]): ChaosEvent[] {
  return [...writers(), ...acknowledgements(), ...more, ...whole(values)]
}

function without(value: string): string[] {
  return LOG.filter(found => found !== value)
}

function kinds(violations: readonly Violation[]): string[] {
  return [...new Set(violations.map(({ kind }) => kind))].sort()
}

const commit = (id: string, offset: number): ChaosEvent => ({ e: 'commit', id, group: 'g', topic: 't', p: 0, offset })
const committed = (id: string): ChaosEvent => ({ e: 'committed', id })
const fetching = (id: string): ChaosEvent => ({ e: 'fetching', id, group: 'g', topic: 't', p: 0 })
const fetched = (id: string, offset: number): ChaosEvent => ({ e: 'fetched', id, offset })
const groupRead = (offset: number, values: readonly string[]): ChaosEvent => {
  return { e: 'read', r: 'member', group: 'g', topic: 't', p: 0, offset, values }
}

test('a history without faults is let pass, a repetition by a producer that is not idempotent included', () => {
  assert.deepEqual(checkHistory(history(LOG)), [])
})

test('records that nobody acknowledged, or only the leader, may be missing', () => {
  const values = ['i:0', 'i:1', 'a:0', 'i:2']
  const events = [...writers(), { e: 'ack', w: 'o', from: 0, count: 1, offset: 4, at: 2 } as const, ...whole(values)]
  assert.deepEqual(checkHistory(events), [])
})

test('an acknowledged record that is missing at the end of the log is lost', () => {
  const violations = checkHistory(history(without('i:3')))
  assert.deepEqual(kinds(violations), ['lost'])
  assert.match(violations[0]?.text ?? '', /t-0 at 7: i:3 was acknowledged, but whole-1 found 0 to 6 only/)
})

test('an acknowledged record whose place another one has is changed and lost', () => {
  const values = LOG.with(5, 'o:0').with(4, 'a:0')
  assert.deepEqual(kinds(checkHistory(history(values))), ['changed'])
  assert.deepEqual(kinds(checkHistory(history([...LOG.slice(0, 7), 'n:0']))), ['changed', 'doubled', 'lost'])
})

test('a record acknowledged at an unknown offset that is nowhere is lost', () => {
  assert.deepEqual(kinds(checkHistory(history(LOG.with(3, 'a:0')))), ['lost'])
})

test('a record that a consumer has read and that is not there any more is lost, whatever its acks', () => {
  const read: ChaosEvent = { e: 'read', r: 'tail', topic: 't', p: 0, offset: 6, values: ['n:0', 'i:3', 'o:0'] }
  const violations = checkHistory([...writers(), read, ...whole([...LOG.slice(0, 4), 'a:0', 'a:0', 'n:0', 'i:3'])])
  assert.deepEqual(kinds(violations), ['lost'])
})

test('a record of an idempotent producer that is there twice is doubled', () => {
  assert.deepEqual(kinds(checkHistory(history([...LOG, 'i:3']))), ['doubled'])
})

test('a record that was sent once and is there twice is doubled', () => {
  assert.deepEqual(kinds(checkHistory(history([...LOG, 'n:0']))), ['doubled'])
})

test('records of an idempotent producer out of their order are reordered', () => {
  const acknowledged: ChaosEvent = { e: 'ack', w: 'i', from: 3, count: 1, offset: 2, at: 2 }
  const values = ['i:0', 'i:1', 'i:3', 'i:2']
  assert.deepEqual(kinds(checkHistory([...writers(), acknowledged, ...whole(values)])), ['reordered'])
})

test('an offset at which two readers see different records is changed', () => {
  const other: ChaosEvent = { e: 'read', r: 'tail', topic: 't', p: 0, offset: 6, values: ['o:0'] }
  assert.ok(kinds(checkHistory(history(LOG, other))).includes('changed'))
})

test('replicas that differ are found', () => {
  const events = [...history(LOG), ...whole(LOG.with(6, 'a:0'), 'whole-2')]
  assert.ok(kinds(checkHistory(events)).includes('changed'))
  assert.deepEqual(kinds(checkHistory([...history(LOG), ...whole(LOG.slice(0, 7), 'whole-2')])), ['lost'])
})

test('records that nobody sent, or not there, are invented', () => {
  assert.deepEqual(kinds(checkHistory(history([...LOG, 'i:4']))), ['invented'])
  assert.deepEqual(kinds(checkHistory(history([...LOG, 'stranger']))), ['invented'])
  const elsewhere: ChaosEvent = { e: 'read', r: 'tail', topic: 't', p: 1, offset: 0, values: ['i:0'] }
  assert.deepEqual(kinds(checkHistory(history(LOG, elsewhere))), ['invented'])
})

test('a committed offset that is smaller than one acknowledged before went back', () => {
  const before = [groupRead(0, LOG.slice(0, 4)), commit('1', 4), committed('1')]
  assert.deepEqual(checkHistory(history(LOG, ...before, fetching('2'), fetched('2', 4))), [])
  assert.deepEqual(kinds(checkHistory(history(LOG, ...before, fetching('2'), fetched('2', 3)))), ['back'])
  assert.deepEqual(kinds(checkHistory(history(LOG, ...before, fetching('2'), fetched('2', -1)))), ['back'])
})

test('a smaller commit that was acknowledged after a larger one went back', () => {
  const events = [groupRead(0, LOG.slice(0, 4)), commit('1', 4), committed('1'), commit('2', 2), committed('2')]
  assert.deepEqual(kinds(checkHistory(history(LOG, ...events))), ['back'])
})

test('an answer may be older than a commit that was acknowledged meanwhile', () => {
  const events = [groupRead(0, LOG.slice(0, 4)), commit('1', 2), committed('1'), fetching('2'), commit('3', 4)]
  assert.deepEqual(checkHistory(history(LOG, ...events, committed('3'), fetched('2', 2))), [])
})

test('a commit whose answer was lost may come about later', () => {
  const events = [groupRead(0, LOG.slice(0, 4)), commit('1', 2), commit('2', 4), committed('2'), fetching('3')]
  assert.deepEqual(checkHistory(history(LOG, ...events, fetched('3', 2))), [])
})

test('a committed offset that nobody committed is told of', () => {
  const events = [groupRead(0, LOG.slice(0, 4)), commit('1', 4), committed('1'), fetching('2'), fetched('2', 5)]
  assert.deepEqual(kinds(checkHistory(history(LOG, ...events))), ['back'])
})

test('records that no member of a group has read below its committed offset are skipped', () => {
  const events = [groupRead(0, LOG.slice(0, 2)), groupRead(3, LOG.slice(3, 6)), commit('1', 6), committed('1')]
  assert.deepEqual(kinds(checkHistory(history(LOG, ...events))), ['skipped'])
  assert.deepEqual(checkHistory(history(LOG, ...events, groupRead(1, LOG.slice(1, 4)))), [])
})

test('an acknowledged change by an admin that is not there at the end is told of', () => {
  const made: ChaosEvent[] = [
    { e: 'creating', topic: 'made', partitions: 2 },
    { e: 'created', topic: 'made', partitions: 2 },
    { e: 'deleting', topic: 'old' },
    { e: 'deleted', topic: 'old' },
    { e: 'creating', topic: 'in doubt', partitions: 1 },
    { e: 'configured', topic: 'made', name: 'retention.ms', value: '1' },
    { e: 'configuring', topic: 'made', name: 'retention.ms', value: '2' },
  ]
  const there = (topics: Record<string, number>, value = '1'): ChaosEvent[] => [
    { e: 'topics', topics },
    { e: 'config', topic: 'made', name: 'retention.ms', value },
  ]
  assert.deepEqual(checkHistory(history(LOG, ...made, ...there({ made: 2 }))), [])
  assert.deepEqual(checkHistory(history(LOG, ...made, ...there({ made: 3, 'in doubt': 1 }, '2'))), [])
  for (const wrong of [there({}), there({ made: 1 }), there({ made: 2, old: 1 }), there({ made: 2 }, '0')]) {
    assert.deepEqual(kinds(checkHistory(history(LOG, ...made, ...wrong))), ['admin'])
  }
})

test('what was noticed as wrong at once is a violation', () => {
  assert.deepEqual(kinds(checkHistory(history(LOG, { e: 'wrong', what: 'a node ended by itself' }))), ['wrong'])
})

test('of many violations of a kind the first twenty are told', () => {
  const values = Array.from({ length: 100 }, (_, i) => `stranger:${i}`)
  const violations = checkHistory([...writers(), ...whole(values)])
  assert.equal(violations.length, 21)
})

test('a client that loses its way by itself is told, and a third one is a violation', () => {
  const lost: ChaosEvent = { e: 'replaced', client: 'member-1', why: 'it knows no broker' }
  assert.deepEqual(kinds(checkHistory(history(LOG, lost, lost))), [])
  assert.deepEqual(kinds(checkHistory(history(LOG, lost, lost, lost))), ['wrong'])
})
