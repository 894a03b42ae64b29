/**
 * npm run -s vectors -- FILE...
 * Runs files of vectors (.jsonl or .jsonl.gz; messages or records, told apart by their keys), prints `N passed, M failed`
 * and the first differences, and fails if there are any.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { checkMessageVector, type MessageVector } from '../support/message-vectors.js'
import { checkRecordVector, type RecordVector } from '../support/record-vectors.js'

const DIFFERENCES_SHOWN = 20

function linesOf(file: string): string[] {
  const content = readFileSync(file)
  const isGzip = content[0] === 0x1f && content[1] === 0x8b
  const text = (isGzip ? gunzipSync(content) : content).toString('utf8')
  return text.split('\n').filter(line => line.trim() !== '')
}

async function check(line: string): Promise<{ name: string; difference: string | null }> {
  let vector: MessageVector | RecordVector
  try {
    vector = JSON.parse(line)
  } catch (error) {
    return { name: line.slice(0, 60), difference: String(error) }
  }
  if ('batches' in vector) return { name: vector.name, difference: await checkRecordVector(vector) }
  if ('json' in vector && 'version' in vector) {
    return { name: `${vector.name} v${vector.version}`, difference: checkMessageVector(vector) }
  }
  return { name: line.slice(0, 60), difference: 'neither a message vector (json, version) nor a record vector (batches)' }
}

const files = process.argv.slice(2)
if (files.length === 0) {
  console.error('usage: npm run -s vectors -- FILE.jsonl[.gz]...')
  process.exit(2)
}
let passed = 0
let failed = 0
for (const file of files) {
  for (const line of linesOf(file)) {
    const { name, difference } = await check(line)
    if (difference === null) {
      passed++
    } else {
      failed++
      if (failed <= DIFFERENCES_SHOWN) console.log(`${name}: ${difference}`)
    }
  }
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0
