import { ask, inVersions, type Step } from './step.js'

const PROTOCOL = { name: 'range', metadata: { hex: '000100000001000673747265616d00000000' } }
const ZERO_ASSIGNMENT = { hex: '0001000000010006666f6f626172000000010000000000000000' }
/** Nobody waits for a coordinator: both brokers make the internal topic first. */
const READY = { retry: { pointer: '/errorCode', until: 0 } } as const
/** Until a busy Kafka has loaded the group, it says that all is well; then, that it knows no such member. */
const LOADED = { retry: { pointer: '/errorCode', until: 25 } } as const

const join = (version: number, group: string, more: object = {}, step: Step = {}) =>
  ask(
    'JoinGroup',
    version,
    {
      groupId: group,
      sessionTimeoutMs: 30_000,
      ...(version >= 1 ? { rebalanceTimeoutMs: 1000 } : {}),
      memberId: '',
      protocolType: 'consumer',
      protocols: [PROTOCOL],
      ...more,
    },
    { ...step, ignore: ['memberId', ...(step.ignore ?? [])] },
  )
const sync = (
  version: number,
  group: string,
  generationId: number,
  memberId: string,
  more: object = {},
  step: Step = {},
) => ask('SyncGroup', version, { groupId: group, generationId, memberId, assignments: [], ...more }, step)
const heartbeat = (version: number, groupId: string, generationId: number, memberId: string, more: object = {}) =>
  ask('Heartbeat', version, { groupId, generationId, memberId, ...more })

export function groupSteps(): Step[] {
  return [
    ...coordinatorSteps(),
    ...joinSteps(),
    ...memberSteps(),
    ...staticSteps(),
    ...commitSteps(),
    ...fetchSteps(),
    ...describeSteps(),
    ...endSteps(),
  ]
}

function coordinatorSteps(): Step[] {
  const ignore = ['nodeId', 'errorMessage']
  return [
    ask('FindCoordinator', 0, { key: 'ask' }, { ...READY, ignore: ['nodeId'], about: 'the topic is made' }),
    ...inVersions(0, 3, v => ask('FindCoordinator', v, { key: 'ask' }, { ignore })),
    ...inVersions(4, 6, v => ask('FindCoordinator', v, { coordinatorKeys: ['ask', 'other'], keyType: 0 }, { ignore })),
    ...inVersions(4, 6, v => ask('FindCoordinator', v, { coordinatorKeys: [], keyType: 0 })),
    ...inVersions(1, 3, v => ask('FindCoordinator', v, { key: 'ask', keyType: 9 }, { on: `wrong-type-${v}`, ignore })),
    ask('FindCoordinator', 4, { coordinatorKeys: ['ask'], keyType: 9 }, { on: 'wrong-type', ignore }),
    ask('FindCoordinator', 4, { coordinatorKeys: [''], keyType: 0 }, { ignore }),
    ask('FindCoordinator', 5, { coordinatorKeys: ['ask'], keyType: 2 }, { on: 'share-5', ignore }),
    ...firstGroups().map(group => ask('Heartbeat', 0, { groupId: group, generationId: 0, memberId: 'nobody' }, LOADED)),
  ]
}

/** Those of the steps that follow at once. */
const firstGroups = () => [...Array.from({ length: 10 }, (_, v) => `new-${v}`), 'wrong', 'wrong-2']

function joinSteps(): Step[] {
  return [
    ...inVersions(0, 3, v => join(v, `new-${v}`)),
    ...inVersions(4, 9, v => join(v, `new-${v}`, {}, { about: 'a member id is required' })),
    ...inVersions(0, 9, v => join(v, `new-${v}`, { memberId: 'nobody' })),
    join(5, 'wrong', { sessionTimeoutMs: 1 }),
    join(5, 'wrong', { sessionTimeoutMs: 10_000_000 }),
    join(5, 'wrong', { protocols: [] }),
    join(5, 'wrong', { protocolType: '' }),
    join(5, '', {}, { about: 'no group id' }),
    join(2, 'wrong-2', { protocols: [] }),
    join(2, 'wrong-2', { protocolType: '' }),
  ]
}

