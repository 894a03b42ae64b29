import type { Change } from './delta.js'
import type { BrokerRegistration, ClusterImage, ControllerRegistration } from './image.js'
import type { MetadataRecordValues } from './record.js'
import { noteBefore } from './step-changes.js'
import { sortedUuids } from './uuid-order.js'

/** Registrations of brokers and controllers as replayed records. */
export class ClusterState implements ClusterImage {
  readonly #brokers = new Map<number, BrokerRegistration>()
  readonly #controllers = new Map<number, ControllerRegistration>()
  #brokersBefore = new Map<number, BrokerRegistration | null>()
  #controllersBefore = new Map<number, ControllerRegistration | null>()

  get brokers(): ReadonlyMap<number, BrokerRegistration> {
    return this.#brokers
  }

  get controllers(): ReadonlyMap<number, ControllerRegistration> {
    return this.#controllers
  }

  broker(id: number): BrokerRegistration | undefined {
    return this.#brokers.get(id)
  }

  replayRegisterBroker(record: MetadataRecordValues['RegisterBrokerRecord']): void {
    this.#setBroker(record.brokerId, {
      id: record.brokerId,
      epoch: record.brokerEpoch,
      incarnationId: record.incarnationId,
      endpoints: record.endPoints.map(({ name, host, port, securityProtocol }) => ({
        name,
        host,
        port,
        securityProtocol,
      })),
      features: record.features.map(({ name, minSupportedVersion, maxSupportedVersion }) => ({
        name,
        minSupportedVersion,
        maxSupportedVersion,
      })),
      rack: record.rack,
      fenced: record.fenced,
      inControlledShutdown: record.inControlledShutdown,
      isMigratingZkBroker: record.isMigratingZkBroker,
      directories: sortedUuids(record.logDirs),
      cordonedDirectories: record.cordonedLogDirs === null ? null : sortedUuids(record.cordonedLogDirs),
    })
  }

  replayUnregisterBroker(record: MetadataRecordValues['UnregisterBrokerRecord']): void {
    this.#brokerOf(record.brokerId, record.brokerEpoch, 'UnregisterBrokerRecord')
    noteBefore(this.#brokersBefore, this.#brokers, record.brokerId)
    this.#brokers.delete(record.brokerId)
  }

  /** FenceBrokerRecord and UnfenceBrokerRecord, the forms of before BrokerRegistrationChangeRecord. */
  replayFence(id: number, epoch: number, fenced: boolean): void {
    this.#setBroker(id, { ...this.#brokerOf(id, epoch, fenced ? 'FenceBrokerRecord' : 'UnfenceBrokerRecord'), fenced })
  }

  replayRegistrationChange(record: MetadataRecordValues['BrokerRegistrationChangeRecord']): void {
    const before = this.#brokerOf(record.brokerId, record.brokerEpoch, 'BrokerRegistrationChangeRecord')
    if (record.fenced < -1 || record.fenced > 1)
      throw new Error(`BrokerRegistrationChangeRecord fences ${record.fenced}`)
    if (record.inControlledShutdown < 0 || record.inControlledShutdown > 1) {
      throw new Error(`BrokerRegistrationChangeRecord has controlled shutdown ${record.inControlledShutdown}`)
    }
    this.#setBroker(record.brokerId, {
      ...before,
      fenced: record.fenced === 0 ? before.fenced : record.fenced === 1,
      inControlledShutdown: before.inControlledShutdown || record.inControlledShutdown === 1,
      directories: record.logDirs.length === 0 ? before.directories : sortedUuids(record.logDirs),
      cordonedDirectories:
        record.cordonedLogDirs === null ? before.cordonedDirectories : sortedUuids(record.cordonedLogDirs),
    })
  }

  replayRegisterController(record: MetadataRecordValues['RegisterControllerRecord']): void {
    noteBefore(this.#controllersBefore, this.#controllers, record.controllerId)
    this.#controllers.set(record.controllerId, {
      id: record.controllerId,
      incarnationId: record.incarnationId,
      zkMigrationReady: record.zkMigrationReady,
      endpoints: record.endPoints.map(({ name, host, port, securityProtocol }) => ({
        name,
        host,
        port,
        securityProtocol,
      })),
      features: record.features.map(({ name, minSupportedVersion, maxSupportedVersion }) => ({
        name,
        minSupportedVersion,
        maxSupportedVersion,
      })),
    })
  }

  replayUnregisterController(id: number): void {
    if (!this.#controllers.has(id))
      throw new Error(`UnregisterControllerRecord for controller ${id}, which is not registered`)
    noteBefore(this.#controllersBefore, this.#controllers, id)
    this.#controllers.delete(id)
  }

  takeBrokerChanges(): ReadonlyMap<number, Change<BrokerRegistration>> {
    const before = this.#brokersBefore
    if (before.size > 0) this.#brokersBefore = new Map()
    return changesSince(before, this.#brokers)
  }

  takeControllerChanges(): ReadonlyMap<number, Change<ControllerRegistration>> {
    const before = this.#controllersBefore
    if (before.size > 0) this.#controllersBefore = new Map()
    return changesSince(before, this.#controllers)
  }

  copyFrom(other: ClusterImage): void {
    this.#brokers.clear()
    for (const [id, broker] of other.brokers) this.#brokers.set(id, broker)
    this.#controllers.clear()
    for (const [id, controller] of other.controllers) this.#controllers.set(id, controller)
  }

  #setBroker(id: number, broker: BrokerRegistration): void {
    noteBefore(this.#brokersBefore, this.#brokers, id)
    this.#brokers.set(id, broker)
  }

  #brokerOf(id: number, epoch: number, record: string): BrokerRegistration {
    const broker = this.#brokers.get(id)
    if (broker === undefined) throw new Error(`${record} for broker ${id}, which is not registered`)
    if (broker.epoch !== epoch)
      throw new Error(`${record} for broker ${id} has epoch ${epoch}, the broker has ${broker.epoch}`)
    return broker
  }
}

function changesSince<Entry>(
  before: ReadonlyMap<number, Entry | null>,
  now: ReadonlyMap<number, Entry>,
): ReadonlyMap<number, Change<Entry>> {
  const changes = new Map<number, Change<Entry>>()
  for (const [id, entry] of before) changes.set(id, { before: entry, after: now.get(id) ?? null })
  return changes
}
