import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import {
  type AssignmentEffect,
  type DirectoryAssignment,
  DirectoryAssignments,
} from '#src/replication/directory-assignments.js'

const assignment = (partition: number, directoryId: string): DirectoryAssignment => ({
  topicId: 'topic',
  partition,
  directoryId,
})

function shortOf(effect: AssignmentEffect): string {
  switch (effect.type) {
    case 'send': {
      const lists = effect.request.directories.map(({ id, topics }) => {
        const partitions = topics.flatMap(topic => topic.partitions.map(each => each.partitionIndex))
        return `${id}:${partitions.join(',')}`
      })
      return `send ${lists.join(' ')}`
    }
    case 'report':
      return `report ${effect.errorCode}`
    case 'failed':
      return `failed ${effect.assignment.partition}@${effect.assignment.directoryId} ${effect.errorCode}`
    default:
      return `${effect.type} ${effect.assignment.partition}@${effect.assignment.directoryId}`
  }
}

const answer = (directoryId: string, codes: Record<number, number>) => ({
  throttleTimeMs: 0,
  errorCode: 0,
  directories: [
    {
      id: directoryId,
      topics: [
        {
          topicId: 'topic',
          partitions: Object.entries(codes).map(([index, errorCode]) => ({ partitionIndex: Number(index), errorCode })),
        },
      ],
    },
  ],
})

test('assignments are told by directory, one request at a time, until the controller has them', () => {
  const machine = new DirectoryAssignments()
  const assign = (partition: number, directory: string) =>
    machine.step({ type: 'assign', assignment: assignment(partition, directory) }, 0).map(shortOf)
  assert.deepEqual(assign(0, 'a'), ['send a:0'])
  assert.deepEqual(assign(1, 'a'), [])
  assert.deepEqual(assign(2, 'b'), [])
  assert.deepEqual(machine.step({ type: 'answer', response: answer('a', { 0: 0 }) }, 0).map(shortOf), [
    'settled 0@a',
    'send a:1 b:2',
  ])
  const code = ErrorCode.NOT_LEADER_OR_FOLLOWER
  assert.deepEqual(machine.step({ type: 'answer', response: answer('a', { 1: code }) }, 0).map(shortOf), [
    'dropped 1@a',
    'failed 2@b null',
  ])
  assert.equal(machine.deadline, 100, 'what the answer does not name is told again')
  assert.deepEqual(machine.step({ type: 'tick' }, 100).map(shortOf), ['send b:2'])
})

test('a replica that moves on meanwhile is told where it is now', () => {
  const machine = new DirectoryAssignments()
  machine.step({ type: 'assign', assignment: assignment(0, 'a') }, 0)
  const moved = machine.step({ type: 'assign', assignment: assignment(0, 'b') }, 0)
  assert.deepEqual(moved.map(shortOf), ['dropped 0@a'])
  assert.deepEqual(machine.step({ type: 'answer', response: answer('a', { 0: 0 }) }, 0).map(shortOf), ['send b:0'])
})

test('failures are tried again with growing pauses', () => {
  const machine = new DirectoryAssignments()
  machine.step({ type: 'assign', assignment: assignment(0, 'a') }, 0)
  machine.step({ type: 'failure' }, 0)
  assert.equal(machine.deadline, 100)
  machine.step({ type: 'tick' }, 100)
  const refused = { throttleTimeMs: 0, errorCode: ErrorCode.STALE_BROKER_EPOCH, directories: [] }
  assert.deepEqual(machine.step({ type: 'answer', response: refused }, 100).map(shortOf), ['report 77'])
  assert.equal(machine.deadline, 300)
  machine.step({ type: 'tick' }, 300)
  const failed = { type: 'answer', response: answer('a', { 0: ErrorCode.UNKNOWN_SERVER_ERROR }) } as const
  assert.deepEqual(machine.step(failed, 300).map(shortOf), ['failed 0@a -1'])
  assert.equal(machine.deadline, 700)
})
