import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LeavingParts, untilOthersHaveLeft, whileControlled } from '#src/broker/leaving.js'
import type { MetadataImage } from '#src/metadata/image.js'
import type { Millis } from '#src/runtime/ports.js'
import { VirtualClock } from '../../support/virtual-clock.js'

interface BrokerState {
  readonly id: number
  readonly inControlledShutdown: boolean
  readonly fenced: boolean
}

function world(others: readonly BrokerState[] = []) {
  const clock = new VirtualClock()
  const state = { hasController: true, isQuorumGone: false, brokers: others }
  const parts: LeavingParts = {
    nodeId: 1,
    clock,
    image: () =>
      ({ cluster: { brokers: new Map(state.brokers.map(one => [one.id, one])) } }) as unknown as MetadataImage,
    hasController: () => state.hasController,
    isQuorumGone: () => state.isQuorumGone,
  }
  const began = clock.now()
  /** How long it took, ms; null: it is not over yet. */
  const timed = (over: Promise<void>): { readonly tookMs: () => Millis | null } => {
    let tookMs: Millis | null = null
    void over.then(() => {
      tookMs = clock.now() - began
    })
    return { tookMs: () => tookMs }
  }
  return { clock, state, parts, timed }
}

const never = new Promise<void>(() => {})

test('what a broker leaves with is waited for as long as there may be a controller', async () => {
  const { clock, parts, timed } = world()
  let release = (): void => {}
  const { tookMs } = timed(whileControlled(parts, new Promise<void>(resolve => void (release = resolve))))
  await clock.advance(4000)
  assert.equal(tookMs(), null)
  release()
  await clock.settle()
  assert.equal(tookMs(), 4000)
  assert.equal(clock.timerCount, 0)
})

test('an election is waited for, a controller that does not come is not', async () => {
  const { clock, state, parts, timed } = world()
  state.hasController = false
  const { tookMs } = timed(whileControlled(parts, never))
  await clock.advance(900)
  state.hasController = true
  await clock.advance(2100)
  assert.equal(tookMs(), null)
  state.hasController = false
  await clock.advance(2000)
  assert.ok(tookMs()! >= 4000 && tookMs()! <= 4100, `${tookMs()}`)
})

test('a quorum most of which is gone is not waited for, whatever this node takes for the controller', async () => {
  const { clock, state, parts, timed } = world()
  state.isQuorumGone = true
  const { tookMs } = timed(whileControlled(parts, never))
  await clock.advance(200)
  assert.equal(tookMs(), null)
  await clock.advance(100)
  assert.ok(tookMs()! <= 300, `${tookMs()}`)
})

test('a controller stays until those who stop with it have been let go', async () => {
  const leaving = { id: 2, inControlledShutdown: true, fenced: false }
  const { clock, state, parts, timed } = world([
    { id: 1, inControlledShutdown: true, fenced: false },
    leaving,
    { id: 3, inControlledShutdown: true, fenced: true },
    { id: 4, inControlledShutdown: false, fenced: false },
  ])
  const { tookMs } = timed(untilOthersHaveLeft(parts))
  await clock.advance(100)
  assert.equal(tookMs(), null)
  state.brokers = [{ ...leaving, fenced: true }]
  await clock.advance(10)
  assert.equal(tookMs(), 110)
})

test('a controller does not stay for a broker that nobody can let go, nor for ever', async () => {
  const leaving = { id: 2, inControlledShutdown: true, fenced: false }
  for (const [lost, tookMs] of [
    [{ hasController: false }, 0],
    [{ isQuorumGone: true }, 0],
    [{}, 2000],
  ] as const) {
    const { clock, state, parts, timed } = world([leaving])
    Object.assign(state, lost)
    const over = timed(untilOthersHaveLeft(parts))
    await clock.advance(5000)
    assert.equal(over.tookMs(), tookMs)
    assert.equal(clock.timerCount, 0)
  }
})
