import type { BrokerConfig } from '../config/broker-config.js'
import { type BrokerServices, brokerHandlers } from '../handlers/broker.js'
import { type ControllerServices, controllerHandlers } from '../handlers/controller.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { Turn } from '../runtime/turn.js'
import { Dispatcher } from '../server/dispatcher.js'
import { Server, type ServerLimits } from '../server/server.js'
import type { AddressOverrides } from './address-overrides.js'
import type { NodeIdentity } from './identity.js'
import type { BrokerPorts } from './ports.js'

/** Requests of one connection that may be under way, and what they may keep of their frames. */
const IN_FLIGHT_REQUESTS_MAX = 1000
const IN_FLIGHT_BYTES_MAX = 128 * 1048576
/** Answers that a client does not take: beyond this, nothing more is begun for it. */
const UNSENT_BYTES_MAX = 8 * 1048576

/** What the handlers of all listeners use. */
export type NodeServices = BrokerServices & ControllerServices

export interface ServingParts {
  readonly ports: BrokerPorts
  readonly turn: Turn
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  readonly services: NodeServices
  readonly config: BrokerConfig
  readonly overrides: AddressOverrides
  readonly writeGathered: () => void
}

/**
 * Makes server and dispatcher. Connections are accepted but wait until `updateLimits(limitsOf(config, overrides))` lets
 * them in.
 */
export function openServer(parts: ServingParts): Server {
  const { ports, turn, pool, budget, services, config } = parts
  const { clock, logger, network } = ports
  const { roles } = config.node
  const frames = new Dispatcher<NodeServices>({
    broker: roles.broker ? brokerHandlers : [],
    controller: roles.controller ? controllerHandlers : [],
    services,
    turn,
    clock,
    logger: logger.child({ room: 'server' }),
    unstableVersions: config.get('unstable.api.versions.enable'),
    writeGathered: parts.writeGathered,
  })
  const limits = closedLimitsOf(config, parts.overrides)
  return new Server({ network, clock, logger: logger.child({ room: 'server' }), turn, pool, budget, frames, limits })
}

/** Opens all listeners of the node. */
export async function listen(server: Server, config: BrokerConfig, identity: NodeIdentity): Promise<void> {
  const { listeners, brokerListeners } = config.node
  const backlog = config.get('socket.listen.backlog.size')
  for (const { name, host, port } of listeners) {
    const kind = brokerListeners.some(listener => listener.name === name) ? 'broker' : 'controller'
    identity.bound(name, await server.listen({ name, kind, host: host ?? '', port, backlog }))
  }
}

/** All listeners are open, and who comes waits. */
export function closedLimitsOf(config: BrokerConfig, overrides: AddressOverrides): ServerLimits {
  return { ...limitsOf(config, overrides), connectionsMax: 0, protectedListener: null }
}

export function limitsOf(config: BrokerConfig, overrides: AddressOverrides): ServerLimits {
  const idleMs = config.get('connections.max.idle.ms')
  const { listeners, brokerListeners, interBrokerListenerName } = config.node
  const names = listeners.map(({ name }) => name)
  return {
    requestBytesMax: config.get('socket.request.max.bytes'),
    inFlightRequestsMax: IN_FLIGHT_REQUESTS_MAX,
    inFlightBytesMax: IN_FLIGHT_BYTES_MAX,
    unsentBytesMax: UNSENT_BYTES_MAX,
    connectionsMax: config.get('max.connections'),
    connectionsMaxByListener: new Map(names.map(name => [name, config.getForListener(name, 'max.connections')])),
    protectedListener: brokerListeners.length > 1 ? interBrokerListenerName : null,
    connectionsPerIpMax: config.get('max.connections.per.ip'),
    connectionsPerIpOverrides: overrides.byAddress,
    idleMs: idleMs < 0 ? Infinity : idleMs,
  }
}