/** One member that joins, syncs, beats, commits and leaves; every version of each. */
function memberSteps(): Step[] {
  const cycle = (v: number): Step[] => {
    const group = `cycle-${v}`
    const member = `$member-${v}`
    const first =
      v >= 4
        ? [join(v, group, {}, { save: { [`member-${v}`]: '/memberId' } }), join(v, group, { memberId: member })]
        : []
    const simple = v < 4 ? [join(v, group, {}, { save: { [`member-${v}`]: '/memberId' } })] : []
    const syncVersion = Math.min(5, v)
    const beatVersion = Math.min(4, v)
    const protocol = syncVersion >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}
    const assignments = [{ memberId: member, assignment: ZERO_ASSIGNMENT }]
    return [
      ...first,
      ...simple,
      heartbeat(beatVersion, group, 1, member),
      sync(syncVersion, group, 2, member, protocol, { about: 'a later generation' }),
      sync(syncVersion, group, 1, 'nobody', protocol),
      sync(syncVersion, group, 1, member, { assignments, ...protocol }),
      sync(syncVersion, group, 1, member, protocol, { about: 'stable: the assignment again' }),
      heartbeat(beatVersion, group, 1, member),
      heartbeat(beatVersion, group, 0, member),
      heartbeat(beatVersion, group, 2, member),
      heartbeat(beatVersion, group, 1, 'nobody'),
      join(
        v,
        group,
        { memberId: member, protocols: [{ name: 'other', metadata: { hex: '00' } }] },
        { about: 'another protocol' },
      ),
      join(v, group, { memberId: member, protocolType: 'connect' }, { about: 'another type' }),
    ]
  }
  return [
    ...[0, 2, 4, 5, 6, 7, 9].flatMap(cycle),
    ...(
      [
        { protocolType: null, protocolName: null },
        { protocolType: 'connect', protocolName: 'range' },
        { protocolType: 'consumer', protocolName: 'sticky' },
      ] as const
    ).map(protocol => sync(5, 'cycle-7', 2, '$member-7', protocol)),
    heartbeat(4, 'no-such-group', 1, 'nobody'),
    heartbeat(0, 'no-such-group', 1, 'nobody'),
    heartbeat(3, '', 1, 'nobody'),
    sync(3, 'no-such-group', 1, 'nobody'),
  ]
}

function staticSteps(): Step[] {
  const group = 'static'
  const me = { groupInstanceId: 'one' }
  return [
    join(5, group, me, { save: { 'static-1': '/memberId' } }),
    sync(3, group, 1, '$static-1', { ...me, assignments: [{ memberId: '$static-1', assignment: ZERO_ASSIGNMENT }] }),
    heartbeat(3, group, 1, '$static-1', me),
    heartbeat(3, group, 1, '$static-1', { groupInstanceId: 'two' }),
    join(5, group, me, { about: 'comes back', save: { 'static-2': '/memberId' } }),
    heartbeat(3, group, 1, '$static-1', me),
    heartbeat(3, group, 1, '$static-2', me),
    sync(3, group, 1, '$static-2', me),
    sync(3, group, 1, '$static-1', me),
    join(9, group, me, { about: 'comes back, version 9', save: { 'static-3': '/memberId' } }),
    join(5, group, { ...me, memberId: 'nobody' }),
    join(5, group, { groupInstanceId: 'three', memberId: 'nobody' }),
    ask('LeaveGroup', 3, { groupId: group, members: [{ memberId: 'nobody', groupInstanceId: 'one' }] }),
    ask('LeaveGroup', 3, { groupId: group, members: [{ memberId: '', groupInstanceId: 'nobody' }] }),
    ask('LeaveGroup', 5, { groupId: group, members: [{ memberId: '', groupInstanceId: 'one', reason: 'tired' }] }),
    ask('LeaveGroup', 5, { groupId: group, members: [] }),
    ...inVersions(0, 2, v => ask('LeaveGroup', v, { groupId: 'cycle-0', memberId: 'nobody' })),
    ask('LeaveGroup', 1, { groupId: 'cycle-0', memberId: '$member-0' }),
    ask('LeaveGroup', 1, { groupId: 'no-such-group', memberId: 'nobody' }),
    ask('LeaveGroup', 4, { groupId: 'no-such-group', members: [{ memberId: 'nobody' }] }),
    ask('LeaveGroup', 4, {
      groupId: 'cycle-2',
      members: [{ memberId: 'nobody' }, { memberId: '$member-2' }, { memberId: '$member-2' }],
    }),
  ]
}

