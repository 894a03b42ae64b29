import type { DirectoryEntry, Disk, File, Lock, OpenOptions } from '#storage/disk.js'
import { parentOf } from '#storage/durable-directory.js'
import { SeededRandom } from './random.js'

/** What happens at the I/O that was chosen. */
export type Fault =
  /** The machine is gone: that I/O is done in part, none after it is. See `crashed`. */
  | 'crash'
  /** That I/O fails, those after it do not. */
  | 'EIO'
  | 'ENOSPC'

interface WriteOperation {
  readonly kind: 'write'
  readonly position: number
  readonly bytes: Buffer
}

type DataOperation = WriteOperation | { readonly kind: 'truncate'; readonly size: number }

/** What a crash has taken. */
export interface CrashLosses {
  /** Files that lost all that was not synced. */
  lost: number
  /** Files whose last write is there in part. */
  torn: number
}

/** What was done to a disk, for those who watch it. */
export type DiskChange =
  | { readonly kind: 'create'; readonly path: string }
  | { readonly kind: 'write'; readonly path: string; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'sync'; readonly path: string; readonly size: number }
  | { readonly kind: 'sync folder'; readonly path: string }

/** A machine around the disk: its process may die before an I/O, I/Os may fail, and the device takes its time. */
export interface DiskMachine {
  /**
   * Before an I/O that changes something; what it throws is what the I/O throws. `bytes`: of a write; an error with a
   * number `done` leaves so many of them behind.
   */
  beforeIo(what: string, bytes: number): void
  /** The same before an I/O that reads. */
  beforeRead(path: string): void
  /** Resolves when the device has done what is waiting; rejects with the error of the device. */
  waitForDevice(what: string): Promise<void>
  /** The same for a call that does not return before. */
  blockOnDevice(): void
  /** After an I/O that changed something. */
  changed(change: DiskChange): void
  wallTime(): number
}

/** A file: its content as the system shows it, as the device has it, and what lies between the two. */
interface FileNode {
  readonly kind: 'file'
  content: Buffer
  size: number
  durable: Buffer
  pending: DataOperation[]
  /** Operations that have reached the device. */
  done: number
  modifiedMs: number
}

interface FolderNode {
  readonly kind: 'folder'
  entries: Map<string, Node>
  durable: Map<string, Node>
  /** Changes of names that are not on the device; each is done whole or not at all, in this order. */
  pending: ((entries: Map<string, Node>) => void)[]
  done: number
}

type Node = FileNode | FolderNode

function newFile(): FileNode {
  const none = Buffer.alloc(0)
  return { kind: 'file', content: none, size: 0, durable: none, pending: [], done: 0, modifiedMs: 0 }
}

