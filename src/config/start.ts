import { checkBrokerValues, logDirsOf } from './broker-checks.js'
import { BrokerConfig, brokerValuesOf, type NodeConfig, type QuorumVoter } from './broker-config.js'
import type { ConfigMap } from './layers.js'
import {
  type Endpoint,
  readEndpoints,
  readSecurityProtocolMap,
  SERVED_SECURITY_PROTOCOLS,
  type SecurityProtocol,
} from './listeners.js'
import { type BrokerValues, brokerOptionOf, brokerOptions, listenerBaseName } from './options.js'
import { describeProblem, type Problem, problem, requirement } from './problem.js'
import { type HostPort, parseHostPort, parseValue } from './values.js'
import { startWarnings } from './warnings.js'

/** The options with which a node starts, if they are in order. */
export type StartConfig =
  | {
      readonly ok: true
      readonly config: BrokerConfig
      /** One line each for the log: options that nobody knows, and options without effect. */
      readonly warnings: readonly string[]
    }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      /** The problems as lines: where the value came from, the option, its value, what is allowed. */
      readonly lines: readonly string[]
    }

export interface StartInput {
  /** The options that were set, merged. */
  readonly properties: ConfigMap
  /** Where each of them came from: 'server.properties:12', '--override'. For messages only. */
  readonly origins?: ReadonlyMap<string, string>
  /** Options that hold where `properties` says nothing, and that nobody is warned about. */
  readonly profile?: Readonly<Record<string, string>>
}

/** Checks the options of a node that starts, all of them, and says everything that is wrong. */
export function brokerConfigFrom(input: StartInput): StartConfig {
  const staticConfig = new Map(withNodeIdSynonyms(new Map(Object.entries(input.profile ?? {}))))
  for (const [name, text] of withNodeIdSynonyms(input.properties)) staticConfig.set(name, text)
  const problems: Problem[] = [...valueProblems(staticConfig)]
  const faulty = new Set(problems.map(found => found.option))
  const sound = new Map([...staticConfig].filter(([name]) => !faulty.has(name)))
  const values = brokerValuesOf(sound)
  problems.push(...checkBrokerValues(values).filter(found => !faulty.has(found.option)))
  const node = NODE_OPTIONS.some(name => faulty.has(name)) ? { problems: [], node: null } : readNode(values, sound)
  problems.push(...node.problems)
  if (problems.length > 0 || node.node === null) {
    const lines = problems.map(found => describeProblem(found, input.origins?.get(found.option) ?? null))
    return { ok: false, problems, lines }
  }
  const config = BrokerConfig.ofStatic(node.node, staticConfig)
  return { ok: true, config, warnings: startWarnings(input.properties, input.origins ?? new Map()) }
}

/** Without one of these it cannot be said who and where the node is. */
const NODE_OPTIONS = [
  'process.roles',
  'node.id',
  'broker.id',
  'listeners',
  'advertised.listeners',
  'controller.listener.names',
  'controller.quorum.voters',
  'controller.quorum.bootstrap.servers',
  'log.dirs',
  'log.dir',
]

/** node.id and broker.id are the same thing: whichever is given stands for both. */
function withNodeIdSynonyms(given: ConfigMap): ConfigMap {
  const nodeId = given.get('node.id')
  const brokerId = given.get('broker.id')
  const both = new Map(given)
  if (nodeId !== undefined && brokerId === undefined) both.set('broker.id', nodeId)
  if (brokerId !== undefined && nodeId === undefined) both.set('node.id', brokerId)
  return both
}

