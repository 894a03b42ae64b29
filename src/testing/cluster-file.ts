import { join } from 'node:path'
import type { Disk } from '#storage/disk.js'
import type { Roles } from './roles.js'

/** What a directory with the data of an embedded cluster says of it, beside a folder for each node. */
export interface ClusterFile {
  readonly clusterId: string
  readonly hasStaticVoters: boolean
  /** How many copies topics have unless told otherwise: set by the nodes that it began with. */
  readonly replicasMax: number
  readonly nodes: readonly KeptNode[]
}

export interface KeptNode {
  readonly nodeId: number
  readonly roles: Roles
  /** The port by which the voters of the quorum know it; 0 for a broker that is no controller. */
  readonly controllerPort: number
}

const NAME = 'cluster.json'
const ROLES: ReadonlySet<unknown> = new Set<Roles>(['broker', 'controller', 'broker,controller'])
const PORT_MAX = 65535
/** More copies than these no topic has by default. */
export const REPLICAS_MAX = 3

/** The cluster whose data lies in the directory; null if there is none. Throws Error for a file that is no such. */
export function readClusterFile(disk: Disk, directory: string): ClusterFile | null {
  const path = join(directory, NAME)
  if (!disk.exists(path)) return null
  let content: unknown
  try {
    content = JSON.parse(disk.readFile(path).toString('utf8'))
  } catch (error) {
    throw new Error(`dataDirectory: ${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  if (!isClusterFile(content)) throw new Error(`dataDirectory: ${path} does not describe a cluster`)
  return content
}

export function writeClusterFile(disk: Disk, directory: string, file: ClusterFile): void {
  disk.replaceFile(join(directory, NAME), Buffer.from(`${JSON.stringify(file, null, 2)}\n`))
}

function isClusterFile(content: unknown): content is ClusterFile {
  if (typeof content !== 'object' || content === null) return false
  const { clusterId, hasStaticVoters, replicasMax, nodes } = content as Record<string, unknown>
  if (typeof clusterId !== 'string' || typeof hasStaticVoters !== 'boolean') return false
  if (!isWithin(replicasMax, 1, REPLICAS_MAX)) return false
  if (!Array.isArray(nodes) || nodes.length === 0 || !nodes.every(isKeptNode)) return false
  return new Set(nodes.map(({ nodeId }) => nodeId)).size === nodes.length
}

function isKeptNode(node: unknown): node is KeptNode {
  if (typeof node !== 'object' || node === null) return false
  const { nodeId, roles, controllerPort } = node as Record<string, unknown>
  return isWithin(nodeId, 1, 0x7fffffff) && ROLES.has(roles) && isWithin(controllerPort, 0, PORT_MAX)
}

function isWithin(value: unknown, from: number, to: number): boolean {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to
}
