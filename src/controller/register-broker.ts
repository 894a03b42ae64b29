import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { BrokerRegistrationRequest, BrokerRegistrationResponse } from '#protocol/messages/broker-registration.js'
import { isReservedDirectoryId } from '../metadata/directory-id.js'
import { brokerRecord } from '../metadata/image-to-records.js'
import { METADATA_VERSION, metadataAllows } from '../metadata/metadata-version.js'
import { brokerStopped, unregisterRecords } from './broker-changes.js'
import { isElrEnabled } from './cluster-view.js'
import type { Command, ControllerContext } from './command.js'

/**
 * Registers a broker, fenced: it is unfenced by a heartbeat. A new process of a broker that was registered before first
 * ends the old one's part in its partitions; that takes an epoch of its own, the offset at which this command's records
 * begin. The same process may register again to change what it said; it keeps epoch and state. A session begins with
 * the first heartbeat: up to then another process may take the id.
 *
 * `isThisProcess`: the broker lives in the process of this controller. Then no other process can have its id, so that a
 * session that is still valid is that of a process that is gone, and its own session lasts as long as this one.
 */
export function registerBroker(
  request: BrokerRegistrationRequest,
  isThisProcess: boolean,
): Command<BrokerRegistrationResponse> {
  return context => {
    const { image, sessions, now } = context
    const { brokerId, incarnationId } = request
    check(context, request, isThisProcess)
    const existing = image.cluster.broker(brokerId)
    const isSameProcess = existing?.incarnationId === incarnationId
    const cleanup = isSameProcess
      ? []
      : brokerStopped(context, brokerId, !isElrEnabled(image) || existing?.epoch === request.previousBrokerEpoch)
    const epoch = isSameProcess ? existing.epoch : context.nextOffset
    const record = brokerRecord(
      {
        id: brokerId,
        epoch,
        incarnationId,
        endpoints: request.listeners,
        features: request.features,
        rack: request.rack,
        fenced: isSameProcess ? existing.fenced : true,
        inControlledShutdown: isSameProcess && existing.inControlledShutdown,
        isMigratingZkBroker: false,
        directories: request.logDirs,
        cordonedDirectories: isSameProcess ? existing.cordonedDirectories : null,
      },
      image.features.metadataVersion,
    )
    const before = sessions.get(brokerId)
    sessions.begin({
      id: brokerId,
      epoch,
      lastContact: isThisProcess
        ? Number.POSITIVE_INFINITY
        : isSameProcess
          ? (before?.lastContact ?? now)
          : Number.NEGATIVE_INFINITY,
      metadataOffset: isSameProcess ? (before?.metadataOffset ?? -1) : -1,
      registrationOffset: context.nextOffset + cleanup.length,
      shutdownOffset: isSameProcess ? (before?.shutdownOffset ?? -1) : -1,
    })
    return {
      records: [...cleanup, record],
      response: { throttleTimeMs: 0, errorCode: ErrorCode.NONE, brokerEpoch: epoch },
    }
  }
}

function check(context: ControllerContext, request: BrokerRegistrationRequest, isThisProcess: boolean): void {
  const { identity, image, sessions, config, now } = context
  if (request.clusterId !== identity.clusterId) {
    throw new ApiError(
      ErrorCode.INCONSISTENT_CLUSTER_ID,
      `Expected cluster ID ${identity.clusterId}, but got cluster ID ${request.clusterId}`,
    )
  }
  // A negative id stands for no broker wherever one is named.
  if (request.brokerId < 0) throw new ApiError(ErrorCode.INVALID_REQUEST, `Invalid broker ID ${request.brokerId}`)
  const existing = image.cluster.broker(request.brokerId)
  if (
    existing !== undefined &&
    existing.incarnationId !== request.incarnationId &&
    !isThisProcess &&
    sessions.isValid(request.brokerId, now, config.get('broker.session.timeout.ms'))
  ) {
    throw new ApiError(
      ErrorCode.DUPLICATE_BROKER_REGISTRATION,
      'Another broker is registered with that broker id. If the broker was recently restarted this should ' +
        "self-resolve once the heartbeat manager expires the broker's session.",
    )
  }
  if (request.isMigratingZkBroker) {
    throw new ApiError(ErrorCode.BROKER_ID_NOT_REGISTERED, 'Controller does not support registering ZK brokers.')
  }
  checkDirectories(context, request)
  checkFeatures(context, request)
}

function checkDirectories({ image }: ControllerContext, { brokerId, logDirs }: BrokerRegistrationRequest): void {
  if (!metadataAllows(image.features.metadataVersion, 'directoryAssignment')) return
  const refuse = (message: string): never => {
    throw new ApiError(ErrorCode.INVALID_REGISTRATION, message)
  }
  if (logDirs.length === 0) refuse('No directories specified in request')
  if (logDirs.some(isReservedDirectoryId)) refuse('Reserved directory ID in request')
  const directories = new Set(logDirs)
  if (directories.size !== logDirs.length) refuse('Duplicate directory ID in request')
  for (const other of image.cluster.brokers.values()) {
    if (other.id === brokerId) continue
    const taken = other.directories.find(directory => directories.has(directory))
    if (taken !== undefined) refuse(`Broker ${other.id} is already registered with directory ${taken}`)
  }
}

/** Every finalized level must lie in the broker's range; a feature that it does not name, it supports at 0. */
function checkFeatures({ image }: ControllerContext, { features }: BrokerRegistrationRequest): void {
  const finalized = new Map([[METADATA_VERSION, image.features.metadataVersion], ...image.features.levels])
  for (const [name, level] of finalized) {
    const range = features.find(feature => feature.name === name)
    if (range === undefined && name === METADATA_VERSION) {
      throw new ApiError(ErrorCode.INVALID_REGISTRATION, `Request features do not contain '${METADATA_VERSION}'`)
    }
    const min = range?.minSupportedVersion ?? 0
    const max = range?.maxSupportedVersion ?? 0
    if (level >= min && level <= max) continue
    throw new ApiError(
      ErrorCode.UNSUPPORTED_VERSION,
      `Unable to register because the broker does not support finalized version ${level} of ${name}. The broker ` +
        `wants a version between ${min} and ${max}, inclusive.`,
    )
  }
}

/** Removes a broker that will not come back from all partitions and from the cluster. */
export function unregisterBroker(brokerId: number): Command<void> {
  return context => {
    const existing = context.image.cluster.broker(brokerId)
    if (existing === undefined) {
      throw new ApiError(ErrorCode.BROKER_ID_NOT_REGISTERED, `Broker ID ${brokerId} is not currently registered`)
    }
    context.sessions.end(brokerId)
    return { records: unregisterRecords(context, brokerId, existing.epoch), response: undefined }
  }
}

/** Throws STALE_BROKER_EPOCH unless the broker is registered with this epoch. */
export function checkBrokerEpoch({ image }: ControllerContext, brokerId: number, brokerEpoch: number): void {
  const broker = image.cluster.broker(brokerId)
  if (broker === undefined) {
    throw new ApiError(ErrorCode.STALE_BROKER_EPOCH, `No broker registration found for broker id ${brokerId}`)
  }
  if (broker.epoch !== brokerEpoch) {
    throw new ApiError(
      ErrorCode.STALE_BROKER_EPOCH,
      `Expected broker epoch ${broker.epoch}, but got broker epoch ${brokerEpoch}`,
    )
  }
}