/** Values that their options do not take, and required options that are not there. */
function valueProblems(staticConfig: ConfigMap): readonly Problem[] {
  const found: Problem[] = []
  for (const [name, option] of Object.entries(brokerOptions)) {
    if (option.required && !staticConfig.has(name)) {
      found.push(problem(name, null, `Missing required configuration "${name}" which has no default value.`))
    }
  }
  const sameId = staticConfig.get('node.id') === staticConfig.get('broker.id')
  for (const [name, text] of staticConfig) {
    if (name === 'broker.id' && sameId) continue
    const option = brokerOptionOf(name)
    const parsed = option === null ? null : parseValue(listenerBaseName(name) ?? name, option, text)
    if (parsed === null || parsed.ok) continue
    const secret = option?.type === 'PASSWORD'
    found.push(problem(name, secret ? '[hidden]' : text, parsed.message))
  }
  return found
}

interface ReadNode {
  readonly node: NodeConfig | null
  readonly problems: readonly Problem[]
}

/** Reads who the node is, where it listens and whom it votes with. */
export function readNode(values: BrokerValues, given: ConfigMap): ReadNode {
  if (values['node.id'] !== values['broker.id']) {
    const message =
      '`node.id` and `broker.id` must be set to the same value. `broker.id` is deprecated, please use `node.id` ' +
      'instead.'
    return { node: null, problems: [problem('node.id', String(values['node.id']), message)] }
  }
  const addresses = readAddresses(values, given)
  if (!addresses.ok) return { node: null, problems: [addresses.problem] }
  const voters = readVoters(values['controller.quorum.voters'])
  const interBroker = interBrokerListener(values, given, addresses.protocols)
  if (!interBroker.ok) return { node: null, problems: [interBroker.problem] }
  const controllerNames = values['controller.listener.names']
  const isControllers = (endpoint: Endpoint): boolean => controllerNames.includes(endpoint.name)
  const node: NodeConfig = {
    nodeId: values['node.id'],
    roles: {
      broker: values['process.roles'].includes('broker'),
      controller: values['process.roles'].includes('controller'),
    },
    listeners: addresses.listeners,
    brokerListeners: addresses.listeners.filter(endpoint => !isControllers(endpoint)),
    controllerListeners: addresses.listeners.filter(isControllers),
    advertisedListeners: addresses.advertised.filter(endpoint => !isControllers(endpoint)),
    advertisedControllerListeners: advertisedControllers(values, addresses, voters),
    interBrokerListenerName: interBroker.name,
    controllerListenerNames: controllerNames,
    quorumVoters: voters,
    quorumBootstrapServers: values['controller.quorum.bootstrap.servers'].map(parseHostPort).filter(isThere),
    logDirs: logDirsOf(values),
    metadataLogDir: values['metadata.log.dir'] ?? (logDirsOf(values)[0] as string),
    rack: values['broker.rack'],
  }
  return { node, problems: nodeProblems(node, values, addresses) }
}

interface Addresses {
  readonly ok: true
  readonly protocols: ReadonlyMap<string, SecurityProtocol>
  readonly listeners: readonly Endpoint[]
  readonly advertised: readonly Endpoint[]
}

interface Refused {
  readonly ok: false
  readonly problem: Problem
}

function readAddresses(values: BrokerValues, given: ConfigMap): Addresses | Refused {
  const refused = (option: string, message: string): Refused => {
    return { ok: false, problem: problem(option, given.get(option) ?? null, message) }
  }
  const protocols = readSecurityProtocolMap({
    map: values['listener.security.protocol.map'],
    mapIsSet: given.has('listener.security.protocol.map'),
    listeners: values.listeners,
    controllerListenerNames: values['controller.listener.names'],
  })
  if (!protocols.ok) return refused('listener.security.protocol.map', protocols.message)
  const listeners = readEndpoints(values.listeners, protocols.value, true)
  if (!listeners.ok) return refused('listeners', listeners.message)
  const advertisedTexts = values['advertised.listeners']
  const advertised = advertisedTexts === null ? listeners : readEndpoints(advertisedTexts, protocols.value, false)
  if (!advertised.ok) return refused('advertised.listeners', advertised.message)
  return { ok: true, protocols: protocols.value, listeners: listeners.value, advertised: advertised.value }
}

