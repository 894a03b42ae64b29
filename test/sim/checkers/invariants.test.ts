import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const DOCUMENT = 'docs/replication.md'

interface Row {
  readonly name: string
  /** Paths from the root of the project. */
  readonly files: readonly string[]
}

/** The rows of the table of invariants. */
function rows(): Row[] {
  const text = readFileSync(DOCUMENT, 'utf8')
  const table = text.slice(text.indexOf('## Invariants')).split('\n')
  return table
    .filter(line => line.startsWith('| **'))
    .map(line => {
      const [, what, kept, checked] = line.split('|')
      const name = /\*\*(.+?)\.?\*\*/.exec(what!)![1]!.toLowerCase()
      const inCode = pathsIn(kept!)
      const inSimulator = pathsIn(checked!).map(path => `test/sim/${path}`)
      assert.ok(inSimulator.length > 0, `${name} is not checked by anything`)
      return { name, files: [...inCode, ...inSimulator] }
    })
}

function pathsIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(match => match[1]!)
}

test('every file in the table of invariants names the invariant', () => {
  const all = rows()
  assert.ok(all.length >= 10, `${DOCUMENT} has ${all.length} invariants`)
  const problems: string[] = []
  for (const { name, files } of all) {
    for (const path of files) {
      const text = existsSync(path) ? readFileSync(path, 'utf8').toLowerCase() : null
      if (text === null) problems.push(`${path} is not there`)
      else if (!text.includes(name)) problems.push(`${path} does not say '${name}'`)
    }
  }
  assert.deepEqual(problems, [], `mend the table in ${DOCUMENT} or the files`)
})
