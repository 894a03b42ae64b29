import { ApiError, ErrorCode } from '#protocol/errors.js'
import { ControllerRegistration } from '#protocol/messages/controller-registration.js'
import type { QuorumControllerChannel } from '../client/controller-channel.js'
import type { BrokerConfig } from '../config/broker-config.js'
import { brokerLooksDead } from '../controller/broker-looks-dead.js'
import { brokerSilentSince } from '../controller/broker-silent-since.js'
import { ControllerDriver } from '../controller/controller-driver.js'
import { ControllerRegistrar } from '../metadata/controller-registrar.js'
import type { MetadataSubscriber } from '../metadata/delta.js'
import type { MetadataPublisher } from '../metadata/publisher.js'
import type { RaftDriver } from '../raft/driver.js'
import type { LeaderAndEpoch } from '../raft/metadata-log.js'
import { DeadBrokers } from './dead-brokers.js'
import { type NodeIdentity, registeredFeatures } from './identity.js'
import type { BrokerPorts } from './ports.js'

/** Commands of users that may wait for the controller at a time. */
const CONTROLLER_REQUESTS_MAX = 10_000
/** How long one try to register may take, ms. */
const REGISTRATION_MS_MAX = 5000

export interface ControllerRoleParts {
  readonly config: BrokerConfig
  readonly ports: BrokerPorts
  readonly identity: NodeIdentity
  readonly clusterId: string
  readonly incarnationId: string
  readonly quorum: RaftDriver
  readonly publisher: MetadataPublisher
}

/** What a node does with the role controller. */
export class ControllerRole {
  readonly driver: ControllerDriver
  /** Watches whether brokers live; null where nobody wants that. */
  readonly deadBrokers: DeadBrokers | null
  readonly #parts: ControllerRoleParts
  #registrar: ControllerRegistrar | null = null
  /** The word of another leader that has been reckoned with. */
  #lastHeard: RaftDriver['lastHeardLeader'] = null

  constructor(parts: ControllerRoleParts) {
    this.#parts = parts
    const { config, ports, clusterId, quorum, publisher } = parts
    const { nodeId, roles } = config.node
    const { clock, random, logger, network } = ports
    const driver = new ControllerDriver({
      identity: { nodeId, clusterId, supportedFeatures: registeredFeatures(null) },
      staticConfig: config,
      kraftVersion: () => quorum.kraftVersion,
      random,
      log: quorum,
      published: publisher,
      clock,
      logger: logger.child({ room: 'controller' }),
      requestsMax: CONTROLLER_REQUESTS_MAX,
    })
    this.driver = driver
    this.deadBrokers = config.get('dead.process.detection.enable')
      ? new DeadBrokers({
          network,
          clock,
          logger,
          image: () => publisher.image,
          fence: (brokerId, brokerEpoch, silentSince) =>
            driver.run(brokerLooksDead(brokerId, brokerEpoch, silentSince)),
          localId: roles.broker ? nodeId : -1,
        })
      : null
  }

  /** Registers this controller whenever the cluster does not know it. The channel needs the driver: it comes later. */
  registerBy(channel: QuorumControllerChannel): MetadataSubscriber {
    const { config, ports, identity, incarnationId } = this.#parts
    const { clock, logger } = ports
    this.#registrar = new ControllerRegistrar({
      controllerId: config.node.nodeId,
      incarnationId,
      listeners: () => identity.controllerListeners,
      register: request => channel.call(ControllerRegistration, request, clock.now() + REGISTRATION_MS_MAX),
      clock,
      logger,
    })
    return this.#registrar
  }

  controllerChanged({ leaderId }: LeaderAndEpoch): void {
    const { config, quorum } = this.#parts
    const leads = leaderId === config.node.nodeId
    this.#registrar?.controllerChanged()
    this.deadBrokers?.controllerChanged(leads)
    const last = quorum.lastHeardLeader
    // What was heard before this node led the last time says nothing about those who have come to it since.
    if (!leads || last === null || last.nodeId === leaderId || last === this.#lastHeard) return
    this.#lastHeard = last
    this.driver.run(brokerSilentSince(last.nodeId, last.at)).catch((error: unknown) => {
      // If this controller is replaced before it has begun, the next one does the same.
      if (error instanceof ApiError && error.code === ErrorCode.NOT_CONTROLLER) return
      const fields = { brokerId: last.nodeId, error: String(error) }
      this.#parts.ports.logger.warn(fields, 'the silence of a broker was not noted: it is fenced later')
    })
  }

  /** Takes nothing more from anybody; the quorum goes on. */
  close(): void {
    this.#registrar?.close()
    this.deadBrokers?.close()
    this.driver.close()
  }
}