function interBrokerListener(
  values: BrokerValues,
  given: ConfigMap,
  protocols: ReadonlyMap<string, SecurityProtocol>,
): { readonly ok: true; readonly name: string } | Refused {
  const option = 'inter.broker.listener.name'
  const text = values[option]
  const refused = (message: string): Refused => ({ ok: false, problem: problem(option, text, message) })
  if (text === null) return { ok: true, name: values['security.inter.broker.protocol'] }
  if (given.has('security.inter.broker.protocol')) {
    return refused(`Only one of ${option} and security.inter.broker.protocol should be set.`)
  }
  const name = text.toUpperCase()
  if (name === '') return refused('The provided listener name is null or empty string')
  if (protocols.has(name)) return { ok: true, name }
  return refused(`Listener with name ${name} defined in ${option} not found in listener.security.protocol.map.`)
}

function readVoters(entries: readonly string[]): readonly QuorumVoter[] {
  const voters = new Map<number, QuorumVoter>()
  for (const entry of entries) {
    const [id = '', address = ''] = entry.split('@')
    const parsed = parseHostPort(address)
    if (parsed !== null) voters.set(Number(id), { nodeId: Number(id), ...parsed })
  }
  return [...voters.values()]
}

function isThere(address: HostPort | null): address is HostPort {
  return address !== null
}

/**
 * What a controller tells the others about its listeners: the advertised ones, and for the first that is bound to every
 * interface and not advertised the address under which the voters know this node.
 */
function advertisedControllers(
  values: BrokerValues,
  addresses: Addresses,
  voters: readonly QuorumVoter[],
): readonly Endpoint[] {
  const advertised = values['advertised.listeners'] === null ? [] : addresses.advertised
  const self = voters.find(voter => voter.nodeId === values['node.id'])
  const names = [...new Set(values['controller.listener.names'])]
  return names.flatMap((name, index) => {
    const told = advertised.find(endpoint => endpoint.name === name.toUpperCase())
    if (told !== undefined) return [told]
    const bound = addresses.listeners.find(endpoint => endpoint.name === name)
    if (bound === undefined) return []
    if (index > 0 || bound.host !== null || self === undefined) return [bound]
    return [{ ...bound, host: self.host, port: self.port }]
  })
}

function nodeProblems(node: NodeConfig, values: BrokerValues, addresses: Addresses): readonly Problem[] {
  return [
    ...quorumProblems(node, values),
    ...listenerProblems(node, values),
    ...(node.roles.broker ? advertisedProblems(node, values) : []),
    ...reachabilityProblems(node, addresses),
    ...(values['early.start.listeners'] ?? []).flatMap(name => {
      const known = node.listeners.some(endpoint => endpoint.name === name.toUpperCase())
      if (known || node.controllerListenerNames.includes(name)) return []
      const message =
        `early.start.listeners contains listener ${name.toUpperCase()}, but this is not contained in listeners or ` +
        'controller.listener.names'
      return [problem('early.start.listeners', name, message)]
    }),
  ]
}

function quorumProblems(node: NodeConfig, values: BrokerValues): readonly Problem[] {
  const option = 'controller.quorum.voters'
  const text = values[option].join(',')
  const ids = node.quorumVoters.map(voter => voter.nodeId)
  const unroutable = node.quorumVoters.find(voter => voter.host === '0.0.0.0')
  if (unroutable !== undefined) {
    return [problem(option, text, `Host string (${unroutable.host}) is not routeable`)]
  }
  if (ids.length === 0 && node.quorumBootstrapServers.length === 0) {
    const message =
      'If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap ' +
      'controllers or controller.quorum.voters must contain a parseable set of controllers.'
    return [problem(option, text, message)]
  }
  if (!node.roles.controller && ids.includes(node.nodeId)) {
    const message =
      `If process.roles contains just the 'broker' role, the node id ${node.nodeId} must not be included in the set ` +
      `of voters ${option}=Set(${ids.join(', ')})`
    return [requirement(option, text, message)]
  }
  if (node.roles.controller && ids.length > 0 && !ids.includes(node.nodeId)) {
    const message =
      `If process.roles contains the 'controller' role, the node id ${node.nodeId} must be included in the set of ` +
      `voters ${option}=Set(${ids.join(', ')})`
    return [requirement(option, text, message)]
  }
  return []
}

