import type { Disk } from './disk.js'
import { LogError } from './log-error.js'

export const metaPropertiesName = 'meta.properties'

/** What the file `meta.properties` of a log directory says of whose it is. */
export interface MetaProperties {
  /** 1 is what is written; 0 is what Kafka wrote with ZooKeeper. */
  readonly version: number
  readonly clusterId: string | null
  /** `node.id`, or `broker.id` of version 0. */
  readonly nodeId: number | null
  /** In Kafka's text form of a uuid. */
  readonly directoryId: string | null
}

/** Reads the file; null if it is missing. Throws LogError with file, line and remedy if it cannot be understood. */
export function readMetaProperties(disk: Disk, directoryPath: string): MetaProperties | null {
  const path = `${directoryPath}/${metaPropertiesName}`
  if (!disk.exists(path)) return null
  const values = parseProperties(path, contentOf(disk, path))
  const version = values.get('version') ?? '0'
  if (version !== '0' && version !== '1') {
    throw malformed(path, `version '${version}' is not one that is known (0, 1)`)
  }
  const nodeText = values.get(version === '0' ? 'broker.id' : 'node.id') ?? null
  if (nodeText !== null && !/^-?\d{1,10}$/.test(nodeText)) throw malformed(path, `'${nodeText}' is no node id`)
  if (version === '1') {
    if (nodeText === null) throw malformed(path, 'node.id is missing')
    if (!values.has('cluster.id')) throw malformed(path, 'cluster.id is missing')
  }
  const directoryId = values.get('directory.id') ?? null
  if (directoryId !== null && !/^[A-Za-z0-9_-]{22}$/.test(directoryId)) {
    throw malformed(path, `directory.id '${directoryId}' is no uuid (22 characters of base64)`)
  }
  return {
    version: Number(version),
    clusterId: values.get('cluster.id') ?? null,
    nodeId: nodeText === null ? null : Number(nodeText),
    directoryId,
  }
}

/** Writes the file, always as version 1; durable when it returns. */
export function writeMetaProperties(disk: Disk, directoryPath: string, properties: MetaProperties): void {
  const lines = ['#']
  if (properties.clusterId !== null) lines.push(`cluster.id=${properties.clusterId}`)
  if (properties.directoryId !== null) lines.push(`directory.id=${properties.directoryId}`)
  if (properties.nodeId !== null) lines.push(`node.id=${properties.nodeId}`)
  lines.push('version=1', '')
  disk.replaceFile(`${directoryPath}/${metaPropertiesName}`, Buffer.from(lines.join('\n'), 'latin1'))
}

/**
 * Throws LogError, with file and remedy in the message, if a directory belongs to another cluster or node. A cluster
 * id of null is not known yet and not compared.
 */
export function expectOwner(
  directoryPath: string,
  properties: MetaProperties,
  owner: { readonly clusterId: string | null; readonly nodeId: number },
): void {
  const path = `${directoryPath}/${metaPropertiesName}`
  const remedy = 'Point log.dirs to the right directory, or format this one anew if its data is not needed.'
  const { clusterId, nodeId } = properties
  if (owner.clusterId !== null && clusterId !== null && clusterId !== owner.clusterId) {
    const text = `${path}: the directory belongs to cluster ${clusterId}, not to ${owner.clusterId}. ${remedy}`
    throw new LogError('KAFKA_STORAGE_ERROR', text)
  }
  if (nodeId !== null && nodeId !== owner.nodeId) {
    const text = `${path}: the directory belongs to node ${nodeId}, not to ${owner.nodeId}. ${remedy}`
    throw new LogError('KAFKA_STORAGE_ERROR', text)
  }
}

function contentOf(disk: Disk, path: string): string {
  try {
    return disk.readFile(path).toString('latin1')
  } catch (error) {
    throw malformed(path, `it cannot be read (${(error as Error).message})`)
  }
}

function malformed(path: string, what: string): LogError {
  const remedy = 'Restore the file, or format the directory anew if its data is not needed.'
  return new LogError('KAFKA_STORAGE_ERROR', `${path}: ${what}. ${remedy}`)
}

/**
 * The part of Java's properties format that occurs here: comments, `=` or `:` or a space between key and value,
 * escapes.
 */
function parseProperties(path: string, text: string): Map<string, string> {
  const values = new Map<string, string>()
  text.split(/\r\n|\n|\r/).forEach((raw, index) => {
    const line = raw.trimStart()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) return
    const match = /^((?:\\.|[^\\=:\s])+)\s*[=:\s]\s*(.*)$/.exec(line)
    if (match === null) throw malformed(path, `line ${index + 1}: '${line.slice(0, 80)}' is no property`)
    values.set(unescaped(match[1]!), unescaped(match[2]!).trimEnd())
  })
  return values
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}
