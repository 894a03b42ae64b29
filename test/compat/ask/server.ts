import { ask, inVersions, type Step } from './step.js'

/** A request header version 1 with client id 'ask' and a body, as a whole frame. */
function raw(key: number, version: number, body = ''): string {
  const rest = Buffer.from(body, 'hex')
  const frame = Buffer.alloc(4 + 8 + 2 + 3 + rest.length)
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt16BE(key, 4)
  frame.writeInt16BE(version, 6)
  frame.writeInt32BE(7, 8)
  frame.writeInt16BE(3, 12)
  frame.write('ask', 14)
  rest.copy(frame, 17)
  return frame.toString('hex')
}

export function serverSteps(): Step[] {
  // Which APIs and features there are differs as long as engines are missing here; each step below says what is compared.
  const ignore = ['/apiKeys', '/supportedFeatures', '/finalizedFeatures']
  const client = { clientSoftwareName: 'ask', clientSoftwareVersion: '1.0' }
  let connection = 0
  const send = (about: string, bytes: string): Step[] => {
    const on = `raw-${connection++}`
    return [{ about, raw: bytes, on, wait: 2000 }, { close: on }]
  }
  return [
    ...inVersions(0, 2, v => ask('ApiVersions', v, {}, { ignore })),
    ...inVersions(3, 5, v => ask('ApiVersions', v, client, { ignore })),
    ask('ApiVersions', 3, { ...client, clientSoftwareName: '' }, { ignore }),
    ask('ApiVersions', 3, { ...client, clientSoftwareName: 'a b' }, { ignore }),
    ask('ApiVersions', 3, { ...client, clientSoftwareVersion: '-1' }, { ignore }),
    ask('ApiVersions', 4, { ...client, clientSoftwareVersion: '1.' }, { ignore }),
    ask('ApiVersions', 5, { ...client, clusterId: 'other', nodeId: 1 }, { ignore }),
    ask('ApiVersions', 5, { ...client, clusterId: 'other' }, { ignore }),
    ask('ApiVersions', 5, { ...client, nodeId: 1 }, { ignore }),
    ...[6, 99, 32767].flatMap(v => send(`ApiVersions ${v}`, raw(18, v, '00'))),
    ...send('ApiVersions -1', raw(18, -1)),
    ...send('an API that is gone', raw(4, 0)),
    ...send('an API nobody knows', raw(1000, 0)),
    ...send('a negative API', raw(-1, 0)),
    ...send('a version that is too high', raw(3, 99)),
    ...send('a version that is gone', raw(0, 2)),
    ...send('an API of the controllers', raw(52, 0)),
    ...send('half a body', raw(3, 1, '00000001')),
    ...send('a string that is too long', raw(3, 1, '000000017fff')),
    ...send('a negative length', raw(3, 1, '00000001fffe')),
    ...send('a million topics', raw(3, 1, '000f4240')),
    ...send('a size of 0', '00000000'),
    ...send('a negative size', 'ffffffff'),
    ...send('a size of 2 GiB', '7fffffff'),
    ...send('an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n').toString('hex')),
    ...inVersions(0, 2, v =>
      ask(
        'DescribeQuorum',
        v,
        { topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] },
        {
          ignore: [
            'leaderEpoch',
            'highWatermark',
            'logEndOffset',
            'lastFetchTimestamp',
            'lastCaughtUpTimestamp',
            'replicaDirectoryId',
            'nodes',
          ],
        },
      ),
    ),
    ask('DescribeQuorum', 2, { topics: [{ topicName: 'other', partitions: [{ partitionIndex: 0 }] }] }),
    ask('DescribeQuorum', 2, { topics: [] }),
    ...inVersions(0, 2, v =>
      ask('UpdateFeatures', v, { timeoutMs: 1000, featureUpdates: [{ feature: 'no.such', maxVersionLevel: 1 }] }),
    ),
    ...inVersions(0, 2, v => ask('UpdateFeatures', v, { timeoutMs: 1000, featureUpdates: [] })),
    ask('UpdateFeatures', 1, {
      timeoutMs: 1000,
      featureUpdates: [{ feature: 'metadata.version', maxVersionLevel: 99, upgradeType: 1 }],
    }),
    ask('UpdateFeatures', 1, {
      timeoutMs: 1000,
      validateOnly: true,
      featureUpdates: [{ feature: 'metadata.version', maxVersionLevel: 20, upgradeType: 1 }],
    }),
    ask('UpdateFeatures', 1, {
      timeoutMs: 1000,
      validateOnly: true,
      featureUpdates: [{ feature: 'metadata.version', maxVersionLevel: 3, upgradeType: 2 }],
    }),
  ]
}
