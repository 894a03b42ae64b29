import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtocolError } from '#protocol/protocol-error.js'
import { ZERO_UUID } from '#protocol/schema.js'
import {
  decodeGroupRecord,
  type GroupMetadata,
  type GroupRecordContent,
  groupRecord,
  offsetRecord,
  otherTombstone,
} from '#src/coordinator/group/records.js'

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

function decode(key: string, value: string | null): GroupRecordContent | undefined {
  return decodeGroupRecord(hex(key), value === null ? null : hex(value))?.content
}

/** Records that Kafka 4.4 wrote, by what they are. */
const KAFKA: Record<
  string,
  { readonly key: string; readonly value: string | null; readonly content: GroupRecordContent }
> = {
  'an offset with a topic id': {
    key: '0001 0000 000174 00000000',
    value: '0004 0000000000000001 ffffffff 04 686579 000001a1fd51df70 01 00 10 5d92d32cb7944ea8916fc5dad3c88297',
    content: {
      type: 'offset',
      groupId: '',
      topic: 't',
      partition: 0,
      value: {
        offset: 1,
        leaderEpoch: -1,
        metadata: 'hey',
        commitTimestampMs: 1795251363696,
        expireTimestampMs: -1,
        topicId: 'XZLTLLeUTqiRb8Xa08iClw',
      },
    },
  },
  'an offset with a retention time': {
    key: '0001 0003 626967 0003 626967 00000009',
    value: '0001 0000000000000003 0002 c3a9 000001a1fd5290d0 000001a1fd541770',
    content: {
      type: 'offset',
      groupId: 'big',
      topic: 'big',
      partition: 9,
      value: {
        offset: 3,
        leaderEpoch: -1,
        metadata: 'é',
        commitTimestampMs: 1795251409104,
        expireTimestampMs: 1795251509104,
        topicId: ZERO_UUID,
      },
    },
  },
  'an offset that is no more': {
    key: '0001 0000 000174 00000000',
    value: null,
    content: { type: 'offset', groupId: '', topic: 't', partition: 0, value: null },
  },
  'a group that has just been made': {
    key: '0002 0006 6c61672d7231',
    value: '0003 0000 00000000 ffff ffff 000001a1fd6dea6f 00000000',
    content: {
      type: 'group',
      groupId: 'lag-r1',
      value: {
        protocolType: '',
        generation: 0,
        protocol: null,
        leader: null,
        currentStateTimestamp: 1795253201519,
        members: [],
      },
    },
  },
  'a group with a static member': {
    key: '0002 0008 73746174322d7231',
    value: `0003 0008 636f6e73756d6572 00000001 0005 72616e6765
      0027 78312d35663832363264352d646664612d343039392d386531362d393231393066396565336466 000001a1fd6dcae8 00000001
      0027 78312d35663832363264352d646664612d343039392d386531362d393231393066396565336466 0002 7831 0003 61736b
      000a 2f3132372e302e302e31 000005dc 00002710 00000010 000000000001 0004 742d7231 ffffffff 00000001 70`.replaceAll(
      '\n',
      '',
    ),
    content: {
      type: 'group',
      groupId: 'stat2-r1',
      value: {
        protocolType: 'consumer',
        generation: 1,
        protocol: 'range',
        leader: 'x1-5f8262d5-dfda-4099-8e16-92190f9ee3df',
        currentStateTimestamp: 1795253193448,
        members: [
          {
            memberId: 'x1-5f8262d5-dfda-4099-8e16-92190f9ee3df',
            groupInstanceId: 'x1',
            clientId: 'ask',
            clientHost: '/127.0.0.1',
            rebalanceTimeout: 1500,
            sessionTimeout: 10000,
            subscription: hex('000000000001 0004 742d7231 ffffffff'),
            assignment: Buffer.from('p'),
          },
        ],
      },
    },
  },
  'a group that is no more': { key: '00020000', value: null, content: { type: 'group', groupId: '', value: null } },
}

for (const [name, { key, value, content }] of Object.entries(KAFKA)) {
  test(`Kafka’s record of ${name} is read, and written byte for byte`, () => {
    assert.deepEqual(decode(key, value), content)
    const written =
      content.type === 'group'
        ? groupRecord(content.groupId, content.value)
        : content.type === 'offset'
          ? offsetRecord(content.groupId, content.topic, content.partition, content.value)
          : assert.fail()
    assert.equal(Buffer.from(written.key).toString('hex'), hex(key).toString('hex'))
    assert.equal(
      written.value === null ? null : Buffer.from(written.value).toString('hex'),
      value?.replaceAll(' ', '') ?? null,
    )
  })
}

