import { splitList } from './values.js'

/** The security protocols that Kafka knows. */
export const SECURITY_PROTOCOLS = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
export type SecurityProtocol = (typeof SECURITY_PROTOCOLS)[number]

/** The security protocols that a listener of this broker can speak. */
export const SERVED_SECURITY_PROTOCOLS: readonly SecurityProtocol[] = ['PLAINTEXT']

/** One entry of `listeners` or `advertised.listeners`. */
export interface Endpoint {
  /** In capitals, as Kafka keeps it. */
  readonly name: string
  /** Null: every interface. */
  readonly host: string | null
  /** 0: the operating system chooses. */
  readonly port: number
  readonly securityProtocol: SecurityProtocol
}

/** What came of reading a list or a map: its value, or why there is none. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string }

const ENDPOINT = /^(.*):\/\/\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$/

/** Splits `name:value,name:value` at the last colon of each entry. */
export function readMap(option: string, text: string): Read<ReadonlyMap<string, string>> {
  const map = new Map<string, string>()
  const entries = splitList(text.trim())
  for (const [index, entry] of entries.entries()) {
    if (entry === '' && index === entries.length - 1) break
    const colon = entry.lastIndexOf(':')
    if (colon < 0) {
      return { ok: false, message: `Error parsing configuration property '${option}': '${entry}' is not name:value` }
    }
    map.set(entry.slice(0, colon).trim(), entry.slice(colon + 1).trim())
  }
  return { ok: true, value: map }
}

/** The protocol of that name in any case, or null. */
export function securityProtocolOf(name: string): SecurityProtocol | null {
  return SECURITY_PROTOCOLS.find(protocol => protocol === name.toUpperCase()) ?? null
}

export interface ListenerMapSource {
  /** listener.security.protocol.map */
  readonly map: string
  /** Whether the map was set, rather than left at its default. */
  readonly mapIsSet: boolean
  readonly listeners: readonly string[]
  readonly controllerListenerNames: readonly string[]
}

/**
 * The security protocol of each listener name. A map that was not set covers the controller's listeners with PLAINTEXT
 * as long as nothing else is in use: a cluster with TLS must say what its controllers speak.
 */
export function readSecurityProtocolMap(source: ListenerMapSource): Read<ReadonlyMap<string, SecurityProtocol>> {
  const option = 'listener.security.protocol.map'
  const entries = readMap(option, source.map)
  if (!entries.ok) return entries
  const map = new Map<string, SecurityProtocol>()
  for (const [name, protocolName] of entries.value) {
    const protocol = securityProtocolOf(protocolName)
    if (name === '') return { ok: false, message: 'The provided listener name is null or empty string' }
    if (protocol === null) {
      return { ok: false, message: `Invalid security protocol \`${protocolName}\` defined in ${option}` }
    }
    map.set(name.toUpperCase(), protocol)
  }
  const names = [...source.controllerListenerNames, ...source.listeners.map(listenerNameOf)]
  if (!source.mapIsSet && !names.some(needsSecurity)) {
    for (const name of source.controllerListenerNames) if (name !== 'PLAINTEXT') map.set(name, 'PLAINTEXT')
  }
  return { ok: true, value: map }
}

function needsSecurity(name: string): boolean {
  return name === 'SSL' || name === 'SASL_PLAINTEXT' || name === 'SASL_SSL'
}

function listenerNameOf(entry: string): string {
  return entry.slice(0, Math.max(0, entry.indexOf(':'))).toUpperCase()
}

/** Reads the entries of `listeners` (each with its own port) or `advertised.listeners` (where ports may repeat). */
export function readEndpoints(
  entries: readonly string[],
  protocols: ReadonlyMap<string, SecurityProtocol>,
  distinctPorts: boolean,
): Read<readonly Endpoint[]> {
  const refused = (why: string): Read<readonly Endpoint[]> => {
    return { ok: false, message: `Error creating broker listeners from '[${entries.join(', ')}]': ${why}` }
  }
  const endpoints: Endpoint[] = []
  for (const entry of entries) {
    const match = ENDPOINT.exec(entry)
    if (match === null) return refused(`Unable to parse ${entry} to a broker endpoint`)
    const name = (match[1] as string).toUpperCase()
    if (name === '') return refused('The provided listener name is null or empty string')
    const securityProtocol = protocols.get(name)
    if (securityProtocol === undefined) return refused(`No security protocol defined for listener ${name}`)
    const port = Number(match[3])
    if (port < 0 || port > 65535) return refused(`Port ${match[3]} of ${entry} is not between 0 and 65535`)
    endpoints.push({ name, host: match[2] === '' ? null : (match[2] as string), port, securityProtocol })
  }
  const conflict = endpointConflict(entries, endpoints, distinctPorts)
  return conflict === null ? { ok: true, value: endpoints } : refused(conflict)
}

function endpointConflict(
  entries: readonly string[],
  endpoints: readonly Endpoint[],
  distinctPorts: boolean,
): string | null {
  const shown = `[${entries.join(', ')}]`
  if (new Set(endpoints.map(endpoint => endpoint.name)).size < endpoints.length) {
    return `Each listener must have a different name, listeners: ${shown}`
  }
  if (!distinctPorts) return null
  for (const port of new Set(endpoints.map(endpoint => endpoint.port))) {
    const sharing = endpoints.filter(endpoint => endpoint.port === port && port !== 0)
    if (sharing.length < 2) continue
    const versions = sharing.map(endpoint => ipVersion(endpoint.host))
    if (versions.filter(version => version === null).length > 1) {
      return `Each listener must have a different port, listeners: ${shown}`
    }
    if (sharing.length > 2 && !versions.includes(null)) {
      return (
        'Each listener must have a different port unless exactly one listener has an IPv4 address and the other IPv6 ' +
        `address, listeners: ${shown}, port: ${port}`
      )
    }
    // One IPv4 and one IPv6 address may share a port. A single address beside a name is let through, as Kafka does.
    if (
      versions.filter(version => version !== null).length === 2 &&
      (sharing.length > 2 || versions[0] === versions[1])
    ) {
      return (
        'If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, ' +
        `listeners: ${shown}, port: ${port}`
      )
    }
  }
  return null
}

/** 4 or 6 for a literal address, null for a name or no host. */
function ipVersion(host: string | null): 4 | 6 | null {
  if (host === null) return null
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host) && host.split('.').every(part => Number(part) <= 255)) return 4
  return host.includes(':') && /^[0-9a-fA-F:.]+(%\w+)?$/.test(host) ? 6 : null
}
