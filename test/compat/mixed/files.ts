import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MixedNode } from './node.js'

/** One batch as it lies in a file, from its base offset to its last byte. */
interface StoredBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly bytes: Buffer
}

/** What is left of a partition in the directory of one node. */
interface StoredReplica {
  readonly node: MixedNode
  readonly batches: readonly StoredBatch[]
  /** Its log start offset, as its checkpoint says. */
  readonly start: number
}

/** What two nodes store of a partition, compared. */
export interface Comparison {
  readonly partition: string
  readonly batches: number
  readonly problems: readonly string[]
}

const METADATA = '__cluster_metadata-0'
const BATCH_OVERHEAD = 12

/**
 * Compares the log files of every partition on all nodes, batch by batch and byte by byte, from the highest of their
 * start offsets to the end. Replicas of data must end at the same offset; of the metadata log, which the last nodes to
 * stop go on writing, the common part is compared.
 */
export function compareFiles(nodes: readonly MixedNode[]): Comparison[] {
  const names = new Map<string, MixedNode[]>()
  for (const node of nodes) {
    for (const name of partitionsOf(node)) names.set(name, [...(names.get(name) ?? []), node])
  }
  return [...names].sort().map(([partition, holders]) => {
    const replicas = holders.map(node => storedReplica(node, partition))
    const [first, ...others] = replicas
    const problems: string[] = []
    for (const other of others) problems.push(...differences(first!, other, partition === METADATA))
    return { partition, batches: first?.batches.length ?? 0, problems }
  })
}

/** Whether a node has a snapshot of the metadata log that it did not begin with, and no log from the beginning. */
export function beganWithSnapshot(node: MixedNode): boolean {
  const directory = join(node.data, METADATA)
  const files = existsSync(directory) ? readdirSync(directory) : []
  const first = files.filter(file => file.endsWith('.log')).sort()[0] ?? '0'
  return files.some(file => /^0*[1-9]\d*-\d+\.checkpoint$/.test(file)) && Number.parseInt(first, 10) > 0
}

/** The end offsets of the snapshots that a node has, without the one that it was formatted with. */
export function snapshotsOf(node: MixedNode): number[] {
  const directory = join(node.data, METADATA)
  const files = existsSync(directory) ? readdirSync(directory) : []
  return files
    .filter(file => file.endsWith('.checkpoint'))
    .map(file => Number.parseInt(file, 10))
    .filter(offset => offset > 0)
}

function partitionsOf(node: MixedNode): string[] {
  // Of a partition that was deleted or moved away the directory has another name until it is gone.
  return node.directories.flatMap(directory => {
    const entries = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : []
    return entries.filter(entry => entry.isDirectory() && /-\d+$/.test(entry.name)).map(entry => entry.name)
  })
}

function storedReplica(node: MixedNode, partition: string): StoredReplica {
  const holding = node.directories.filter(directory => existsSync(join(directory, partition)))
  if (holding.length !== 1) throw new Error(`${partition} is in ${holding.length} directories of ${node.name}`)
  const directory = join(holding[0]!, partition)
  const segments = readdirSync(directory).filter(file => file.endsWith('.log'))
  const batches = segments.sort().flatMap(file => batchesIn(join(directory, file)))
  const firstOfFiles = Number.parseInt(segments[0] ?? '0', 10)
  return { node, batches, start: Math.max(firstOfFiles, checkpointed(holding[0]!, partition)) }
}

/** The log start offset in the checkpoint of a log directory; 0 if it has none of the partition. */
function checkpointed(directory: string, partition: string): number {
  const file = join(directory, 'log-start-offset-checkpoint')
  if (!existsSync(file)) return 0
  const dash = partition.lastIndexOf('-')
  const key = `${partition.slice(0, dash)} ${partition.slice(dash + 1)} `
  const line = readFileSync(file, 'utf8')
    .split('\n')
    .find(one => one.startsWith(key))
  return line === undefined ? 0 : Number(line.slice(key.length))
}

function batchesIn(file: string): StoredBatch[] {
  const content = readFileSync(file)
  const batches: StoredBatch[] = []
  for (let at = 0; at + BATCH_OVERHEAD <= content.length; ) {
    const size = BATCH_OVERHEAD + content.readInt32BE(at + 8)
    if (size <= BATCH_OVERHEAD || at + size > content.length) throw new Error(`${file} is torn at byte ${at}`)
    const bytes = content.subarray(at, at + size)
    const baseOffset = Number(bytes.readBigInt64BE(0))
    batches.push({ baseOffset, lastOffset: baseOffset + bytes.readInt32BE(23), bytes })
    at += size
  }
  return batches
}

function differences(one: StoredReplica, other: StoredReplica, isMetadata: boolean): string[] {
  const start = Math.max(one.start, other.start)
  const from = (replica: StoredReplica) => replica.batches.filter(batch => batch.lastOffset >= start)
  const [mine, theirs] = [from(one), from(other)]
  const count = isMetadata ? Math.min(mine.length, theirs.length) : Math.max(mine.length, theirs.length)
  if (isMetadata && count === 0) return [`${one.node.name} and ${other.node.name} have no batch in common`]
  for (let index = 0; index < count; index++) {
    const [left, right] = [mine[index], theirs[index]]
    if (left !== undefined && right !== undefined && left.bytes.equals(right.bytes)) continue
    return [
      `batch ${index} from offset ${start}: ${one.node.name} has ${describe(left)}, ${other.node.name} ${describe(right)}`,
    ]
  }
  return []
}

function describe(batch: StoredBatch | undefined): string {
  if (batch === undefined) return 'nothing'
  const { bytes, baseOffset, lastOffset } = batch
  const [epoch, crc, attributes] = [bytes.readInt32BE(12), bytes.readUInt32BE(17), bytes.readInt16BE(21)]
  return `[${baseOffset}..${lastOffset} epoch ${epoch} crc ${crc} attributes ${attributes}, ${bytes.length} bytes]`
}
