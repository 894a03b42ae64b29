import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '#protocol/errors.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { createGroupCoordinator, type GroupCoordinatorOptions } from '#src/coordinator/group/group-coordinator.js'
import { CountingRandom, type LogLine, MemoryLog, memoryLogger, VirtualClock } from '../support.js'
import { subscription } from './group-script.js'

const CONFIG = {
  sessionTimeoutMsMin: 6000,
  sessionTimeoutMsMax: 1_800_000,
  initialRebalanceDelayMs: 0,
  membersMax: 100,
  offsetMetadataBytesMax: 4096,
  offsetsRetentionMs: 604_800_000,
  offsetsRetentionCheckIntervalMs: 600_000,
}

function setUp(overrides: Partial<GroupCoordinatorOptions> = {}) {
  const clock = new VirtualClock()
  const lines: LogLine[] = []
  const groups = createGroupCoordinator({
    config: CONFIG,
    partitionCount: () => 5,
    commitTimeoutMs: 5000,
    loadBytesMax: 1_000_000,
    compression: 'none',
    stateBytesMax: 1e9,
    ticketsMax: 1000,
    clock,
    random: new CountingRandom(),
    logger: memoryLogger(lines),
    ...overrides,
  })
  return { clock, groups, lines }
}

function joinRequest(groupId: string, memberId = '') {
  return {
    groupId,
    memberId,
    groupInstanceId: null,
    clientId: 'client',
    clientHost: '/127.0.0.1',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription('t') }],
    reason: 'not provided',
    mustKnowMemberId: false,
    canSkipAssignment: false,
  }
}

function commitRequest(groupId: string, offset = 1, topicId = ZERO_UUID) {
  const partition = { partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: null }
  return {
    groupId,
    memberId: '',
    groupInstanceId: null,
    generationId: -1,
    unknownGroupError: ErrorCode.GROUP_ID_NOT_FOUND,
    retentionTimeMs: -1,
    topics: [{ name: 't', topicId, partitions: [partition] }],
  }
}

const ALL = { states: new Set<string>(), types: new Set<string>() }
const NOBODY = { memberId: 'm', groupInstanceId: null, generationId: 1 }
const UNKNOWN_SYNC = { ...NOBODY, protocolType: null, protocolName: null, assignments: new Map() }

/** The error codes of every request that names a group, for one group. */
async function allErrors(
  { clock, groups }: ReturnType<typeof setUp>,
  groupId: string,
): Promise<Record<string, string>> {
  const asked = Promise.all([
    groups.join(joinRequest(groupId)),
    groups.sync({ groupId, ...UNKNOWN_SYNC }),
    groups.heartbeat({ groupId, ...NOBODY }),
    groups.leave({ groupId, members: [{ ...NOBODY, reason: '' }] }),
    groups.commit(commitRequest(groupId)),
    groups.fetch({ groupId, topics: null, requireStable: false }),
    groups.deleteOffsets({ groupId, topics: [] }),
    groups.describe([groupId]),
    groups.deleteGroups([groupId]),
  ])
  await clock.settle()
  const [join, sync, heartbeat, leave, commit, fetch, deleteOffsets, describe, deleteGroups] = await asked
  const codes = {
    join: join.errorCode,
    sync: sync.errorCode,
    heartbeat,
    leave: leave.errorCode,
    commit: commit.topics[0]!.partitions[0]!.errorCode,
    fetch: fetch.errorCode,
    deleteOffsets: deleteOffsets.errorCode,
    describe: describe[0]!.errorCode,
    deleteGroups: deleteGroups[0]!.errorCode,
  }
  return Object.fromEntries(Object.entries(codes).map(([name, code]) => [name, errorName(code)]))
}

test('of partitions that are led elsewhere everything is answered with NOT_COORDINATOR', async () => {
  const world = setUp()
  const errors = await allErrors(world, 'g')
  assert.deepEqual(new Set(Object.values(errors)), new Set(['NOT_COORDINATOR']))
  assert.deepEqual(await world.groups.list(ALL), { errorCode: ErrorCode.NONE, groups: [] })
})

