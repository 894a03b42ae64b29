import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.js'

/** A broker registers with the active controller. */
export const BrokerRegistration = api({
  key: 62,
  name: 'BrokerRegistration',
  versions: '0-4',
  flexible: '0+',
  listeners: ['controller'],
  request: {
    brokerId: int32,
    clusterId: string,
    incarnationId: uuid,
    listeners: array(struct({ name: string, host: string, port: uint16, securityProtocol: int16 })),
    features: array(struct({ name: string, minSupportedVersion: int16, maxSupportedVersion: int16 })),
    rack: string.nullable(),
    isMigratingZkBroker: bool.versions('1+').default(false),
    logDirs: array(uuid).versions('2+'),
    previousBrokerEpoch: int64.versions('3+').default(-1),
  },
  response: { throttleTimeMs: int32.default(0), errorCode: int16, brokerEpoch: int64.default(-1) },
})

export interface BrokerRegistrationRequest extends RequestOf<typeof BrokerRegistration> {}
export interface BrokerRegistrationResponse extends ResponseOf<typeof BrokerRegistration> {}
