import * as fs from 'node:fs'
import { rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { DirectoryEntry, Disk, File, Lock, OpenOptions } from './disk.js'
import { isMissing } from './disk-error.js'
import { absolutePath, parentOf } from './durable-directory.js'
import { makeFolders, readWholeFile } from './node-files.js'

export interface NodeDiskOptions {
  /** Descriptors kept open at a time, not counting those of files that are being synced or read in the pool. */
  readonly openFilesMax?: number
}

/** The disk of the operating system. Descriptors are opened when they are needed and closed when too many are open. */
export function nodeDisk(options: NodeDiskOptions = {}): Disk {
  return new NodeDisk(options.openFilesMax ?? 4000)
}

const noDescriptor = -1

/**
 * Which files hold a descriptor. Beyond the limit the one that has not been used since the hand last passed is closed
 * (the clock algorithm: a use costs one assignment).
 */
class OpenFiles {
  readonly #limit: number
  readonly #ring: NodeFile[] = []
  #hand = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(file: NodeFile): void {
    if (this.#ring.length < this.#limit) {
      file.ringIndex = this.#ring.length
      this.#ring.push(file)
      return
    }
    // Two rounds: the first may only take marks away. If all are busy the limit gives way by as many.
    for (let step = 0; step < 2 * this.#ring.length; step++) {
      this.#hand = (this.#hand + 1) % this.#ring.length
      const candidate = this.#ring[this.#hand]!
      if (candidate.tryEvict()) {
        file.ringIndex = this.#hand
        this.#ring[this.#hand] = file
        return
      }
    }
    file.ringIndex = this.#ring.length
    this.#ring.push(file)
  }

  remove(file: NodeFile): void {
    const last = this.#ring.pop()!
    if (last !== file) {
      this.#ring[file.ringIndex] = last
      last.ringIndex = file.ringIndex
    }
    file.ringIndex = -1
  }
}

class NodeFile implements File {
  path: string
  size: number
  /** Place among the open files, -1 when no descriptor is held. */
  ringIndex = -1
  readonly #open: OpenFiles
  readonly #flags: number
  #descriptor = noDescriptor
  /** Calls under way in the pool: the descriptor must stay. */
  #busy = 0
  #isUsed = false
  #isClosed = false

