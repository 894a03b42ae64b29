import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openLogDirectory } from '#storage/log-directory.js'
import { nodeDisk } from '#storage/node-disk.js'
import { checkLog } from './check.js'
import { configOf, load, put, startMs, topicId, values } from './support.js'

const root = mkdtempSync(join(tmpdir(), 'ottla-disk-'))
after(() => rmSync(root, { recursive: true, force: true }))

function folder(name: string): string {
  const path = join(root, name)
  nodeDisk().makeDirectory(path)
  return path
}

function openDescriptors(path: string): number {
  return readdirSync('/proc/self/fd').filter(name => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(path)
    } catch {
      return false
    }
  }).length
}

test('an absolute path is the same with one slash each, a relative one begins in the working folder', () => {
  const disk = nodeDisk()
  const here = process.cwd()
  for (const [path, absolute] of [
    ['/a/b', '/a/b'],
    ['//a//b/', '/a/b'],
    ['/', '/'],
    ['a', `${here}/a`],
    ['./a/../b/', `${here}/./a/../b`],
  ]) {
    assert.equal(disk.absolute(path!), absolute)
  }
})

test('a folder is made with those above it, and what is in the way is named', () => {
  const disk = nodeDisk()
  const path = join(root, 'nested', 'deep', 'folder')
  for (let round = 0; round < 2; round++) disk.makeDirectory(path)
  assert.deepEqual(disk.list(join(root, 'nested', 'deep')), [{ name: 'folder', isDirectory: true }])
  writeFileSync(join(path, 'file'), '')
  assert.throws(() => disk.makeDirectory(join(path, 'file')), { code: 'EEXIST' })
  assert.throws(() => disk.makeDirectory(join(path, 'file', 'below')), { code: 'ENOTDIR' })
  assert.throws(() => disk.makeDirectory('/proc/none/such'), { code: 'ENOENT' })
  assert.throws(() => disk.readFile(path), new RegExp(`EISDIR.*'${path}'`))
})

test('a file is appended to, read, overwritten, truncated and renamed', async () => {
  const path = join(folder('file'), 'a')
  const disk = nodeDisk()
  assert.throws(() => disk.open(path), { code: 'ENOENT' })
  assert.equal(disk.fileSize(path), -1)
  const file = disk.open(path, { create: true })
  file.append([Buffer.from('abc'), Buffer.alloc(0), Buffer.from('defg')])
  file.appendFrom(Buffer.from('--hij--'), 2, 5)
  assert.equal(file.size, 10)
  assert.equal(String(file.read(2, 100)), 'cdefghij')
  file.writeAt(0, Buffer.from('X'))
  const target = Buffer.alloc(12, '.')
  assert.equal(file.readInto(target, 1, 10, 5), 5)
  assert.equal(await file.readIntoAsync(target, 6, 5, 0), 5)
  assert.equal(String(target), '.fghijXbcde.')
  file.truncate(4)
  await file.sync()
  file.rename(`${path}2`)
  file.appendFrom(Buffer.from('!'), 0, 1)
  file.close()
  assert.equal(String(disk.readFile(`${path}2`)), 'Xbcd!')
  assert.throws(() => file.read(0, 1), /is closed/)
})