test('while a partition is loaded, members may think that all is well', async () => {
  const world = setUp()
  const log = new MemoryLog()
  const source = setUp()
  source.groups.lead(source.groups.partitionOf('g'), log)
  void source.groups.commit(commitRequest('g'))
  await source.clock.settle()
  world.groups.lead(world.groups.partitionOf('g'), log.copy())
  const loading = allErrors(world, 'g')
  const listed = world.groups.list(ALL)
  const { heartbeat, ...others } = await loading
  assert.equal(heartbeat, 'NONE')
  assert.deepEqual(new Set(Object.values(others)), new Set(['COORDINATOR_LOAD_IN_PROGRESS']))
  assert.equal((await listed).errorCode, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  const fetched = world.groups.fetch({ groupId: 'g', topics: null, requireStable: true })
  await world.clock.settle()
  assert.equal((await fetched).topics[0]!.partitions[0]!.committedOffset, 1)
})

test('the empty group id names a group for offsets and administrators alone', async () => {
  const world = setUp()
  world.groups.lead(0, new MemoryLog())
  const errors = await allErrors(world, '')
  assert.deepEqual(errors, {
    join: 'INVALID_GROUP_ID',
    sync: 'INVALID_GROUP_ID',
    heartbeat: 'INVALID_GROUP_ID',
    leave: 'INVALID_GROUP_ID',
    commit: 'NONE',
    fetch: 'NONE',
    deleteOffsets: 'INVALID_GROUP_ID',
    describe: 'NONE',
    deleteGroups: 'NONE',
  })
})

test('a session timeout must be within bounds, and a member id short enough to be stored', async () => {
  const { groups } = setUp()
  for (const sessionTimeoutMs of [0, 5999, 1_800_001, -1]) {
    const answer = await groups.join({ ...joinRequest('g', 'me'), sessionTimeoutMs })
    assert.deepEqual([answer.errorCode, answer.memberId], [ErrorCode.INVALID_SESSION_TIMEOUT, 'me'])
  }
  const answer = await groups.join({ ...joinRequest('g'), clientId: 'x'.repeat(32_760) })
  assert.equal(answer.errorCode, ErrorCode.UNKNOWN_SERVER_ERROR)
})

test('what the log refuses becomes what clients understand', async () => {
  const expected: readonly (readonly [ErrorCode, string, string])[] = [
    [ErrorCode.NOT_ENOUGH_REPLICAS, 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR'],
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR'],
    [ErrorCode.NOT_LEADER_OR_FOLLOWER, 'NOT_COORDINATOR', 'NOT_COORDINATOR'],
    [ErrorCode.KAFKA_STORAGE_ERROR, 'NOT_COORDINATOR', 'NOT_COORDINATOR'],
    [ErrorCode.MESSAGE_TOO_LARGE, 'UNKNOWN_SERVER_ERROR', 'UNKNOWN_SERVER_ERROR'],
    [ErrorCode.INVALID_RECORD, 'INVALID_RECORD', 'INVALID_RECORD'],
  ]
  for (const [failure, commit, fetch] of expected) {
    const { clock, groups } = setUp()
    const log = new MemoryLog()
    groups.lead(groups.partitionOf('g'), log)
    log.failure = failure
    const answers = Promise.all([
      groups.commit(commitRequest('g')),
      groups.fetch({ groupId: 'g', topics: null, requireStable: true }),
    ])
    await clock.settle()
    const [committed, fetched] = await answers
    assert.equal(errorName(committed.topics[0]!.partitions[0]!.errorCode), commit)
    assert.equal(errorName(fetched.errorCode), fetch)
  }
})

test('a commit that nobody confirms is COORDINATOR_NOT_AVAILABLE in the end', async () => {
  const { clock, groups } = setUp()
  groups.lead(groups.partitionOf('g'), new MemoryLog(false))
  const answer = groups.commit(commitRequest('g'))
  await clock.advance(5000)
  assert.equal((await answer).topics[0]!.partitions[0]!.errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
})

test('a parked JoinGroup does not hold up what comes after it', async () => {
  const { clock, groups } = setUp({ config: { ...CONFIG, initialRebalanceDelayMs: 3000 } })
  for (let partition = 0; partition < 5; partition++) groups.lead(partition, new MemoryLog())
  let joined: unknown = null
  void groups.join(joinRequest('g')).then(answer => void (joined = answer))
  const committed = groups.commit(commitRequest('other'))
  const listed = groups.list(ALL)
  await clock.settle()
  assert.equal((await committed).topics[0]!.partitions[0]!.errorCode, ErrorCode.NONE)
  assert.deepEqual((await listed).groups.map(({ groupId }) => groupId).sort(), ['g', 'other'])
  assert.equal(joined, null)
  await clock.advance(3000)
  assert.notEqual(joined, null)
})

test('bytes of a request may be overwritten as soon as the call has returned', async () => {
  const { clock, groups } = setUp()
  groups.lead(groups.partitionOf('g'), new MemoryLog())
  const metadata = subscription('t')
  const joined = groups.join({ ...joinRequest('g'), protocols: [{ name: 'range', metadata }] })
  metadata.fill(0xff)
  await clock.advance(0)
  const { memberId, members } = await joined
  assert.deepEqual(members[0]!.metadata, subscription('t'))
  const assignment = Buffer.from('mine')
  const synced = groups.sync({
    groupId: 'g',
    ...UNKNOWN_SYNC,
    memberId,
    assignments: new Map([[memberId, assignment]]),
  })
  assignment.fill(0)
  await clock.settle()
  assert.equal(Buffer.from((await synced).assignment).toString(), 'mine')
})

test('protocols that are offered twice count once', async () => {
  const { clock, groups } = setUp()
  groups.lead(groups.partitionOf('g'), new MemoryLog())
  const twice = [subscription('t'), subscription('u')].map(metadata => ({ name: 'range', metadata }))
  const joined = groups.join({ ...joinRequest('g'), protocols: twice })
  await clock.advance(0)
  assert.deepEqual((await joined).members[0]!.metadata, subscription('t'))
})

test('as many protocols as a request has room for are looked through once, not once for each', async () => {
  const { clock, groups } = setUp()
  groups.lead(groups.partitionOf('g'), new MemoryLog())
  const protocols = Array.from({ length: 200_000 }, (_, index) => ({
    name: `p${index}`,
    metadata: Buffer.from([index]),
  }))
  const joined = groups.join({ ...joinRequest('g'), protocols })
  await clock.advance(0)
  assert.equal((await joined).protocolName, 'p0')
})

test('a group is deleted however many offsets it has', async () => {
  const { clock, groups } = setUp()
  const partition = groups.partitionOf('g')
  groups.lead(partition, new MemoryLog())
  const partitionsMax = 150_000
  for (let from = 0; from < partitionsMax; from += 10_000) {
    const request = commitRequest('g')
    const [topic] = request.topics
    const partitions = Array.from({ length: 10_000 }, (_, index) => ({
      ...topic!.partitions[0]!,
      partitionIndex: from + index,
    }))
    void groups.commit({ ...request, topics: [{ ...topic!, partitions }] })
  }
  await clock.settle()
  const deleted = groups.deleteGroups(['g'])
  await clock.settle()
  assert.equal((await deleted)[0]!.errorCode, ErrorCode.NONE)
  const fetched = groups.fetch({ groupId: 'g', topics: null, requireStable: false })
  await clock.settle()
  assert.deepEqual((await fetched).topics, [])
})

test('a broker that takes over knows what was committed, and those who were members', async () => {
  const first = setUp()
  const log = new MemoryLog()
  const partition = first.groups.partitionOf('g')
  first.groups.lead(partition, log)
  const joined = first.groups.join(joinRequest('g'))
  await first.clock.advance(0)
  const { memberId } = await joined
  const assignments = new Map([[memberId, Buffer.from('mine')]])
  void first.groups.sync({ groupId: 'g', ...UNKNOWN_SYNC, memberId, assignments })
  void first.groups.commit({ ...commitRequest('g', 7), memberId, generationId: 1 })
  await first.clock.settle()
  const second = setUp()
  second.groups.lead(partition, log.copy())
  await second.clock.settle()
  const answers = Promise.all([
    second.groups.heartbeat({ groupId: 'g', generationId: 1, memberId, groupInstanceId: null }),
    second.groups.describe(['g']),
    second.groups.fetch({
      groupId: 'g',
      topics: [{ name: 't', topicId: ZERO_UUID, partitionIndexes: [0] }],
      requireStable: false,
    }),
  ])
  await second.clock.settle()
  const [heartbeat, [described], fetched] = await answers
  assert.equal(heartbeat, ErrorCode.NONE)
  assert.equal(described!.groupState, 'Stable')
  assert.deepEqual(
    described!.members.map(each => [each.memberId, Buffer.from(each.memberAssignment).toString()]),
    [[memberId, 'mine']],
  )
  assert.equal(fetched.topics[0]!.partitions[0]!.committedOffset, 7)
})

test('deleted topics lose their offsets everywhere, also where the log is still being loaded', async () => {
  const topicId = 'aaaaaaaaaaaaaaaaaaaaaA'
  const { clock, groups } = setUp()
  const names = ['g1', 'g2', 'g3']
  for (let partition = 0; partition < 5; partition++) groups.lead(partition, new MemoryLog())
  for (const name of names) void groups.commit(commitRequest(name, 1, topicId))
  const other = setUp()
  const log = new MemoryLog()
  other.groups.lead(groups.partitionOf('g1'), log)
  void other.groups.commit(commitRequest('g1', 1, topicId))
  await other.clock.settle()
  await clock.settle()
  groups.lead(groups.partitionOf('g1'), log.copy())
  groups.topicsDeleted([{ name: 't', topicId }])
  await clock.settle()
  const fetched = Promise.all(names.map(groupId => groups.fetch({ groupId, topics: null, requireStable: false })))
  await clock.settle()
  assert.deepEqual(
    (await fetched).map(({ topics }) => topics.length),
    [0, 0, 0],
  )
})

test('groups are described and deleted across partitions, each once', async () => {
  const { clock, groups } = setUp()
  for (let partition = 0; partition < 5; partition++) groups.lead(partition, new MemoryLog())
  const names = Array.from({ length: 20 }, (_, index) => `group-${index}`)
  for (const name of names) void groups.commit(commitRequest(name))
  await clock.settle()
  const described = groups.describe([...names, 'nope'])
  await clock.settle()
  assert.equal((await described).filter(({ missing }) => missing === null).length, 20)
  groups.resign(groups.partitionOf('group-0'))
  const deleted = groups.deleteGroups([...names, ...names, 'nope'])
  await clock.settle()
  const results = await deleted
  assert.equal(results.length, 21)
  for (const { groupId, errorCode } of results) {
    const isHere = groups.partitionOf(groupId) !== groups.partitionOf('group-0')
    const expected = groupId === 'nope' ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.NONE
    assert.equal(errorCode, isHere ? expected : ErrorCode.NOT_COORDINATOR, groupId)
  }
})

test('nothing is left when the coordinator is closed', async () => {
  const { clock, groups } = setUp({ config: { ...CONFIG, initialRebalanceDelayMs: 3000 } })
  groups.lead(groups.partitionOf('g'), new MemoryLog())
  const joined = groups.join(joinRequest('g'))
  await clock.settle()
  groups.close()
  assert.equal((await joined).errorCode, ErrorCode.NOT_COORDINATOR)
  assert.equal(clock.timers, 0)
})

test('the records of a commit that does not fit into a batch are not all made', async () => {
  const { clock, groups } = setUp()
  const groupId = 'g'.repeat(32_000)
  groups.lead(groups.partitionOf(groupId), new MemoryLog())
  const [topic] = commitRequest(groupId).topics
  const partitions = Array<(typeof topic & {})['partitions'][number]>(200_000).fill(topic!.partitions[0]!)
  const committed = groups.commit({ ...commitRequest(groupId), topics: [{ ...topic!, partitions }] })
  await clock.advance(0)
  const codes = new Set((await committed).topics[0]!.partitions.map(({ errorCode }) => errorCode))
  assert.deepEqual([...codes], [ErrorCode.UNKNOWN_SERVER_ERROR])
})

test('an offset is deleted once, however often a request names it', async () => {
  const { clock, groups } = setUp()
  const groupId = 'g'.repeat(32_000)
  const log = new MemoryLog()
  groups.lead(groups.partitionOf(groupId), log)
  const committed = groups.commit(commitRequest(groupId))
  await clock.advance(0)
  assert.equal((await committed).topics[0]!.partitions[0]!.errorCode, ErrorCode.NONE)
  const before = log.endOffset
  const partitions = Array<number>(200_000).fill(0)
  const topics = commitRequest(groupId).topics.map(({ name }) => ({ name, partitions }))
  const deleted = groups.deleteOffsets({ groupId, topics: [...topics, ...topics] })
  await clock.advance(0)
  assert.deepEqual(new Set((await deleted).topics.flatMap(each => each.partitions.map(p => p.errorCode))), new Set([0]))
  assert.equal(log.endOffset, before + 1)
})

test('the log shows the beginning of a reason, however long it is', async () => {
  const { clock, groups, lines } = setUp()
  groups.lead(groups.partitionOf('g'), new MemoryLog())
  const joined = groups.join({ ...joinRequest('g'), reason: 'r'.repeat(30_000) })
  await clock.advance(0)
  assert.equal((await joined).errorCode, ErrorCode.NONE)
  const log = JSON.stringify(lines)
  assert.match(log, /r{255}/)
  assert.ok(log.length < 2000, log)
})
