import type { ListenerKind } from '#protocol/schema.js'
import type { BrokerConfig } from '../config/broker-config.js'
import type { Endpoint, SecurityProtocol } from '../config/listeners.js'
import type { FeaturesImage, SupportedFeature } from '../metadata/image.js'
import { registrationRange, supportedFeatures } from '../metadata/supported-features.js'

/** A listener that is open. */
export interface BoundListener {
  readonly name: string
  readonly kind: ListenerKind
  /** The host that clients are told. */
  readonly host: string
  readonly port: number
}

/** What a node registers of a listener. */
export interface RegisteredListener {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly securityProtocol: number
}

const SECURITY_PROTOCOL_IDS: Record<SecurityProtocol, number> = { PLAINTEXT: 0, SSL: 1, SASL_PLAINTEXT: 2, SASL_SSL: 3 }

/** Who a node is, for those whom it tells: names and addresses, once its listeners are open. */
export class NodeIdentity {
  readonly #config: BrokerConfig
  readonly #hostname: string
  readonly #ports = new Map<string, number>()

  constructor(config: BrokerConfig, hostname: string) {
    this.#config = config
    this.#hostname = hostname
  }

  /** A listener of `listeners` got its port. */
  bound(name: string, port: number): void {
    this.#ports.set(name, port)
  }

  /** What the broker registers: `advertised.listeners`. */
  get brokerListeners(): RegisteredListener[] {
    return this.#config.node.advertisedListeners.map(endpoint => this.#registered(endpoint))
  }

  /** What the controller registers. */
  get controllerListeners(): RegisteredListener[] {
    return this.#config.node.advertisedControllerListeners.map(endpoint => this.#registered(endpoint))
  }

  /** All open listeners, as clients find them. */
  get listeners(): BoundListener[] {
    const { brokerListeners } = this.#config.node
    return this.#config.node.listeners.map(({ name, host }) => {
      const isForBrokers = brokerListeners.some(listener => listener.name === name)
      const advertised = [...this.brokerListeners, ...this.controllerListeners].find(listener => listener.name === name)
      return {
        name,
        kind: isForBrokers ? 'broker' : 'controller',
        host: advertised?.host ?? host ?? this.#hostname,
        port: this.#ports.get(name) ?? 0,
      }
    })
  }

  #registered({ name, host, port, securityProtocol }: Endpoint): RegisteredListener {
    return {
      name,
      host: host ?? this.#hostname,
      port: port === 0 ? (this.#ports.get(name) ?? 0) : port,
      securityProtocol: SECURITY_PROTOCOL_IDS[securityProtocol],
    }
  }
}

/** The ranges of feature levels that a node registers, given what is finalized. */
export function registeredFeatures(finalized: FeaturesImage | null): SupportedFeature[] {
  return supportedFeatures.map(feature => {
    const level = finalized?.level(feature.name) ?? 0
    const { min, max } = registrationRange(feature, level)
    return { name: feature.name, minSupportedVersion: min, maxSupportedVersion: max }
  })
}
