import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as batch from '#protocol/records/batch.js'
import {
  activationRecords,
  type FormatOptions,
  type FormatResult,
  format,
  parseDynamicVoter,
  readBootstrapRecords,
} from '#src/metadata/bootstrap.js'
import { FormatError } from '#src/metadata/format-error.js'
import {
  defaultLevel,
  expectKnownFeatures,
  judgeFinalized,
  registrationRange,
  supportedFeatures,
} from '#src/metadata/supported-features.js'
import { readMetaProperties } from '#storage/meta-properties.js'
import { SimDisk } from '../../support/sim-disk.js'

const fixtures = fileURLToPath(new URL('../../../../test/src/metadata/fixtures/format/', import.meta.url))
const clusterId = 'MkU3OEVBNTcwNTJENDM2Qk'
const checkpoint = '__cluster_metadata-0/00000000000000000000-0000000000.checkpoint'
/** What Kafka 4.4 finalizes by itself. */
const kafkas = new Map([
  ['group.version', 1],
  ['share.version', 2],
  ['streams.version', 1],
  ['transaction.version', 2],
])

function run(
  changes: Partial<FormatOptions> = {},
  disk = new SimDisk(),
  uuids: string[] = [],
): FormatResult & { readonly disk: SimDisk } {
  let next = 0
  const ports = {
    disk,
    wallTime: () => 1_700_000_000_000,
    uuid: () => uuids[next++] ?? `AAAAAAAAAAAAAAAAAAAA${String(next + 10)}`,
  }
  const options: FormatOptions = {
    clusterId,
    nodeId: 1,
    isController: true,
    directories: ['/data'],
    metadataDirectory: '/data',
    quorum: { kind: 'static' },
    controllerListenerName: 'CONTROLLER',
    releaseVersion: null,
    features: kafkas,
    addScram: [],
    ignoreFormatted: false,
    ...changes,
  }
  return { ...format(options, ports), disk }
}

/** The bytes of a snapshot with everything that has to do with time set to 0. */
function timeless(content: Buffer): Buffer {
  const bytes = Buffer.from(content)
  for (const position of batch.batchPositions(bytes)) {
    batch.writeInt64(bytes, position + 27, 0)
    batch.writeInt64(bytes, position + 35, 0)
    batch.writeInt32(bytes, position + 17, 0)
  }
  // The time in the header record, after its key.
  const header = bytes.indexOf(Buffer.from('000000031600', 'hex'))
  assert(header > 0)
  batch.writeInt64(bytes, header + 'xxxx'.length + 1 + 2, 0)
  return bytes
}

const dynamicVoters = '2@host-2:25011:MvDxzVmcRsaTz33bUuRU6A,1@localhost:25001:JEXY6aqzQY-32P5TStzaFg'
const scram = [
  'SCRAM-SHA-256=[name=alice,password=secret,salt="MWx2NHBkbnc0ZndxN25vdGN4bTB5Y2k=",iterations=4096]',
  'SCRAM-SHA-512=[name=bob,salt="N3E=",saltedpassword="YCE=",iterations=8192]',
]
const formats: readonly (readonly [string, Partial<FormatOptions>, string[]])[] = [
  ['static', {}, []],
  ['standalone', { quorum: { kind: 'standalone', host: 'localhost', port: 25001 } }, ['0XbykN3QTSaAlx6WG9U32w']],
  ['no-initial-controllers', { quorum: { kind: 'noInitialControllers' } }, []],
  ['initial-controllers', { quorum: { kind: 'initialControllers', voters: dynamicVoters } }, []],
  [
    'release-3.9',
    { releaseVersion: '3.9', features: new Map(), quorum: { kind: 'standalone', host: 'localhost', port: 25001 } },
    ['7aNZXPKWS_iuUj8uqTqf5g'],
  ],
  ['features', { features: new Map([...kafkas, ['share.version', 1], ['group.version', 0]]) }, []],
  ['scram', { addScram: scram }, []],
]

for (const [name, changes, uuids] of formats) {
  test(`what is formatted as ${name} is what Kafka's own tool writes, byte by byte`, () => {
    const { disk } = run(changes, new SimDisk(), uuids)
    const expected = readFileSync(`${fixtures}${name}.checkpoint`)
    assert.deepEqual(timeless(disk.readFile(`/data/${checkpoint}`)), timeless(expected))
  })
}

