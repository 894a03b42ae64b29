import { ErrorCode } from '#protocol/errors.js'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import { Metadata } from '#protocol/messages/metadata.js'
import { Peer } from '../client/peer.js'
import type { NodeConfig } from '../config/broker-config.js'
import { createNodeClock } from '../runtime/node/clock.js'
import { createNodeNetwork } from '../runtime/node/network.js'
import { loadImageConfig } from './image-config.js'
import { complain } from './start.js'

/** How long each step may take, ms. */
const TIMEOUT_MS = 4000
/** The version of Metadata that is asked for: in it no topics is an empty list, and every broker since 4.0 has it. */
const METADATA_VERSION = 4
const PORT_MAX = 65535
/** What stands for every interface, and where a node that listens there is found from within. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** What is asked, and of whom. */
interface Target {
  readonly host: string
  readonly port: number
  /** The node that must be among the brokers of the cluster; null: whoever answers will do. */
  readonly brokerId: number | null
}

/**
 * Asks a node whether it serves: it must answer, and a broker must be one of those that clients are sent to. Resolves
 * with the exit status: 0 if it does.
 *
 * address: host:port; without it, the node that the environment of this container describes.
 */
export async function health(address: string | undefined): Promise<number> {
  try {
    const target = address === undefined ? targetOfImage() : targetOf(address)
    if (typeof target === 'string') return complain([target])
    const problem = await problemOf(target)
    return problem === null ? 0 : complain([problem])
  } catch (error) {
    return complain([(error as Error).message])
  }
}

function targetOf(address: string): Target | string {
  const match = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(address)
  const port = Number(match?.[2])
  if (match === null || port < 1 || port > PORT_MAX)
    return `${address}: allowed is host:port, a port being 1 to ${PORT_MAX}`
  return { host: match[1]!, port, brokerId: null }
}

function targetOfImage(): Target | string {
  const read = loadImageConfig(process.env, [])
  if (!read.ok) return read.lines.join('; ')
  return targetOfNode(read.config.loaded.config.node)
}

/** The first listener for clients, or that of a node that is only a controller. */
export function targetOfNode(node: NodeConfig): Target | string {
  const endpoint = node.brokerListeners[0] ?? node.controllerListeners[0]
  if (endpoint === undefined || endpoint.port === 0) return 'no listener has a port that is known'
  const { host, port } = endpoint
  const reachable = host === null ? '127.0.0.1' : (LOOPBACK[host] ?? host)
  return { host: reachable, port, brokerId: node.roles.broker ? node.nodeId : null }
}

/** Null if the node serves. Rejects with PeerError when it cannot be asked. */
async function problemOf({ host, port, brokerId }: Target): Promise<string | null> {
  const options = { host, port, clientId: 'ottla-health', connectTimeoutMs: TIMEOUT_MS, requestTimeoutMs: TIMEOUT_MS }
  const peer = await Peer.connect(createNodeNetwork(), createNodeClock(), options)
  try {
    const versions = await peer.send(ApiVersions, 0, {})
    if (versions.errorCode !== ErrorCode.NONE) return `${peer.address} answers with error ${versions.errorCode}`
    if (!versions.apiKeys.some(({ apiKey }) => apiKey === Metadata.key)) return null
    const { brokers } = await peer.send(Metadata, METADATA_VERSION, { topics: [], allowAutoTopicCreation: false })
    if (brokerId === null ? brokers.length > 0 : brokers.some(({ nodeId }) => nodeId === brokerId)) return null
    return `${peer.address} answers, but broker ${brokerId ?? ''} is not among those that serve clients`
  } finally {
    peer.close()
  }
}