/** Which listeners a node with these roles must have, and which it must not. */
function listenerProblems(node: NodeConfig, values: BrokerValues): readonly Problem[] {
  const names = node.controllerListenerNames
  const namesText = names.join(',')
  const option = 'controller.listener.names'
  if (!node.roles.controller) {
    if (node.controllerListeners.length === 0) return []
    const message =
      `${option} must not contain a value appearing in the 'listeners' configuration when running KRaft with just ` +
      'the broker role'
    return [requirement(option, namesText, message)]
  }
  if (!node.roles.broker && node.advertisedControllerListeners.length !== node.listeners.length) {
    const message =
      `The listeners config must only contain KRaft controller listeners from ${option} when ` +
      'process.roles=controller'
    return [requirement('listeners', values.listeners.join(','), message)]
  }
  if (node.controllerListeners.length === 0) {
    const message =
      `${option} must contain at least one value appearing in the 'listeners' configuration when running the KRaft ` +
      'controller role'
    return [requirement(option, namesText, message)]
  }
  if (names.every(name => node.listeners.some(endpoint => endpoint.name === name))) return []
  const message =
    `${option} must only contain values appearing in the 'listeners' configuration when running the KRaft ` +
    'controller role'
  return [requirement(option, namesText, message)]
}

function advertisedProblems(node: NodeConfig, values: BrokerValues): readonly Problem[] {
  const text = values['advertised.listeners']?.join(',') ?? values.listeners.join(',')
  const names = node.advertisedListeners.map(endpoint => endpoint.name)
  if (names.length === 0) {
    const message =
      'There must be at least one broker advertised listener. Perhaps all listeners appear in ' +
      'controller.listener.names?'
    return [requirement('advertised.listeners', text, message)]
  }
  if (!names.includes(node.interBrokerListenerName)) {
    const message =
      'inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based ' +
      `on currently configured listeners are ${names.join(',')}`
    return [requirement('inter.broker.listener.name', node.interBrokerListenerName, message)]
  }
  const bound = node.listeners.map(endpoint => endpoint.name)
  if (names.every(name => bound.includes(name))) return []
  const message =
    'advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found ' +
    `${names.join(',')}. The valid options based on the current configuration are ${bound.join(',')}`
  return [requirement('advertised.listeners', text, message)]
}

/** Addresses that nobody can reach, and listeners that this broker cannot serve. */
function reachabilityProblems(node: NodeConfig, addresses: Addresses): readonly Problem[] {
  const found: Problem[] = []
  const told = [...node.advertisedListeners, ...node.advertisedControllerListeners]
  const unroutable = told.find(endpoint => endpoint.host === '0.0.0.0')
  if (unroutable !== undefined) {
    const message = 'advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.'
    found.push(requirement('advertised.listeners', `${unroutable.name}://0.0.0.0:${unroutable.port}`, message))
  }
  for (const endpoint of addresses.listeners) {
    if (SERVED_SECURITY_PROTOCOLS.includes(endpoint.securityProtocol)) continue
    const message =
      `listener ${endpoint.name} speaks ${endpoint.securityProtocol}, which this broker does not serve yet; ` +
      `it serves ${SERVED_SECURITY_PROTOCOLS.join(', ')}`
    found.push(problem('listeners', `${endpoint.name}://${endpoint.host ?? ''}:${endpoint.port}`, message))
  }
  return found
}