test('every directory says whose it is, and only that of the metadata log has a snapshot', () => {
  const { disk, lines, formatted } = run({ directories: ['/a', '/b', '/c'], metadataDirectory: '/b' })
  const ids = new Set<string | null>()
  for (const path of ['/a', '/b', '/c']) {
    const properties = readMetaProperties(disk, path)!
    assert.deepEqual({ ...properties, directoryId: '' }, { version: 1, clusterId, nodeId: 1, directoryId: '' })
    ids.add(properties.directoryId)
    assert.equal(disk.exists(`${path}/${checkpoint}`), path === '/b')
  }
  assert.equal(ids.size, 3)
  assert.deepEqual(formatted, ['/a', '/c', '/b'])
  assert.deepEqual(lines, [
    'Bootstrap metadata: metadata.version=33, eligible.leader.replicas.version=1, group.version=1, share.version=2, streams.version=1, transaction.version=2.',
    'Formatting data directory /a with metadata.version 4.4-IV2.',
    'Formatting data directory /c with metadata.version 4.4-IV2.',
    'Formatting metadata directory /b with metadata.version 4.4-IV2.',
  ])
})

test('a voter of the beginning gets the directory id that the others know', () => {
  const { disk, lines } = run({ quorum: { kind: 'initialControllers', voters: dynamicVoters } })
  assert.equal(readMetaProperties(disk, '/data')?.directoryId, 'JEXY6aqzQY-32P5TStzaFg')
  assert.match(lines[1]!, /^Formatting dynamic metadata voter directory \/data /)
  const other = run({ nodeId: 3, quorum: { kind: 'initialControllers', voters: dynamicVoters } })
  assert.match(other.lines[1]!, /^Formatting dynamic metadata directory \/data /)
})

test('a broker alone has no metadata log to begin', () => {
  const { disk } = run({ isController: false, quorum: { kind: 'noInitialControllers' } })
  assert.equal(readMetaProperties(disk, '/data')?.nodeId, 1)
  assert(!disk.exists(`/data/${checkpoint}`))
})

test('a directory is formatted once', () => {
  const { disk } = run({ directories: ['/a'], metadataDirectory: '/a' })
  const both = { directories: ['/a', '/b'], metadataDirectory: '/a' }
  const already =
    'Log directory /a is already formatted. Use --ignore-formatted to ignore this directory and format the others.'
  refused(() => run(both, disk), already)
  assert.deepEqual(run({ ...both, ignoreFormatted: true }, disk).formatted, ['/b'])
  assert.deepEqual(run({ ...both, ignoreFormatted: true }, disk).lines, [
    'All of the log directories are already formatted.',
  ])
  const other =
    'Invalid cluster.id in: /a/meta.properties. Expected AkU3OEVBNTcwNTJENDM2Qk, but read MkU3OEVBNTcwNTJENDM2Qk'
  refused(() => run({ ...both, clusterId: 'AkU3OEVBNTcwNTJENDM2Qk', ignoreFormatted: true }, disk), other)
  assert.throws(() => run({ ...both, nodeId: 2, ignoreFormatted: true }, disk), FormatError)
})

const versions =
  '3.3-IV3, 3.4-IV0, 3.5-IV0, 3.5-IV1, 3.5-IV2, 3.6-IV0, 3.6-IV1, 3.6-IV2, 3.7-IV0, 3.7-IV1, 3.7-IV2, 3.7-IV3, 3.7-IV4, ' +
  '3.8-IV0, 3.9-IV0, 4.0-IV0, 4.0-IV1, 4.0-IV2, 4.0-IV3, 4.1-IV0, 4.1-IV1, 4.2-IV0, 4.2-IV1, 4.3-IV0, 4.4-IV0, 4.4-IV1, 4.4-IV2'
const standalone: FormatOptions['quorum'] = { kind: 'standalone', host: 'localhost', port: 25001 }
const kraftFlags = 'one of the flags --standalone, --initial-controllers, or --no-initial-controllers'