test('older versions are read: what they do not have is unknown', () => {
  assert.deepEqual(decode('0000 000167 000174 00000002', '0000 0000000000000005 0001 6d 0000000000000064'), {
    type: 'offset',
    groupId: 'g',
    topic: 't',
    partition: 2,
    value: {
      offset: 5,
      leaderEpoch: -1,
      metadata: 'm',
      commitTimestampMs: 100,
      expireTimestampMs: -1,
      topicId: ZERO_UUID,
    },
  })
  const third = decode('0001 000167 000174 00000002', '0003 0000000000000005 00000007 0000 0000000000000064')
  assert.equal(third?.type === 'offset' && third.value?.leaderEpoch, 7)
  const first = decode(
    '0002 000167',
    '0001 0000 00000003 ffff ffff 00000001 000161 000162 000163 0000000a 0000000b 00000000 00000000',
  )
  assert(first?.type === 'group')
  assert.equal(first.value?.currentStateTimestamp, -1)
  assert.deepEqual(first.value?.members[0], {
    memberId: 'a',
    groupInstanceId: null,
    clientId: 'b',
    clientHost: 'c',
    rebalanceTimeout: 10,
    sessionTimeout: 11,
    subscription: Buffer.alloc(0),
    assignment: Buffer.alloc(0),
  })
})

test('an offset or an expiry past all bounds, as Kafka takes it from clients, is as far away as can be told', () => {
  const key = '0001 000167 000174 00000000'
  const far = decode(key, '0003 1000000000000000 ffffffff 0000 0000000000000064')
  assert.equal(far?.type === 'offset' && far.value?.offset, Number.MAX_SAFE_INTEGER)
  const never = decode(key, '0001 0000000000000005 0000 0000000000000064 1000000000000000')
  assert.equal(never?.type === 'offset' && never.value?.expireTimestampMs, Number.MAX_SAFE_INTEGER)
  // The retention was so long that the sum has become negative.
  const over = decode(key, '0001 0000000000000005 0000 0000000000000064 80000191ffffffff')
  assert.equal(over?.type === 'offset' && over.value?.expireTimestampMs, Number.MIN_SAFE_INTEGER)
})

test('records of other kinds of groups are known by their keys', () => {
  const content = { type: 'other', groupType: 'consumer', recordType: 5, groupId: 'new', isTombstone: false }
  const key = '0005 0003 6e6577 0001 6d'
  assert.deepEqual(decode(key, 'ffffff'), content)
  assert.deepEqual(decode(key, null), { ...content, isTombstone: true })
  assert.deepEqual(decode('000a 0001 73 0001 6d', '00'), {
    ...content,
    groupType: 'share',
    recordType: 10,
    groupId: 's',
  })
  assert.deepEqual(decode('0011 0001 73', '00'), { ...content, groupType: 'streams', recordType: 17, groupId: 's' })
  const tombstone = otherTombstone(hex(key), content as GroupRecordContent & { type: 'other' })
  assert.deepEqual([Buffer.from(tombstone.key), tombstone.value], [hex(key), null])
})

test('types that nobody knows are null; what is damaged is an error', () => {
  for (const type of ['0009', '0012', '0018', '7fff', 'ffff']) assert.equal(decode(`${type} 0001 67`, '00'), undefined)
  assert.throws(() => decodeGroupRecord(null, null), ProtocolError)
  const damaged: readonly (readonly [string, string | null])[] = [
    ['00', null],
    ['0001 0001', null],
    ['0001 000167 000174 0000', null],
    ['0002 000567', null],
    ['0003 000567', null],
    ['0001 000167 000174 00000000', ''],
    ['0001 000167 000174 00000000', '0004 00'],
    ['0001 000167 000174 00000000', '0005 0000000000000005 00000007 0000 0000000000000064'],
    ['0000 000167 000174 00000000', '0003 0000000000000005 00000007 0000 0000000000000064'],
    ['0002 000167', '0003 0000 00000000 ffff ffff 000001a1fd6dea6f 00000001'],
    ['0002 000167', '0003 0000 00000000 ffff ffff 000001a1fd6dea6f 7fffffff'],
    ['0002 000167', 'ffff 0000'],
  ]
  for (const [key, value] of damaged) assert.throws(() => decode(key, value), ProtocolError, `${key} ${value}`)
})

test('a group that lists a member or an instance twice is damaged', () => {
  const member = {
    memberId: 'm',
    groupInstanceId: 'i',
    clientId: '',
    clientHost: '',
    rebalanceTimeout: 1,
    sessionTimeout: 1,
    subscription: Buffer.alloc(0),
    assignment: Buffer.alloc(0),
  }
  const group = { protocolType: 'consumer', generation: 1, protocol: 'p', leader: 'm', currentStateTimestamp: 1 }
  for (const twin of [
    { ...member, groupInstanceId: 'j' },
    { ...member, memberId: 'n' },
  ]) {
    const { key, value } = groupRecord('g', { ...group, members: [member, twin] } satisfies GroupMetadata)
    assert.throws(() => decodeGroupRecord(key, value), /lists a member twice/)
  }
})

test('what is read does not hold on to the buffer that it was read from', () => {
  const { key, value } = KAFKA['a group with a static member']!
  const large = Buffer.concat([Buffer.alloc(100_000), hex(value!)])
  const content = decodeGroupRecord(hex(key), large.subarray(100_000))!.content
  assert(content.type === 'group')
  const [member] = content.value!.members
  assert(member!.subscription.buffer.byteLength < 100_000)
  assert.notEqual(member!.subscription.buffer, large.buffer)
})