function newFolder(): FolderNode {
  return { kind: 'folder', entries: new Map(), durable: new Map(), pending: [], done: 0 }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${path}`), { code })
}

/**
 * A disk in memory that can fail. Every call that changes something is one I/O and has a number. What was not synced is
 * lost by a crash, or part of it: of each file the first few writes since its last sync, the last of them torn; of each
 * folder the first few changes of names.
 */
export class SimDisk implements Disk {
  /** I/Os so far. */
  ioCount = 0
  /** Nothing may be changed. */
  isReadOnly = false
  /** What the I/Os were, for those who look for the one that matters. */
  readonly trace: string[] = []
  keepsTrace = true
  nowMs = 1_700_000_000_000
  /** The machine that it is in; none: I/Os take no time. */
  machine: DiskMachine | null = null
  /** Of the crash that this disk has survived. */
  readonly crash: CrashLosses = { lost: 0, torn: 0 }
  #root = newFolder()
  #isLookedAt = false
  #faultAt = Infinity
  #fault: Fault = 'EIO'
  #faultSeed = 1
  #isDead = false
  #heldSyncs: (() => void)[] | null = null
  readonly #locks = new Set<string>()

  /** The `number`th I/O from now on has this fault. */
  failAt(number: number, fault: Fault, seed = number): void {
    this.#faultAt = this.ioCount + number
    this.#fault = fault
    this.#faultSeed = seed
  }

  /** No fault is to come any more. */
  heal(): void {
    this.#faultAt = Infinity
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** Syncs wait until the function returned is called. */
  holdSyncs(): () => void {
    const held: (() => void)[] = []
    this.#heldSyncs = held
    return () => {
      this.#heldSyncs = null
      for (const release of held) release()
    }
  }

  /** What those who only watch the disk read does not fail. */
  lookedAt<T>(look: () => T): T {
    const before = this.#isLookedAt
    this.#isLookedAt = true
    try {
      return look()
    } finally {
      this.#isLookedAt = before
    }
  }

  /** The disk as another process finds it when this one was killed: everything written is there. */
  killed(): SimDisk {
    this.#isDead = true
    const next = new SimDisk()
    next.#root = this.#root
    next.nowMs = this.nowMs
    return next
  }

  /** The disk after the machine failed. The seed decides what of the unsynced is left. */
  crashed(seed: number): SimDisk {
    this.#isDead = true
    const next = new SimDisk()
    next.#root = survivors(this.#root, new SeededRandom(seed), next.crash) as FolderNode
    next.nowMs = this.nowMs
    return next
  }

  open(path: string, options: OpenOptions = {}): File {
    if (this.#isDead) throw failure('EIO', path)
    const [folder, name] = this.#locate(path)
    let node = folder.entries.get(name)
    if (node === undefined) {
      if (options.create !== true) throw failure('ENOENT', path)
      this.#io(`create ${path}`)
      node = newFile()
      node.modifiedMs = this.nowMs
      this.#change(folder, linked(name, node))
      this.machine?.changed({ kind: 'create', path })
    }
    if (node.kind !== 'file') throw failure('EISDIR', path)
    if (this.isReadOnly && options.readOnly !== true) throw failure('EROFS', path)
    return new SimFile(this, node, path)
  }

  /** Relative paths lie in one folder. */
  absolute(path: string): string {
    return path.startsWith('/') ? path : `/here/${path}`
  }

  exists(path: string): boolean {
    return this.#find(path) !== undefined
  }

  fileSize(path: string): number {
    const node = this.#find(path)
    return node?.kind === 'file' ? node.size : -1
  }

  list(path: string): readonly DirectoryEntry[] {
    const entries = [...this.#folder(path).entries]
    const listed = entries.map(([name, node]) => ({ name, isDirectory: node.kind === 'folder' }))
    return listed.sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  readFile(path: string): Buffer {
    const node = this.#find(path)
    if (this.#isDead) throw failure('EIO', path)
    if (node?.kind !== 'file') throw failure('ENOENT', path)
    this.#beforeRead(path)
    return Buffer.from(node.content.subarray(0, node.size))
  }

  replaceFile(path: string, content: Uint8Array): void {
    const file = this.#temporary(`${path}.tmp`, content)
    file.syncNow()
    this.rename(file.path, path)
    this.syncDirectory(parentOf(path))
  }

  async replaceFileAsync(path: string, content: Uint8Array, isStale?: () => boolean): Promise<void> {
    const file = this.#temporary(`${path}.async.tmp`, content)
    await file.sync()
    if (isStale?.() === true) {
      this.remove(file.path)
      return
    }
    this.rename(file.path, path)
    await this.syncDirectoryAsync(parentOf(path))
  }

  writeFile(path: string, content: Uint8Array): void {
    this.rename(this.#temporary(`${path}.tmp`, content).path, path)
  }

  #temporary(path: string, content: Uint8Array): File {
    const file = this.open(path, { create: true })
    if (file.size > 0) file.truncate(0)
    if (content.length > 0) file.append([content])
    return file
  }

  rename(from: string, to: string): void {
    const [folder, name] = this.#locate(from)
    const [target, targetName] = this.#locate(to)
    const node = folder.entries.get(name)
    if (node === undefined) throw failure('ENOENT', from)
    if (target !== folder) throw new Error(`the simulated disk renames within a folder only: ${from} to ${to}`)
    this.#io(`rename ${from} to ${to}`)
    this.#change(folder, entries => {
      const moved = entries.get(name)
      if (moved === undefined) return
      entries.delete(name)
      entries.set(targetName, moved)
    })
    this.machine?.changed({ kind: 'rename', path: from, to })
  }

  remove(path: string): void {
    const [folder, name] = this.#locate(path)
    if (!folder.entries.has(name)) return
    this.#io(`remove ${path}`)
    this.#change(folder, entries => entries.delete(name))
    this.machine?.changed({ kind: 'remove', path })
  }

  async removeAsync(path: string): Promise<void> {
    this.remove(path)
  }

  removeDirectory(path: string): void {
    this.remove(path)
  }

  async removeDirectoryAsync(path: string): Promise<void> {
    this.remove(path)
  }

  makeDirectory(path: string): void {
    let folder = this.#root
    let at = ''
    for (const name of partsOf(path)) {
      at += `/${name}`
      let node = folder.entries.get(name)
      if (node === undefined) {
        this.#io(`makeDirectory ${at}`)
        node = newFolder()
        this.#change(folder, linked(name, node))
      }
      if (node.kind !== 'folder') throw failure('ENOTDIR', at)
      folder = node
    }
  }

  syncDirectory(path: string): void {
    const folder = this.#folder(path)
    this.#io(`syncDirectory ${path}`)
    this.machine?.blockOnDevice()
    settleNames(folder, folder.done + folder.pending.length)
    this.machine?.changed({ kind: 'sync folder', path })
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    const folder = this.#folder(path)
    this.#io(`syncDirectory ${path}`)
    const target = folder.done + folder.pending.length
    await this.#deviceTime(path)
    if (this.#isDead) throw failure('EIO', path)
    settleNames(folder, target)
    this.machine?.changed({ kind: 'sync folder', path })
  }

  modifiedTime(path: string): number {
    const node = this.#find(path)
    if (node?.kind !== 'file') throw failure('ENOENT', path)
    return node.modifiedMs
  }

  setModifiedTime(path: string, timeMs: number): void {
    const node = this.#find(path)
    if (node?.kind !== 'file') throw failure('ENOENT', path)
    this.#io(`setModifiedTime ${path}`)
    node.modifiedMs = timeMs
  }

  space(): { totalBytes: number; usableBytes: number } {
    return { totalBytes: 1_000_000_000, usableBytes: 500_000_000 }
  }

  lock(path: string): Lock | null {
    if (this.#locks.has(path)) return null
    this.open(path, { create: true })
    this.#locks.add(path)
    return { release: () => this.#locks.delete(path) }
  }

  /** Counts an I/O; throws if it is the one that fails. A write that fails leaves the bytes that this returns. */
  #io(what: string, bytes = 0): number {
    if (this.#isDead) throw failure('EIO', what)
    if (this.isReadOnly) throw failure('EROFS', what)
    this.ioCount++
    if (this.keepsTrace) this.trace.push(what)
    if (this.machine !== null) {
      this.nowMs = this.machine.wallTime()
      this.machine.beforeIo(what, bytes)
    }
    if (this.ioCount !== this.#faultAt) return bytes
    if (this.#fault === 'crash') this.#isDead = true
    const done = new SeededRandom(this.#faultSeed).below(bytes + 1)
    throw Object.assign(failure(this.#fault === 'ENOSPC' ? 'ENOSPC' : 'EIO', what), { done })
  }

  #change(folder: FolderNode, change: (entries: Map<string, Node>) => void): void {
    change(folder.entries)
    folder.pending.push(change)
  }

  #deviceTime(path: string): Promise<void> {
    if (this.machine !== null) return this.machine.waitForDevice(`sync ${path}`)
    const held = this.#heldSyncs
    if (held === null) return Promise.resolve()
    return new Promise(resolve => held.push(resolve))
  }

  /** For the files of this disk. */
  writeNode(node: FileNode, path: string, position: number, bytes: Buffer): void {
    let done = bytes.length
    let error: unknown = null
    try {
      this.#io(`write ${bytes.length} bytes at ${position} of ${path}`, bytes.length)
    } catch (caught) {
      error = caught
      done = (caught as { done?: number }).done ?? 0
    }
    if (done > 0) {
      apply(node, { kind: 'write', position, bytes: bytes.subarray(0, done) }, this.nowMs)
      // Who watches is not told of a part that is cut off at once.
      if (error === null) this.machine?.changed({ kind: 'write', path, position, bytes })
    }
    if (error !== null) throw error
  }

  truncateNode(node: FileNode, path: string, size: number): void {
    this.#io(`truncate ${path} to ${size}`)
    apply(node, { kind: 'truncate', size }, this.nowMs)
    this.machine?.changed({ kind: 'truncate', path, size })
  }

  /** What a write that failed has left behind is gone. */
  cutBack(node: FileNode, size: number): void {
    apply(node, { kind: 'truncate', size }, this.nowMs)
  }

  readNode(path: string): void {
    if (this.#isDead) throw failure('EIO', path)
    this.#beforeRead(path)
  }

  #beforeRead(path: string): void {
    if (!this.#isLookedAt) this.machine?.beforeRead(path)
  }

  syncNodeNow(node: FileNode, path: string): void {
    this.#io(`sync ${path}`)
    this.machine?.blockOnDevice()
    settleContent(node, node.done + node.pending.length)
    this.machine?.changed({ kind: 'sync', path, size: node.size })
  }

  async syncNode(node: FileNode, path: string): Promise<void> {
    this.#io(`sync ${path}`)
    const target = node.done + node.pending.length
    const { size } = node
    await this.#deviceTime(path)
    if (this.#isDead) throw failure('EIO', path)
    settleContent(node, target)
    this.machine?.changed({ kind: 'sync', path, size })
  }

  #find(path: string): Node | undefined {
    let node: Node = this.#root
    for (const name of partsOf(path)) {
      if (node.kind !== 'folder') return undefined
      const next = node.entries.get(name)
      if (next === undefined) return undefined
      node = next
    }
    return node
  }

  #folder(path: string): FolderNode {
    const node = this.#find(path)
    if (node?.kind !== 'folder') throw failure('ENOENT', path)
    return node
  }

  #locate(path: string): [FolderNode, string] {
    return [this.#folder(parentOf(path)), path.slice(path.lastIndexOf('/') + 1)]
  }
}

class SimFile implements File {
  path: string
  readonly #disk: SimDisk
  readonly #node: FileNode

  constructor(disk: SimDisk, node: FileNode, path: string) {
    this.#disk = disk
    this.#node = node
    this.path = path
  }

  get size(): number {
    return this.#node.size
  }

  readInto(target: Uint8Array, offset: number, length: number, position: number): number {
    this.#disk.readNode(this.path)
    const end = Math.min(position + length, this.#node.size)
    if (end <= position) return 0
    target.set(this.#node.content.subarray(position, end), offset)
    return end - position
  }

  read(position: number, length: number): Buffer {
    const target = Buffer.alloc(Math.max(0, Math.min(length, this.size - position)))
    return target.subarray(0, this.readInto(target, 0, target.length, position))
  }

  async readIntoAsync(target: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.readInto(target, offset, length, position)
  }

  append(chunks: readonly Uint8Array[]): void {
    const size = this.size
    try {
      this.#disk.writeNode(this.#node, this.path, size, Buffer.concat(chunks))
    } catch (error) {
      // As the real one does it: what was written of the failed append is cut off, if the disk still can.
      if (this.size > size && !this.#disk.isDead) this.#disk.cutBack(this.#node, size)
      throw error
    }
  }

  appendFrom(buffer: Uint8Array, start: number, end: number): void {
    this.append([buffer.subarray(start, end)])
  }

  writeAt(position: number, data: Uint8Array): void {
    this.#disk.writeNode(this.#node, this.path, position, Buffer.from(data))
  }

  truncate(size: number): void {
    this.#disk.truncateNode(this.#node, this.path, size)
  }

  sync(): Promise<void> {
    return this.#disk.syncNode(this.#node, this.path)
  }

  syncNow(): void {
    this.#disk.syncNodeNow(this.#node, this.path)
  }

  rename(to: string): void {
    this.#disk.rename(this.path, to)
    this.path = to
  }

  close(): void {}
}

function linked(name: string, node: Node): (entries: Map<string, Node>) => void {
  return entries => entries.set(name, node)
}

function partsOf(path: string): string[] {
  return path.split('/').filter(part => part !== '')
}

function apply(node: FileNode, operation: DataOperation, nowMs: number): void {
  const kept = operation.kind === 'write' ? { ...operation, bytes: Buffer.from(operation.bytes) } : operation
  node.content = changed(node.content, node.size, kept)
  node.size = kept.kind === 'truncate' ? kept.size : Math.max(node.size, kept.position + kept.bytes.length)
  node.pending.push(kept)
  node.modifiedMs = nowMs
}

/** The device has the operations up to number `target`. */
function settleContent(node: FileNode, target: number): void {
  const settled = node.pending.splice(0, Math.max(0, target - node.done))
  node.done += settled.length
  node.durable = replayed(node.durable, settled)
}

function settleNames(folder: FolderNode, target: number): void {
  const settled = folder.pending.splice(0, Math.max(0, target - folder.done))
  folder.done += settled.length
  for (const change of settled) change(folder.durable)
}

/** A content after some operations. */
function replayed(content: Buffer, operations: readonly DataOperation[]): Buffer {
  let buffer = content
  let size = content.length
  for (const operation of operations) {
    buffer = changed(buffer, size, operation)
    size = operation.kind === 'truncate' ? operation.size : Math.max(size, operation.position + operation.bytes.length)
  }
  return Buffer.from(buffer.subarray(0, size))
}

/** The content with an operation done to it; the buffer may be longer than the content. */
function changed(content: Buffer, size: number, operation: DataOperation): Buffer {
  const end = operation.kind === 'truncate' ? operation.size : operation.position + operation.bytes.length
  let buffer = content
  if (end > buffer.length) {
    buffer = Buffer.alloc(Math.max(end, buffer.length * 2))
    content.copy(buffer, 0, 0, size)
  }
  if (operation.kind === 'write') operation.bytes.copy(buffer, operation.position)
  else buffer.fill(0, Math.min(end, size))
  return buffer
}

/** What is left of a file or a folder after a crash. */
function survivors(node: Node, random: SeededRandom, found: CrashLosses): Node {
  if (node.kind === 'folder') {
    const entries = new Map(node.durable)
    const count = random.below(node.pending.length + 1)
    for (const change of node.pending.slice(0, count)) change(entries)
    const folder = newFolder()
    for (const [name, child] of entries) folder.entries.set(name, survivors(child, random, found))
    folder.durable = new Map(folder.entries)
    return folder
  }
  const left = node.pending.slice(0, random.below(node.pending.length + 1))
  if (left.length === 0 && node.pending.length > 0) found.lost++
  const last = left.pop()
  if (last?.kind === 'write') {
    const torn = tear(last, random)
    if (!torn.bytes.equals(last.bytes)) found.torn++
    left.push(torn)
  } else if (last !== undefined) left.push(last)
  const file = newFile()
  file.content = replayed(Buffer.from(node.durable), left)
  file.size = file.content.length
  file.durable = Buffer.from(file.content)
  file.modifiedMs = node.modifiedMs
  return file
}

/** Part of a write: cut short, or of full length with zeros where sectors are missing. */
function tear(operation: WriteOperation, random: SeededRandom): WriteOperation {
  const { position, bytes } = operation
  const kept = random.below(bytes.length + 1)
  if (random.below(3) > 0) return { kind: 'write', position, bytes: bytes.subarray(0, kept) }
  const holed = Buffer.from(bytes)
  holed.fill(0, kept)
  return { kind: 'write', position, bytes: holed }
}
