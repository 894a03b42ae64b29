import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'

const bundle = resolve('dist/bundle')
const folder = mkdtempSync(join(tmpdir(), 'ottla-'))
copyFileSync(join(bundle, 'program.cjs'), join(folder, 'program.cjs'))

after(() => rmSync(folder, { recursive: true }))

/** Runs the step of the build on the folder, in a process for which `preload` comes first. */
function makeCache(preload: string) {
  writeFileSync(join(folder, 'preload.cjs'), preload)
  const args = ['--require', join(folder, 'preload.cjs'), join(bundle, 'make-code-cache.js'), folder]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  return { status, lines: stderr.trim().split('\n'), caches: readdirSync(folder).filter(name => /\.cache/.test(name)) }
}

test('where a broker can run, the build keeps what was compiled and has nothing to say', () => {
  const { status, lines, caches } = makeCache('')
  assert.deepEqual([status, lines, caches.length], [0, [''], 1])
})

test('where no port can be listened on, the build goes on without the cache and says so in a line', () => {
  const { status, lines, caches } = makeCache(`
    require('node:net').Server.prototype.listen = function () {
      const error = Object.assign(new Error('listen EPERM: operation not permitted 127.0.0.1'), { code: 'EPERM' })
      process.nextTick(() => this.emit('error', error))
      return this
    }`)
  assert.deepEqual([status, caches], [0, []])
  const [reason, consequence, ...more] = lines
  assert.match(reason!, /^ottla: .*EPERM/)
  assert.match(consequence!, /^No cache of compiled code was made, and starts take longer without it: .*did not start$/)
  assert.deepEqual(more, [])
})

test('where the cache cannot be written, the build goes on as well', () => {
  const { status, lines, caches } = makeCache(`
    const fs = require('node:fs')
    const rename = fs.renameSync
    fs.renameSync = (from, to) => {
      if (to.endsWith('.cache')) throw new Error('no space left')
      rename(from, to)
    }
    require('node:module').syncBuiltinESMExports()`)
  assert.equal(status, 0)
  assert.deepEqual(lines, ['No cache of compiled code was made, and starts take longer without it: no space left'])
  assert.deepEqual(caches, [])
})
