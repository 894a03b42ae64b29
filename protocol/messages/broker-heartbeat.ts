import { api, array, bool, int16, int32, int64, type RequestOf, type ResponseOf, uuid } from '../schema.js'

/** A broker tells the active controller that it lives. */
export const BrokerHeartbeat = api({
  key: 63,
  name: 'BrokerHeartbeat',
  versions: '0-2',
  flexible: '0+',
  listeners: ['controller'],
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1),
    currentMetadataOffset: int64,
    wantFence: bool,
    wantShutDown: bool,
    offlineLogDirs: array(uuid).versions('1+').tagged(0),
    cordonedLogDirs: array(uuid).nullable().versions('2+').tagged(1).default(null),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    isCaughtUp: bool.default(false),
    isFenced: bool.default(true),
    shouldShutDown: bool,
  },
})

export interface BrokerHeartbeatRequest extends RequestOf<typeof BrokerHeartbeat> {}
export interface BrokerHeartbeatResponse extends ResponseOf<typeof BrokerHeartbeat> {}
