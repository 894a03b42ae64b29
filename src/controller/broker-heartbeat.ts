import { ErrorCode } from '#protocol/errors.js'
import type { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '#protocol/messages/broker-heartbeat.js'
import type { BrokerRegistration } from '../metadata/image.js'
import { metadataAllows } from '../metadata/metadata-version.js'
import type { MetadataRecord } from '../metadata/record.js'
import { sortedUuids } from '../metadata/uuid-order.js'
import {
  enterControlledShutdown,
  fenceBroker,
  hasLeaderships,
  leaderAndIsrChanges,
  registrationChange,
  unfenceBroker,
} from './broker-changes.js'
import type { BrokerSession } from './broker-sessions.js'
import type { Command, ControllerContext } from './command.js'
import { checkBrokerEpoch } from './register-broker.js'

/**
 *   FENCED --wants in, has replayed its registration--> UNFENCED
 *   UNFENCED --wants to stop, leads--> CONTROLLED_SHUTDOWN --leads nothing, all others have seen it--> SHUTDOWN_NOW
 *   UNFENCED --wants to stop, leads nothing--> SHUTDOWN_NOW
 *   UNFENCED --wants out--> FENCED
 */
export type BrokerState = 'FENCED' | 'UNFENCED' | 'CONTROLLED_SHUTDOWN' | 'SHUTDOWN_NOW'

/**
 * A broker lives: renews its session, and moves it on to the state that it wants, as soon as that is possible. The
 * session of a broker that may stop now is over: it need not run out before the next process of it can register (in
 * Kafka it must). `isThisProcess`: as for `registerBroker`.
 */
export function processHeartbeat(
  request: BrokerHeartbeatRequest,
  isThisProcess = false,
): Command<BrokerHeartbeatResponse> {
  return context => {
    const { brokerId, brokerEpoch, currentMetadataOffset } = request
    checkBrokerEpoch(context, brokerId, brokerEpoch)
    const broker = context.image.cluster.broker(brokerId)!
    const session = sessionOf(context, broker)
    const state = stateOf(broker, session)
    const next = nextState(context, broker, request, session, state)
    const transition = transitionRecords(context, broker, state, next)
    // A broker that is let in has no directory that failed just now, and any other transition takes it out of all ISRs.
    const records = [...transition, ...directoryRecords(context, broker, request, transition.length > 0)]
    if (next === 'SHUTDOWN_NOW') session.lastContact = Number.NEGATIVE_INFINITY
    else if (isThisProcess) session.lastContact = Number.POSITIVE_INFINITY
    else if (session.lastContact !== Number.POSITIVE_INFINITY) session.lastContact = context.now
    session.metadataOffset = currentMetadataOffset
    if (next === 'FENCED' || next === 'SHUTDOWN_NOW') session.shutdownOffset = -1
    else if (next === 'CONTROLLED_SHUTDOWN' && session.shutdownOffset < 0) {
      session.shutdownOffset = context.nextOffset + records.length - 1
    }
    return {
      records,
      response: {
        throttleTimeMs: 0,
        errorCode: ErrorCode.NONE,
        isCaughtUp: currentMetadataOffset >= session.registrationOffset,
        isFenced: next === 'FENCED' || next === 'SHUTDOWN_NOW',
        shouldShutDown: next === 'SHUTDOWN_NOW',
      },
    }
  }
}

function sessionOf({ sessions, image, now }: ControllerContext, broker: BrokerRegistration): BrokerSession {
  const session = sessions.get(broker.id)
  if (session !== undefined && session.epoch === broker.epoch) return session
  sessions.begin({
    id: broker.id,
    epoch: broker.epoch,
    lastContact: now,
    metadataOffset: -1,
    registrationOffset: image.offset,
    shutdownOffset: -1,
  })
  return sessions.get(broker.id)!
}

function stateOf(broker: BrokerRegistration, session: BrokerSession): BrokerState {
  if (broker.fenced) return 'FENCED'
  return session.shutdownOffset >= 0 ? 'CONTROLLED_SHUTDOWN' : 'UNFENCED'
}

function nextState(
  context: ControllerContext,
  broker: BrokerRegistration,
  request: BrokerHeartbeatRequest,
  session: BrokerSession,
  state: BrokerState,
): BrokerState {
  const { brokerId, wantFence, wantShutDown, currentMetadataOffset } = request
  switch (state) {
    case 'FENCED':
      if (wantShutDown) return 'SHUTDOWN_NOW'
      if (wantFence || currentMetadataOffset < session.registrationOffset) return 'FENCED'
      // What it has lost is recorded before it may lead: the next heartbeat lets it in.
      return newlyFailed(context, broker, request).size > 0 ? 'FENCED' : 'UNFENCED'
    case 'UNFENCED':
      if (wantFence) return wantShutDown ? 'SHUTDOWN_NOW' : 'FENCED'
      if (!wantShutDown) return 'UNFENCED'
      return hasLeaderships(context, brokerId) ? 'CONTROLLED_SHUTDOWN' : 'SHUTDOWN_NOW'
    default: {
      if (hasLeaderships(context, brokerId)) return 'CONTROLLED_SHUTDOWN'
      const othersAt = context.sessions.lowestActiveOffset(context.image)
      return session.shutdownOffset <= othersAt ? 'SHUTDOWN_NOW' : 'CONTROLLED_SHUTDOWN'
    }
  }
}

function transitionRecords(
  context: ControllerContext,
  broker: BrokerRegistration,
  state: BrokerState,
  next: BrokerState,
): readonly MetadataRecord[] {
  if (state === next) return []
  switch (next) {
    case 'UNFENCED':
      return unfenceBroker(context, broker.id, broker.epoch)
    case 'CONTROLLED_SHUTDOWN':
      return enterControlledShutdown(context, broker.id, broker.epoch)
    default:
      // A fenced broker that may stop at once has nothing to be taken from.
      return broker.fenced ? [] : fenceBroker(context, broker.id, broker.epoch)
  }
}

/** Directories that failed take their replicas out of ISRs; cordoned ones get no new replicas (KIP-1066). */
function directoryRecords(
  context: ControllerContext,
  broker: BrokerRegistration,
  request: BrokerHeartbeatRequest,
  isOutOfIsrs: boolean,
): readonly MetadataRecord[] {
  const { metadataVersion } = context.image.features
  const records: MetadataRecord[] = []
  const ids = { brokerId: broker.id, brokerEpoch: broker.epoch }
  const failed = newlyFailed(context, broker, request)
  if (failed.size > 0) {
    const isLost = (directory: string | undefined): boolean => directory !== undefined && failed.has(directory)
    const changes = leaderAndIsrChanges(context, { removed: broker.id }, partition => {
      if (isOutOfIsrs || !partition.isr.includes(broker.id)) return false
      return isLost(partition.directories[partition.replicas.indexOf(broker.id)])
    })
    // One by one: a call takes no more than some 100,000 arguments.
    for (const change of changes) records.push(change)
    const logDirs = broker.directories.filter(directory => !failed.has(directory))
    records.push(registrationChange(2, { ...ids, logDirs }))
  }
  const { cordonedLogDirs } = request
  if (metadataAllows(metadataVersion, 'cordonedDirectories') && cordonedLogDirs !== null) {
    const cordoned = sortedUuids(cordonedLogDirs)
    if (cordoned.join() !== (broker.cordonedDirectories ?? []).join()) {
      records.push(registrationChange(3, { ...ids, cordonedLogDirs: cordoned }))
    }
  }
  return records
}

/** Directories that a broker says have failed, and that it is registered with. */
function newlyFailed(
  { image }: ControllerContext,
  broker: BrokerRegistration,
  { offlineLogDirs }: BrokerHeartbeatRequest,
): ReadonlySet<string> {
  if (offlineLogDirs.length === 0 || !metadataAllows(image.features.metadataVersion, 'directoryAssignment')) {
    return new Set()
  }
  const offline = new Set(offlineLogDirs)
  return new Set(broker.directories.filter(directory => offline.has(directory)))
}