test('many pieces are written as one', () => {
  const file = nodeDisk().open(join(folder('pieces'), 'a'), { create: true })
  const pieces = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index},`))
  file.append(pieces)
  assert.equal(String(file.read(0, file.size)), pieces.join(''))
})

test('no more descriptors are held than allowed, and all files go on working', async () => {
  const path = folder('many')
  const disk = nodeDisk({ openFilesMax: 10 })
  const files = Array.from({ length: 60 }, (_, index) => disk.open(join(path, `${index}`), { create: true }))
  for (let round = 0; round < 3; round++) {
    for (const [index, file] of files.entries()) file.appendFrom(Buffer.from(`${index}.`), 0, `${index}.`.length)
  }
  assert.ok(openDescriptors(path) <= 10, `${openDescriptors(path)} are open`)
  await Promise.all(files.map(file => file.sync()))
  const targets = await Promise.all(
    files.map(async (file, index) => {
      const target = Buffer.alloc(20)
      const length = await file.readIntoAsync(target, 0, 20, 0)
      return [index, String(target.subarray(0, length))] as const
    }),
  )
  for (const [index, text] of targets) assert.equal(text, `${index}.`.repeat(3))
  for (const file of files) file.close()
  assert.equal(openDescriptors(path), 0)
})

test('a file that is closed while it is synced or read lets go afterwards', async () => {
  const path = folder('busy')
  const file = nodeDisk().open(join(path, 'a'), { create: true })
  file.append([Buffer.from('abc')])
  const target = Buffer.alloc(3)
  const waiting = Promise.all([file.sync(), file.readIntoAsync(target, 0, 3, 0)])
  file.close()
  await waiting
  assert.equal(String(target), 'abc')
  assert.equal(openDescriptors(path), 0)
})

test('small files are replaced as a whole', async () => {
  const path = folder('small')
  const disk = nodeDisk()
  disk.replaceFile(join(path, 'a'), Buffer.from('one'))
  disk.writeFile(join(path, 'b'), Buffer.from('two'))
  await disk.replaceFileAsync(join(path, 'a'), Buffer.from('three'))
  await disk.replaceFileAsync(join(path, 'a'), Buffer.from('four'), () => true)
  disk.setModifiedTime(join(path, 'b'), 1_700_000_000_123)
  assert.equal(disk.modifiedTime(join(path, 'b')), 1_700_000_000_123)
  assert.deepEqual(disk.list(path), [
    { name: 'a', isDirectory: false },
    { name: 'b', isDirectory: false },
  ])
  assert.equal(String(disk.readFile(join(path, 'a'))), 'three')
  disk.remove(join(path, 'b'))
  disk.remove(join(path, 'b'))
  await disk.removeAsync(join(path, 'b'))
  await disk.removeDirectoryAsync(path)
  disk.removeDirectory(path)
  assert.equal(disk.exists(path), false)
  const { totalBytes, usableBytes } = disk.space(root)
  assert.ok(totalBytes >= usableBytes && usableBytes > 0)
})

test('a lock keeps out this process, other processes, and nobody once its owner is gone', () => {
  const path = join(folder('lock'), '.lock')
  const disk = nodeDisk()
  const lock = disk.lock(path)
  assert.ok(lock !== null)
  assert.equal(disk.lock(path), null)
  const module = fileURLToPath(new URL('../../storage/node-disk.js', import.meta.url))
  const script = `import('${module}').then(({ nodeDisk }) => console.log(nodeDisk().lock('${path}') !== null))`
  const other = () => execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim()
  assert.equal(other(), 'false')
  lock.release()
  assert.equal(other(), 'true')
  // What a process that was killed leaves behind is no lock.
  const again = disk.lock(path)
  assert.ok(again !== null)
  again.release()
  writeFileSync(`${path}.owner`, '4194305 1\n')
  const last = disk.lock(path)
  assert.ok(last !== null)
  last.release()
})

test('a log directory on a real disk: append, kill, recover, stop, start', async () => {
  const path = join(root, 'data')
  const config = configOf({ segmentBytes: 500, indexIntervalBytes: 100 })
  const open = () => {
    const directory = openLogDirectory({ disk: nodeDisk({ openFilesMax: 8 }), path })
    load(directory, config)
    return directory
  }
  let directory = open()
  for (let partition = 0; partition < 5; partition++) {
    const log = directory.create({ topic: 'events', partition, topicId, config, nowMs: startMs })
    for (let index = 0; index < 20; index++)
      put(log, [`value ${index}`], { producerId: 1, producerEpoch: 0, baseSequence: index })
    if (partition === 2) await log.sync()
  }
  directory.checkpoint()
  directory.abandon()
  const expected = Array.from({ length: 20 }, (_, index) => `value ${index}`)
  for (const stop of ['kill', 'close']) {
    directory = open()
    for (const log of directory.logs()) {
      checkLog(log)
      assert.deepEqual(values(log), expected)
    }
    if (stop === 'kill') directory.abandon()
    else await directory.close(1, log => log.logEndOffset)
  }
  directory = open()
  assert.equal(directory.wasCleanShutdown, true)
  for (const log of directory.logs()) assert.deepEqual(values(log), expected)
  const log = directory.get('events', 3)!
  directory.deleteLog(log, startMs)
  await directory.removals.removeDue(Infinity)
  assert.deepEqual(
    readdirSync(path).filter(name => name.includes('events-3')),
    [],
  )
  directory.abandon()
})