const offsets = (name: string, partitions: readonly object[]) => [{ name, partitions }]
const at = (partitionIndex: number, committedOffset: number, more: object = {}) => ({
  partitionIndex,
  committedOffset,
  committedMetadata: 'note',
  ...more,
})
const commit = (version: number, groupId: string, topics: readonly object[], more: object = {}, step: Step = {}) =>
  ask('OffsetCommit', version, { groupId, topics, ...more }, step)

function commitSteps(): Step[] {
  const simple = { generationIdOrMemberEpoch: -1, memberId: '' }
  return [
    ask('CreateTopics', 7, {
      timeoutMs: 10_000,
      topics: [{ name: 'committed', numPartitions: 3, replicationFactor: 1 }],
    }),
    ask(
      'Metadata',
      12,
      { topics: [{ name: 'committed' }], allowAutoTopicCreation: false },
      { save: { committed: '/topics/0/topicId' } },
    ),
    ...inVersions(2, 9, v => commit(v, 'simple', offsets('committed', [at(0, v * 10), at(1, v)]), simple)),
    ask('OffsetCommit', 10, {
      groupId: 'simple',
      ...simple,
      topics: [{ topicId: '$committed', partitions: [at(2, 5)] }],
    }),
    ask('OffsetCommit', 10, {
      groupId: 'simple',
      ...simple,
      topics: [{ topicId: 'AAAAAAAAAAAAAAAAAAABAA', partitions: [at(2, 5)] }],
    }),
    ask('OffsetCommit', 10, { groupId: 'simple', ...simple, topics: [{ partitions: [at(2, 5)] }] }),
    ...inVersions(2, 9, v => commit(v, 'simple', offsets('no-such-topic', [at(0, 1)]), simple)),
    ...inVersions(2, 9, v => commit(v, 'simple', offsets('committed', [at(99, 1)]), simple)),
    commit(8, 'simple', offsets('committed', [at(0, -1)]), simple, { about: 'a negative offset' }),
    commit(8, 'simple', offsets('committed', [at(0, 3, { committedMetadata: 'x'.repeat(4096) })]), simple),
    commit(8, 'simple', offsets('committed', [at(0, 3, { committedMetadata: 'x'.repeat(4097) })]), simple),
    commit(8, 'simple', offsets('committed', [at(0, 4, { committedMetadata: null })]), simple),
    commit(8, 'simple', offsets('committed', [at(0, 5, { committedLeaderEpoch: 0 })]), simple),
    commit(8, 'simple', [], simple),
    commit(8, '', offsets('committed', [at(0, 1)]), simple),
    ...inVersions(2, 9, v =>
      commit(v, 'no-such-group', offsets('committed', [at(0, 1)]), {
        generationIdOrMemberEpoch: 3,
        memberId: 'nobody',
      }),
    ),
    commit(7, 'cycle-9', offsets('committed', [at(0, 7)]), simple, { about: 'the group has members' }),
    commit(7, 'cycle-9', offsets('committed', [at(0, 7)]), { generationIdOrMemberEpoch: 1, memberId: 'nobody' }),
    commit(7, 'cycle-9', offsets('committed', [at(0, 7)]), { generationIdOrMemberEpoch: 9, memberId: '$member-9' }),
    commit(7, 'cycle-9', offsets('committed', [at(0, 7)]), {
      generationIdOrMemberEpoch: 1,
      memberId: '$member-9',
      groupInstanceId: 'x',
    }),
  ]
}

