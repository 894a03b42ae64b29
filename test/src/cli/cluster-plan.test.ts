import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ClusterEffect, type ClusterEvent, ClusterPlan } from '#src/cli/cluster-plan.js'

const nodes = ['a', 'b', 'c'].map(name => ({ name, startCommand: `start ${name}` }))

/** The effects of events, as lines. */
function run(plan: ClusterPlan, ...events: readonly ClusterEvent[]): readonly string[] {
  return events.flatMap(event => plan.step(event)).map(shown)
}

function shown(effect: ClusterEffect): string {
  if (effect.type === 'say') return effect.line
  return effect.type === 'signal' ? `${effect.signal} to ${nodes[effect.node]!.name}` : `exit ${effect.status}`
}

const ready = (node: number): ClusterEvent => ({ type: 'ready', node, address: `localhost:${node}` })
const ended = (node: number, code: number | null, signal: string | null = null): ClusterEvent => {
  return { type: 'ended', node, code, signal }
}
const interrupt: ClusterEvent = { type: 'interrupt', signal: 'SIGINT' }

test('when all nodes are ready, it is said where clients find them', () => {
  const plan = new ClusterPlan(nodes)
  assert.deepEqual(run(plan, ready(2), ready(0)), [])
  assert.deepEqual(run(plan, ready(1)), [
    'all 3 nodes are ready: bootstrap servers localhost:0,localhost:1,localhost:2',
  ])
})

test('nodes without an address for clients are ready without one', () => {
  const plan = new ClusterPlan(nodes.slice(0, 1))
  assert.deepEqual(run(plan, { type: 'ready', node: 0, address: null }), ['all 1 nodes are ready'])
})

test('an interruption stops all nodes, and the status is 0 when they end in order', () => {
  const plan = new ClusterPlan(nodes)
  assert.deepEqual(run(plan, ready(0), interrupt), [
    'SIGINT: stopping 3 nodes',
    'SIGTERM to a',
    'SIGTERM to b',
    'SIGTERM to c',
  ])
  assert.equal(plan.isStopping, true)
  assert.deepEqual(run(plan, ended(1, 0), ready(2), ended(0, 0), ended(2, 0)), ['exit 0'])
})

test('a second interruption does not wait, nor does the end of the time; the status says so', () => {
  for (const event of [interrupt, { type: 'overdue' } as const]) {
    const plan = new ClusterPlan(nodes)
    run(plan, interrupt, ended(1, 0))
    assert.deepEqual(run(plan, event).slice(1), ['SIGKILL to a', 'SIGKILL to c'])
    assert.deepEqual(run(plan, ended(0, null, 'SIGKILL'), ended(2, null, 'SIGKILL')), [
      'a was ended by SIGKILL',
      'c was ended by SIGKILL',
      'exit 1',
    ])
  }
})

test('it is told which nodes are waited for', () => {
  const plan = new ClusterPlan(nodes)
  run(plan, ready(0), ready(1), ready(2), interrupt, ended(1, 0))
  assert.deepEqual(run(plan, { type: 'late' }), ['waiting for a and c to end; the same signal again does not wait'])
})

test('a node that dies is named, and the others go on until they are stopped', () => {
  const plan = new ClusterPlan(nodes)
  assert.deepEqual(run(plan, ready(0), ready(1), ready(2), ended(1, null, 'SIGKILL')).slice(1), [
    'b was ended by SIGKILL; the others go on. To start it again: start b',
  ])
  assert.deepEqual(run(plan, interrupt), ['SIGINT: stopping 2 nodes', 'SIGTERM to a', 'SIGTERM to c'])
  assert.deepEqual(run(plan, ended(0, 0), ended(2, 0)), ['exit 0'])
})

test('a node that cannot start ends all of them', () => {
  const plan = new ClusterPlan(nodes)
  assert.deepEqual(run(plan, ready(0), ended(2, 1)), [
    'c could not start (it ended with status 1): stopping the others',
    'SIGTERM to a',
    'SIGTERM to b',
  ])
  assert.deepEqual(run(plan, ended(0, 0), ended(1, 0)), ['exit 1'])
})

test('a node that is killed while it starts does not end the others', () => {
  const plan = new ClusterPlan(nodes)
  assert.deepEqual(run(plan, ended(2, null, 'SIGKILL')), [
    'c was ended by SIGKILL; the others go on. To start it again: start c',
  ])
})

test('when no node is left, there is nothing to wait for', () => {
  const plan = new ClusterPlan(nodes.slice(0, 1))
  assert.deepEqual(run(plan, ready(0), ended(0, 1)).slice(1), ['a ended with status 1; no node is left', 'exit 1'])
})
