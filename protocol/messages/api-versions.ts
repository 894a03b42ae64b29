import { api, array, bool, int16, int32, int64, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Tells which APIs, versions and features a broker has. */
export const ApiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: '0-5',
  flexible: '3+',
  listeners: ['broker', 'controller'],
  request: {
    clientSoftwareName: string.versions('3+'),
    clientSoftwareVersion: string.versions('3+'),
    clusterId: string.nullable().versions('5+').default(null),
    nodeId: int32.versions('5+').default(-1),
  },
  response: {
    errorCode: int16,
    apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
    throttleTimeMs: int32.versions('1+'),
    supportedFeatures: array(struct({ name: string, minVersion: int16, maxVersion: int16 }))
      .versions('3+')
      .tagged(0),
    finalizedFeaturesEpoch: int64.versions('3+').tagged(1).default(-1),
    finalizedFeatures: array(struct({ name: string, maxVersionLevel: int16, minVersionLevel: int16 }))
      .versions('3+')
      .tagged(2),
    zkMigrationReady: bool.versions('3+').tagged(3).default(false),
  },
})

export interface ApiVersionsRequest extends RequestOf<typeof ApiVersions> {}
export interface ApiVersionsResponse extends ResponseOf<typeof ApiVersions> {}
