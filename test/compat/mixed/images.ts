import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Tools } from '../suites/tools/tools.js'
import type { MixedNode } from './node.js'
import type { Room } from './room.js'

/** So many of the newest snapshots that both kinds have. */
const COMPARED_MAX = 6

/**
 * Compares snapshots of the metadata that nodes of both kinds have of the same offset: what one of them made of the log
 * must be what the other made of it. Returns how many there were; it is a matter of chance whether both took one there.
 */
export async function compareSnapshots(room: Room, tools: Tools): Promise<number> {
  const byName = new Map<string, MixedNode[]>()
  for (const node of room.nodes) {
    for (const name of snapshotFiles(node)) byName.set(name, [...(byName.get(name) ?? []), node])
  }
  const common = [...byName].filter(([, nodes]) => new Set(nodes.map(({ kind }) => kind)).size > 1).sort()
  for (const [name, nodes] of common.slice(-COMPARED_MAX)) {
    const pair = (['kafka', 'ottla'] as const).map(kind => nodes.find(node => node.kind === kind)!)
    const [kafka, ottla] = await Promise.all(pair.map(node => recordsIn(tools, pathOf(node, name))))
    assert.ok(kafka!.length > 0, `${name} has no records`)
    assert.deepEqual(ottla, kafka, `${name} of ${pair.map(node => node.name).join(' and ')}`)
  }
  return Math.min(common.length, COMPARED_MAX)
}

const pathOf = (node: MixedNode, file: string) => join(node.data, '__cluster_metadata-0', file)

function snapshotFiles(node: MixedNode): string[] {
  const directory = pathOf(node, '')
  if (!existsSync(directory)) return []
  return readdirSync(directory).filter(file => file.endsWith('.checkpoint') && !/^0+-/.test(file))
}

/** The records of a snapshot in Kafka's own words, in an order of ours: both kinds keep some things in hash tables. */
async function recordsIn(tools: Tools, file: string): Promise<string[]> {
  const flags = ['--cluster-metadata-decoder', '--skip-record-metadata', '--files', file]
  const { code, stdout, stderr } = await tools.runAsIs('dump-log', flags)
  assert.equal(code, 0, `dump-log ${file}\n${stderr}`)
  const payloads = stdout.split('\n').filter(line => line.startsWith('| payload: '))
  return payloads.map(line => JSON.stringify(ordered(JSON.parse(line.slice(11))))).sort()
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) {
    const isOfObjects = value.every(item => typeof item === 'object')
    const items = value.map(ordered)
    return isOfObjects ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, field]) => [name, ordered(field)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