  constructor(open: OpenFiles, path: string, flags: number) {
    this.#open = open
    this.path = path
    this.#descriptor = fs.openSync(path, flags, 0o644)
    this.#flags = flags & ~fs.constants.O_CREAT
    this.size = fs.fstatSync(this.#descriptor).size
    open.add(this)
  }

  readInto(target: Uint8Array, offset: number, length: number, position: number): number {
    const descriptor = this.#use()
    let done = 0
    while (done < length) {
      const count = fs.readSync(descriptor, target, offset + done, length - done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  read(position: number, length: number): Buffer {
    const target = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, this.size - position)))
    return target.subarray(0, this.readInto(target, 0, target.length, position))
  }

  readIntoAsync(target: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const descriptor = this.#hold()
      let done = 0
      const step = () =>
        fs.read(descriptor, target, offset + done, length - done, position + done, (error, count) => {
          if (error === null && count > 0 && (done += count) < length) return step()
          this.#letGo()
          if (error === null) resolve(done)
          else reject(error)
        })
      step()
    })
  }

  append(chunks: readonly Uint8Array[]): void {
    let length = 0
    for (const chunk of chunks) length += chunk.length
    const descriptor = this.#use()
    try {
      let skip = fs.writevSync(descriptor, chunks as Uint8Array[], this.size)
      let position = this.size + skip
      // The system may take less than it was given: the rest goes chunk by chunk.
      for (let index = 0; position < this.size + length; index++) {
        const chunk = chunks[index]!
        if (skip < chunk.length) {
          writeFully(descriptor, chunk, skip, chunk.length, position)
          position += chunk.length - skip
        }
        skip = Math.max(0, skip - chunk.length)
      }
    } catch (error) {
      this.#cutBack(descriptor)
      throw error
    }
    this.size += length
  }

  appendFrom(buffer: Uint8Array, start: number, end: number): void {
    const descriptor = this.#use()
    try {
      writeFully(descriptor, buffer, start, end, this.size)
    } catch (error) {
      this.#cutBack(descriptor)
      throw error
    }
    this.size += end - start
  }

  writeAt(position: number, data: Uint8Array): void {
    writeFully(this.#use(), data, 0, data.length, position)
    this.size = Math.max(this.size, position + data.length)
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.#use(), size)
    this.size = size
  }

  async sync(): Promise<void> {
    const descriptor = this.#hold()
    try {
      await waited(done => fs.fdatasync(descriptor, done))
    } finally {
      this.#letGo()
    }
  }

  syncNow(): void {
    fs.fdatasyncSync(this.#use())
  }

  rename(to: string): void {
    fs.renameSync(this.path, to)
    this.path = to
  }

  close(): void {
    this.#isClosed = true
    if (this.#busy === 0) this.#release()
  }

  /** Gives the descriptor up if nothing needs it and it was not used since this was last asked. */
  tryEvict(): boolean {
    if (this.#busy > 0) return false
    if (this.#isUsed) {
      this.#isUsed = false
      return false
    }
    fs.closeSync(this.#descriptor)
    this.#descriptor = noDescriptor
    this.ringIndex = -1
    return true
  }

  #use(): number {
    this.#isUsed = true
    if (this.#descriptor === noDescriptor) {
      if (this.#isClosed) throw new Error(`${this.path} is closed`)
      this.#descriptor = fs.openSync(this.path, this.#flags)
      this.#open.add(this)
    }
    return this.#descriptor
  }

  #hold(): number {
    const descriptor = this.#use()
    this.#busy++
    return descriptor
  }

  #letGo(): void {
    this.#busy--
    if (this.#isClosed && this.#busy === 0) this.#release()
  }

  #release(): void {
    if (this.#descriptor === noDescriptor) return
    this.#open.remove(this)
    const descriptor = this.#descriptor
    this.#descriptor = noDescriptor
    fs.closeSync(descriptor)
  }

  /** After a write that failed half way: what it left behind `size` must not be taken for data. */
  #cutBack(descriptor: number): void {
    try {
      fs.ftruncateSync(descriptor, this.size)
    } catch {
      // The error of the write is the one to tell; recovery cuts off what stays.
    }
  }
}

function writeFully(descriptor: number, buffer: Uint8Array, start: number, end: number, position: number): void {
  let at = start
  while (at < end) at += fs.writeSync(descriptor, buffer, at, end - at, position + at - start)
}

class NodeDisk implements Disk {
  readonly #open: OpenFiles

  constructor(openFilesMax: number) {
    this.#open = new OpenFiles(Math.max(8, openFilesMax))
  }

  open(path: string, options: OpenOptions = {}): File {
    const access = options.readOnly === true ? fs.constants.O_RDONLY : fs.constants.O_RDWR
    return new NodeFile(this.#open, path, options.create === true ? access | fs.constants.O_CREAT : access)
  }

  exists(path: string): boolean {
    return fs.existsSync(path)
  }

  absolute(path: string): string {
    return absolutePath(path, process.cwd())
  }

  fileSize(path: string): number {
    return fs.statSync(path, { throwIfNoEntry: false })?.size ?? -1
  }

  list(path: string): readonly DirectoryEntry[] {
    const entries = fs.readdirSync(path, { withFileTypes: true })
    const listed = entries.map(entry => ({ name: entry.name, isDirectory: entry.isDirectory() }))
    return listed.sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  readFile(path: string): Buffer {
    return readWholeFile(path)
  }

  replaceFile(path: string, content: Uint8Array): void {
    const temporary = `${path}.tmp`
    const descriptor = fs.openSync(temporary, 'w', 0o644)
    try {
      writeFully(descriptor, content, 0, content.length, 0)
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
    fs.renameSync(temporary, path)
    this.syncDirectory(parentOf(path))
  }

  async replaceFileAsync(path: string, content: Uint8Array, isStale?: () => boolean): Promise<void> {
    // A name of its own, so that a synchronous replacement in the meantime cannot meet a half-written file.
    const temporary = `${path}.async.tmp`
    const descriptor = fs.openSync(temporary, 'w', 0o644)
    try {
      writeFully(descriptor, content, 0, content.length, 0)
      await waited(done => fs.fsync(descriptor, done))
    } finally {
      fs.closeSync(descriptor)
    }
    if (isStale?.() === true) {
      fs.unlinkSync(temporary)
      return
    }
    fs.renameSync(temporary, path)
    await this.syncDirectoryAsync(parentOf(path))
  }

  writeFile(path: string, content: Uint8Array): void {
    const temporary = `${path}.tmp`
    fs.writeFileSync(temporary, content, { mode: 0o644 })
    fs.renameSync(temporary, path)
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to)
  }

  remove(path: string): void {
    try {
      fs.unlinkSync(path)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  async removeAsync(path: string): Promise<void> {
    try {
      await waited(done => fs.unlink(path, done))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  removeDirectory(path: string): void {
    fs.rmSync(path, { recursive: true, force: true })
  }

  removeDirectoryAsync(path: string): Promise<void> {
    return rm(path, { recursive: true, force: true })
  }

  readonly makeDirectory = makeFolders

  syncDirectory(path: string): void {
    const descriptor = fs.openSync(path, 'r')
    try {
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    const descriptor = fs.openSync(path, 'r')
    try {
      await waited(done => fs.fsync(descriptor, done))
    } finally {
      fs.closeSync(descriptor)
    }
  }

  modifiedTime(path: string): number {
    return Math.floor(fs.statSync(path).mtimeMs)
  }

  setModifiedTime(path: string, timeMs: number): void {
    // A little more, so that the fraction of a second that the system stores is not below the millisecond.
    const seconds = (timeMs + 0.001) / 1000
    fs.utimesSync(path, seconds, seconds)
  }

  space(path: string): { totalBytes: number; usableBytes: number } {
    const system = fs.statfsSync(path)
    return { totalBytes: system.blocks * system.bsize, usableBytes: system.bavail * system.bsize }
  }

  lock(path: string): Lock | null {
    const native = nativeLocks()
    return native === null ? lockWithoutNative(path) : lockWithNative(path, native)
  }
}

function waited(call: (done: (error: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call(error => (error === null ? resolve() : reject(error)))
  })
}

/**
 * What is used of the package `fs-native-extensions`: open file description locks, which fcntl locks of others
 * respect.
 */
interface NativeLocks {
  tryLock(descriptor: number): boolean
}

/** What the built part of the package has, which its JavaScript wraps. */
interface LockBinding {
  /** Throws an Error with code EAGAIN when another has the lock. */
  tryLock(descriptor: number, offset: number, length: number, exclusive: boolean): void
}

/** Loaded when the first lock is asked for; null where the package has no build for the platform. */
function nativeLocks(): NativeLocks | null {
  const require = createRequire(import.meta.url)
  try {
    // The package looks for its built part with a dozen modules, which takes longer than all else at start.
    const built = `fs-native-extensions/prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`
    const binding = require(built) as LockBinding
    if (typeof binding.tryLock === 'function') return { tryLock: descriptor => tryLockWith(binding, descriptor) }
  } catch {
    // It lies elsewhere: the package knows where.
  }
  try {
    return require('fs-native-extensions') as NativeLocks
  } catch {
    return null
  }
}

function tryLockWith(binding: LockBinding, descriptor: number): boolean {
  try {
    binding.tryLock(descriptor, 0, 0, true)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false
    throw error
  }
}

/** Excludes every process that locks as Kafka does (a record lock by fcntl), and others of this process too. */
function lockWithNative(path: string, native: NativeLocks): Lock | null {
  const descriptor = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644)
  try {
    if (native.tryLock(descriptor)) return { release: () => fs.closeSync(descriptor) }
  } catch (error) {
    fs.closeSync(descriptor)
    throw error
  }
  fs.closeSync(descriptor)
  return null
}

/**
 * Without the package Node.js has no record locks. A file `<path>.owner` with our process id keeps out others of our
 * kind, and the kernel's table of locks (Linux) shows a Kafka that runs now; one that starts later is not kept out.
 */
function lockWithoutNative(path: string): Lock | null {
  fs.closeSync(fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644))
  if (isLockedByOther(path)) return null
  const owner = `${path}.owner`
  const mine = `${owner}.${process.pid}`
  fs.writeFileSync(mine, `${process.pid} ${processStart(process.pid)}\n`)
  try {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        fs.linkSync(mine, owner) // fails if it is there, and is never seen half written
        return { release: () => fs.rmSync(owner, { force: true }) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      if (isOwnerAlive(owner)) return null
      fs.rmSync(owner, { force: true })
    }
    return null
  } finally {
    fs.rmSync(mine, { force: true })
  }
}

function isOwnerAlive(owner: string): boolean {
  try {
    const [pid = '', start = ''] = fs.readFileSync(owner, 'utf8').trim().split(' ')
    process.kill(Number(pid), 0)
    return start === '' || processStart(Number(pid)) === start
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When a process began, in the kernel's ticks, so that a process id used again is not taken for the old process. */
function processStart(pid: number): string {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return '' // not known
  }
}

function isLockedByOther(path: string): boolean {
  try {
    const inode = fs.statSync(path).ino
    return fs
      .readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .some(line => / (POSIX|OFDLCK) /.test(line) && line.includes(`:${inode} `))
  } catch {
    return false // not known
  }
}