function fetchSteps(): Step[] {
  const topics = [{ name: 'committed', partitionIndexes: [0, 1, 2, 99] }]
  const groups = (groupId: string, of: readonly object[] | null, more: object = {}) => ({
    groups: [{ groupId, topics: of, ...more }],
  })
  return [
    ...inVersions(1, 7, v => ask('OffsetFetch', v, { groupId: 'simple', topics })),
    ...inVersions(1, 7, v => ask('OffsetFetch', v, { groupId: 'no-such-group', topics })),
    ...inVersions(2, 7, v => ask('OffsetFetch', v, { groupId: 'no-such-group', topics: null })),
    ...inVersions(1, 7, v => ask('OffsetFetch', v, { groupId: 'simple', topics: [] })),
    ...inVersions(8, 9, v => ask('OffsetFetch', v, groups('simple', topics))),
    ...inVersions(8, 9, v => ask('OffsetFetch', v, groups('no-such-group', topics))),
    ...inVersions(8, 9, v => ask('OffsetFetch', v, groups('no-such-group', null))),
    ...inVersions(8, 9, v => ask('OffsetFetch', v, { groups: [] })),
    ask('OffsetFetch', 8, {
      groups: [
        { groupId: 'simple', topics },
        { groupId: 'no-such-group', topics },
      ],
    }),
    ask('OffsetFetch', 9, groups('simple', topics, { memberId: 'nobody', memberEpoch: 3 })),
    ask('OffsetFetch', 9, groups('cycle-9', topics, { memberId: 'nobody', memberEpoch: 3 })),
    ask('OffsetFetch', 10, {
      groups: [{ groupId: 'simple', topics: [{ topicId: '$committed', partitionIndexes: [0, 1, 2] }] }],
    }),
    ask('OffsetFetch', 10, {
      groups: [{ groupId: 'simple', topics: [{ topicId: 'AAAAAAAAAAAAAAAAAAABAA', partitionIndexes: [0] }] }],
    }),
    ask('OffsetFetch', 10, { groups: [{ groupId: 'no-such-group', topics: null }] }),
    ask('OffsetFetch', 7, { groupId: 'simple', topics, requireStable: true }),
    ask('OffsetFetch', 5, { groupId: '', topics }),
    ask('OffsetFetch', 5, { groupId: 'simple', topics: [{ name: 'no-such-topic', partitionIndexes: [0] }] }),
  ]
}

function describeSteps(): Step[] {
  const ignore = ['memberId', 'clientHost']
  return [
    ...inVersions(0, 6, v => ask('DescribeGroups', v, { groups: ['cycle-9'] }, { ignore })),
    ...inVersions(0, 6, v => ask('DescribeGroups', v, { groups: ['simple'] }, { ignore })),
    ...inVersions(0, 6, v => ask('DescribeGroups', v, { groups: ['no-such-group'] }, { ignore })),
    ...inVersions(3, 6, v => ask('DescribeGroups', v, { groups: ['simple'], includeAuthorizedOperations: true })),
    ask('DescribeGroups', 5, { groups: [] }),
    ask('DescribeGroups', 5, { groups: ['', 'simple'] }),
    ask('ListGroups', 4, { statesFilter: ['NoSuchState'] }),
    ask('ListGroups', 5, { statesFilter: [], typesFilter: ['consumer'] }),
    ask('ListGroups', 5, { typesFilter: ['nonsense'] }),
    ask('ListGroups', 5, { typesFilter: ['CLASSIC'], statesFilter: ['nothing'] }),
  ]
}

function endSteps(): Step[] {
  const remove = (version: number, ...groupsNames: string[]) => ask('DeleteGroups', version, { groupsNames })
  return [
    ask('OffsetDelete', 0, { groupId: 'simple', topics: [{ name: 'committed', partitions: [{ partitionIndex: 1 }] }] }),
    ask('OffsetDelete', 0, {
      groupId: 'simple',
      topics: [{ name: 'committed', partitions: [{ partitionIndex: 99 }] }],
    }),
    ask('OffsetDelete', 0, {
      groupId: 'simple',
      topics: [{ name: 'no-such-topic', partitions: [{ partitionIndex: 0 }] }],
    }),
    ask('OffsetDelete', 0, {
      groupId: 'no-such-group',
      topics: [{ name: 'committed', partitions: [{ partitionIndex: 0 }] }],
    }),
    ask('OffsetDelete', 0, {
      groupId: 'cycle-9',
      topics: [{ name: 'committed', partitions: [{ partitionIndex: 0 }] }],
    }),
    ask('OffsetDelete', 0, { groupId: 'simple', topics: [] }),
    ask('OffsetFetch', 5, { groupId: 'simple', topics: [{ name: 'committed', partitionIndexes: [0, 1] }] }),
    ...inVersions(0, 3, v => remove(v, 'cycle-9')),
    ...inVersions(0, 3, v => remove(v, 'no-such-group')),
    remove(2, 'simple'),
    remove(3, 'simple'),
    remove(3, ''),
    remove(2),
    ask('OffsetFetch', 5, { groupId: 'simple', topics: [{ name: 'committed', partitionIndexes: [0] }] }),
  ]
}
