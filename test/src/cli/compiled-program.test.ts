import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { compileProgram } from '#src/cli/compiled-program.js'

const bundle = resolve('dist/bundle')
const folders: string[] = []

/** A folder with the program of the bundle, and with `cache` beside it under the name that belongs to it. */
function folderWith(cache: Uint8Array | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-'))
  folders.push(folder)
  copyFileSync(join(bundle, 'program.cjs'), join(folder, 'program.cjs'))
  if (cache !== null) writeFileSync(join(folder, cacheName()), cache)
  return folder
}

function cacheName(): string {
  const caches = readdirSync(bundle).filter(name => name.endsWith('.cache'))
  assert.equal(caches.length, 1, 'the build leaves one cache')
  return caches[0]!
}

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

test('a program that was bundled starts from the bytecode that the build kept', () => {
  const compiled = compileProgram(bundle)
  assert.equal(compiled?.isFromCache, true)
  assert.equal(typeof compiled?.program.run, 'function')
})

test('a program without a cache, or with one that V8 did not make, is compiled', () => {
  const whole = readFileSync(join(bundle, cacheName()))
  const otherVersion = Buffer.from(whole)
  otherVersion.writeUInt32LE(0x12345678, 4)
  for (const cache of [null, new Uint8Array(0), Buffer.alloc(5000, 0x5a), whole.subarray(0, 1000), otherVersion]) {
    const compiled = compileProgram(folderWith(cache))
    assert.equal(compiled?.isFromCache, false)
    assert.equal(typeof compiled?.program.run, 'function')
  }
})

test('a cache belongs to one program: that of another is not looked at', () => {
  const folder = folderWith(readFileSync(join(bundle, cacheName())))
  const source = readFileSync(join(folder, 'program.cjs'), 'latin1')
  // As long as before, which is all that V8 itself compares.
  const other = `// ${'0'.repeat(16)}${source.slice(19)}`
  assert.equal(other.length, source.length)
  writeFileSync(join(folder, 'program.cjs'), other)
  assert.equal(compileProgram(folder)?.isFromCache, false)
})

test('what the program wants of packages it gets without an import, for which functions of a cache are no good', () => {
  assert.doesNotMatch(readFileSync(join(bundle, 'program.cjs'), 'latin1'), /\bimport\s*\(/)
})

test('a node that starts from the cache writes its log as text', async () => {
  const args = [join(bundle, 'main.js'), 'start', '--ephemeral', '--port', '0', '--log-format', 'text']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      const wasListening = said.includes('INFO: listening')
      said += chunk
      // A second signal would not let it end in order.
      if (!wasListening && said.includes('INFO: listening')) child.kill('SIGTERM')
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  assert.match(said, /INFO: listening/)
  assert.equal(code, 0, said)
})

test('where nothing was bundled there is no such program', () => {
  assert.equal(compileProgram(resolve('dist/src')), null)
})