for (const [what, changes, message] of [
  [
    'a version that is too old',
    { releaseVersion: '3.2-IV0' },
    `Unknown metadata.version '3.2-IV0'. Supported metadata.version are: ${versions}`,
  ],
  [
    'a version that nobody knows',
    { releaseVersion: '9.9' },
    `Unknown metadata.version '9.9'. Supported metadata.version are: ${versions}`,
  ],
  [
    'a feature that nobody knows',
    { features: new Map([['foo.version', 1]]) },
    'Unsupported feature: foo.version. Supported features are: eligible.leader.replicas.version, group.version, kraft.version, share.version, streams.version, transaction.version',
  ],
  [
    'a level that nobody knows',
    { features: new Map([['group.version', 7]]) },
    'No feature:group.version with feature level 7',
  ],
  [
    'two ways to say one thing',
    { releaseVersion: '4.4', features: new Map([['metadata.version', 33]]) },
    'Use --release-version instead of --feature metadata.version=X to avoid ambiguity.',
  ],
  [
    'a level that needs another one',
    { releaseVersion: '3.8', features: new Map([['eligible.leader.replicas.version', 1]]) },
    'eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23',
  ],
  [
    'kraft.version 1 with static voters',
    { features: new Map([['kraft.version', 1]]) },
    `Cannot set kraft.version to 1 unless controller.quorum.voters is empty and ${kraftFlags} is used. For dynamic controllers support, try using ${kraftFlags.slice('one of the flags '.length).replace(/^/, 'one of ')} and removing controller.quorum.voters.`,
  ],
  [
    'kraft.version 0 without',
    { quorum: standalone, features: new Map([['kraft.version', 0]]) },
    `Cannot set kraft.version to 0 if controller.quorum.voters is empty and ${kraftFlags} is used. For dynamic controllers support, try removing the --feature flag for kraft.version.`,
  ],
  [
    'a quorum of a broker',
    { isController: false, quorum: standalone },
    'You can only use --standalone on a controller.',
  ],
  [
    'SCRAM before its time',
    { releaseVersion: '3.4', features: new Map(), addScram: scram },
    'SCRAM is only supported in metadata.version 3.5-IV2 or later.',
  ],
  [
    'a mechanism that nobody knows',
    { addScram: ['FOO=[name=a,password=x]'] },
    'The add-scram mechanism FOO is not supported.',
  ],
  [
    'a credential without a password',
    { addScram: ['SCRAM-SHA-256=[name=a]'] },
    "You must supply one of 'password' or 'saltedpassword' to add-scram",
  ],
  ['a credential without a name', { addScram: ['SCRAM-SHA-256=[password=x]'] }, "You must supply 'name' to add-scram"],
  [
    'a credential without a salt',
    { addScram: ['SCRAM-SHA-256=[name=a,saltedpassword="YCE="]'] },
    "You must supply 'salt' with 'saltedpassword' to add-scram",
  ],
  [
    'too few iterations',
    { addScram: ['SCRAM-SHA-256=[name=a,password=x,iterations=10]'] },
    "The 'iterations' value must be >= 4096 for add-scram using SCRAM_SHA_256",
  ],
  [
    'too many iterations',
    { addScram: ['SCRAM-SHA-512=[name=a,password=x,iterations=99999]'] },
    "The 'iterations' value must be <= 16384 for add-scram using SCRAM_SHA_512",
  ],
  [
    'a credential with more',
    { addScram: ['SCRAM-SHA-256=[name=a,password=x,foo=1]'] },
    'Unknown SCRAM configurations: foo',
  ],
  ['no credential', { addScram: ['x'] }, "Failed to find equals sign in SCRAM argument 'x'"],
  ['no voters', { quorum: { kind: 'initialControllers', voters: '' } }, 'No voters given.'],
  [
    'a voter twice',
    { quorum: { kind: 'initialControllers', voters: `${dynamicVoters},${dynamicVoters}` } },
    'Node id 2 was specified more than once.',
  ],
] as const) {
  test(`formatting with ${what} is refused in Kafka's words, and nothing is written`, () => {
    const disk = new SimDisk()
    refused(() => run(changes as Partial<FormatOptions>, disk), message)
    assert(!disk.exists('/data'))
  })
}

