import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { AlterPartitionRequest, AlterPartitionResponse } from '#protocol/messages/alter-partition.js'
import type { ControllerChannel } from '#src/client/controller-channel.js'
import { type IsrAnswer, type IsrProposal, IsrState } from '#src/replication/isr.js'
import { IsrManager } from '#src/replication/isr-manager.js'
import type { Partition } from '#src/replication/partition.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { VirtualClock } from '../../support/virtual-clock.js'

/** A partition that broker 1 leads, in sync alone, and that 2 may join: what the manager uses of it. */
function ledPartition() {
  const isr = new IsrState([1], 3, 4)
  const partition = {
    name: 't-0',
    index: 0,
    topic: { id: 'topic', name: 't' },
    isr: isr.committed,
    highWatermark: 0,
    leaderEpochStartOffset: 0,
    leader: { isr, follower: () => ({ brokerEpoch: 20 }), expand: () => isr.propose([1, 2]) },
    settleIsr: (proposal: IsrProposal, answer: IsrAnswer) => {
      const outcome = isr.settle(proposal, answer)
      partition.isr = isr.committed
      return outcome
    },
  }
  return { isr, partition: partition as unknown as Partition }
}

type Answer = number | ApiError | { readonly partition: number }

/** The manager, and a controller that gives these answers: a code for all of a request, for the partition, an error. */
function begin(...answers: Answer[]) {
  const clock = new VirtualClock()
  const logger = keepingLogger()
  const sentAt: number[] = []
  const call = async (_: unknown, { topics }: AlterPartitionRequest): Promise<AlterPartitionResponse> => {
    sentAt.push(clock.now() - startedAt)
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!
    if (answer instanceof ApiError) throw answer
    if (typeof answer === 'number') return { throttleTimeMs: 0, errorCode: answer, topics: [] }
    const { topicId, partitions } = topics[0]!
    const { partitionIndex, leaderEpoch, newIsr, partitionEpoch } = partitions[0]!
    const settled = { partitionIndex, leaderId: 1, leaderEpoch, isr: newIsr, leaderRecoveryState: 0 }
    const partition = { ...settled, errorCode: answer.partition, partitionEpoch: partitionEpoch + 1 }
    return { throttleTimeMs: 0, errorCode: 0, topics: [{ topicId, partitions: [partition] }] }
  }
  const manager = new IsrManager({
    nodeId: 1,
    brokerEpoch: () => 10,
    controller: { call } as unknown as ControllerChannel,
    clock,
    logger,
    onSettled: () => {},
  })
  const startedAt = clock.now()
  const { isr, partition } = ledPartition()
  manager.maybeExpand(partition, 2)
  /** Levels of what was said after the proposal itself. */
  const levels = () => logger.lines.slice(1).map(({ level }) => level)
  return { clock, manager, isr, partition, sentAt, levels, logger }
}

test('a change that the controller makes is committed and told', async () => {
  const { clock, isr, sentAt, levels } = begin({ partition: 0 })
  await clock.advance(5000)
  assert.deepEqual([isr.committed, isr.pending, sentAt, levels()], [[1, 2], null, [0], ['info']])
})

test('a change that the controller says it has not made is taken back, and not asked for again', async () => {
  for (const code of [ErrorCode.INELIGIBLE_REPLICA, ErrorCode.OPERATION_NOT_ATTEMPTED]) {
    const { clock, isr, sentAt, levels } = begin({ partition: code })
    await clock.advance(5000)
    assert.deepEqual([isr.committed, isr.pending, isr.mayHave(2), sentAt, levels()], [[1], null, false, [0], ['info']])
  }
})

test('after an answer that speaks of old metadata nothing is asked: the change is open until the metadata comes', async () => {
  const codes = [
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.INVALID_UPDATE_VERSION,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.NEW_LEADER_ELECTED,
  ]
  for (const code of codes) {
    const { clock, isr, sentAt, levels } = begin({ partition: code })
    await clock.advance(5000)
    assert.notEqual(isr.pending, null)
    assert.deepEqual([isr.mayHave(2), sentAt, levels()], [true, [0], ['debug']])
    isr.learn([1], 3, 5)
    assert.deepEqual([isr.pending, isr.mayHave(2)], [null, false])
  }
})

test('any other answer is a warning, and the same is asked again, with a pause that grows to a second', async () => {
  const failed = { partition: ErrorCode.UNKNOWN_SERVER_ERROR }
  const { clock, isr, sentAt, levels, manager } = begin(failed, failed, failed, { partition: 0 })
  await clock.advance(5000)
  assert.deepEqual(
    [isr.committed, sentAt],
    [
      [1, 2],
      [0, 50, 150, 350],
    ],
  )
  assert.deepEqual(levels(), ['warn', 'warn', 'warn', 'info'])
  assert.equal(manager.failedUpdates, 3)
  const forEver = begin(failed)
  await forEver.clock.advance(10_000)
  assert.deepEqual(forEver.sentAt.slice(0, 8), [0, 50, 150, 350, 750, 1550, 2550, 3550])
  forEver.manager.close()
  assert.equal(forEver.clock.timerCount, 0)
})

test('a proposal that the metadata has overtaken is not made again', async () => {
  const { clock, isr, sentAt } = begin({ partition: ErrorCode.UNKNOWN_SERVER_ERROR })
  await clock.settle()
  isr.learn([1], 4, 5)
  await clock.advance(5000)
  assert.deepEqual(sentAt, [0])
})

test('what the controller refuses as a whole, or leaves out, is a warning; what needs an administrator, an error', async () => {
  const denied = begin(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, ErrorCode.STALE_BROKER_EPOCH, 0, { partition: 0 })
  await denied.clock.advance(5000)
  assert.deepEqual(denied.levels(), ['error', 'warn', 'warn', 'info'])
  assert.deepEqual(denied.sentAt, [0, 50, 150, 350])
  assert.deepEqual(denied.logger.lines[3]!.fields, { partition: 't-0' }, 'what was left out is named')
})

test('a controller that does not know the request is an error, and asked again in case it is replaced', async () => {
  const { clock, sentAt, levels } = begin(new ApiError(ErrorCode.UNSUPPORTED_VERSION), { partition: 0 })
  await clock.advance(5000)
  assert.deepEqual(
    [sentAt, levels()],
    [
      [0, 50],
      ['error', 'info'],
    ],
  )
  const stopping = begin(new ApiError(ErrorCode.BROKER_NOT_AVAILABLE))
  await stopping.clock.settle()
  assert.deepEqual(stopping.levels(), [], 'that this node stops is no error')
})