for (const [text, message] of [
  ['a@b', 'Failed to parse node id in dynamic voter string.'],
  ['1localhost:1:JEXY6aqzQY-32P5TStzaFg', 'No @ found in dynamic voter string.'],
  ['-1@localhost:1:JEXY6aqzQY-32P5TStzaFg', 'Invalid negative node id -1 in dynamic voter string.'],
  ['1@', 'No hostname found after node id.'],
  ['1@localhost', 'No colon following hostname could be found.'],
  ['1@localhost:25001', 'No colon following port could be found.'],
  ['1@localhost:x:JEXY6aqzQY-32P5TStzaFg', 'Failed to parse port in dynamic voter string.'],
  ['1@localhost:70000:JEXY6aqzQY-32P5TStzaFg', 'Invalid port 70000 in dynamic voter string.'],
  ['1@localhost:1:xx', 'Failed to parse directory ID in dynamic voter string.'],
  ['1@[::1:1:JEXY6aqzQY-32P5TStzaFg', 'Hostname began with left bracket, but no right bracket was found.'],
] as const) {
  test(`'${text}' is no voter`, () => refused(() => parseDynamicVoter(text), message))
}

test('a voter may have an address in brackets', () => {
  assert.deepEqual(parseDynamicVoter('7@[::1]:9093:JEXY6aqzQY-32P5TStzaFg'), {
    id: 7,
    host: '::1',
    port: 9093,
    directoryId: 'JEXY6aqzQY-32P5TStzaFg',
  })
})

test('the first records of a log are those of the formatting, in a transaction where there are any', () => {
  const { disk } = run()
  const bootstrap = readBootstrapRecords(disk, '/data/__cluster_metadata-0')
  const records = activationRecords(bootstrap, 2)
  assert.deepEqual(
    records.map(record => record.type),
    ['BeginTransactionRecord', ...Array(6).fill('FeatureLevelRecord'), 'ConfigRecord', 'EndTransactionRecord'],
  )
  assert.deepEqual(records[0]?.value, { name: 'Bootstrap records' })
  assert.deepEqual(records[7]?.value, { resourceType: 4, resourceName: '', name: 'min.insync.replicas', value: '2' })
  const old = run({ releaseVersion: '3.5', features: new Map() })
  const oldRecords = activationRecords(readBootstrapRecords(old.disk, '/data/__cluster_metadata-0'), 1)
  assert.deepEqual(
    oldRecords.map(record => record.type),
    ['FeatureLevelRecord'],
  )
})

test('records of a formatting before 4.4 are read from bootstrap.checkpoint, and without any there is metadata.version', () => {
  const { disk } = run({ releaseVersion: '4.0' })
  const legacy = new SimDisk()
  legacy.makeDirectory('/data/__cluster_metadata-0')
  assert.deepEqual(readBootstrapRecords(legacy, '/data/__cluster_metadata-0'), [
    { type: 'FeatureLevelRecord', version: 0, value: { name: 'metadata.version', featureLevel: 33 } },
  ])
  legacy.replaceFile('/data/bootstrap.checkpoint', disk.readFile(`/data/${checkpoint}`))
  assert.deepEqual(readBootstrapRecords(legacy, '/data/__cluster_metadata-0')[0]?.value, {
    name: 'metadata.version',
    featureLevel: 25,
  })
})

test('levels that are not offered here are not finalized by formatting, and tolerated when Kafka did it', () => {
  for (const feature of supportedFeatures) {
    assert(feature.reason !== '')
    assert(defaultLevel(feature, 33) <= feature.max)
    assert.equal(judgeFinalized(feature.name, feature.max), 'supported')
    assert.equal(judgeFinalized(feature.name, feature.toleratedMax + 1), 'unknown')
    const kafkasLevel = kafkas.get(feature.name)
    if (kafkasLevel === undefined) continue
    assert.notEqual(judgeFinalized(feature.name, kafkasLevel), 'unknown')
    assert.equal(registrationRange(feature, kafkasLevel).max >= kafkasLevel, true)
  }
  assert.equal(judgeFinalized('foo.version', 0), 'supported')
  assert.equal(judgeFinalized('foo.version', 1), 'unknown')
  expectKnownFeatures([...kafkas, ['metadata.version', 33]])
  assert.throws(
    () => expectKnownFeatures([['group.version', 2]]),
    /group.version is finalized at level 2.*up to level 1.*start that version/,
  )
})

function refused(work: () => unknown, message: string): void {
  assert.throws(work, (error: unknown) => {
    assert(error instanceof FormatError, String(error))
    assert.equal(error.message, message)
    return true
  })
}
