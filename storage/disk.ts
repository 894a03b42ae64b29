/**
 * The disk port. Appends, reads and bookkeeping are synchronous: a hop through a thread pool costs more than the write
 * into the page cache (measured). Only what waits for the device is asynchronous: `sync`, and reads of cold data.
 *
 * Every method throws (or rejects with) the operating system's error, whose `code` is kept (ENOSPC, EIO, EACCES, ...).
 */
export interface Disk {
  /** Opens a file for reading and writing. `create`: make it if it is not there. `readOnly`: no writing. */
  open(path: string, options?: OpenOptions): File
  exists(path: string): boolean
  /** A path as it is from the root of the file system; links, '.' and '..' in it stay. */
  absolute(path: string): string
  /** Bytes in a file without opening it; -1 if it is not there. */
  fileSize(path: string): number
  /** Names (not paths) of what is in a folder, sorted. */
  list(path: string): readonly DirectoryEntry[]
  /** Small files: whole content. */
  readFile(path: string): Buffer
  /**
   * Replaces a small file so that a crash leaves the old or the new content: temporary file, sync, rename, sync of the
   * folder.
   */
  replaceFile(path: string, content: Uint8Array): void
  /**
   * The same, waiting for the device off the event loop. One at a time for a path. `isStale` is asked before the new
   * content takes the place of the old: if it is, the old stays.
   */
  replaceFileAsync(path: string, content: Uint8Array, isStale?: () => boolean): Promise<void>
  /** Replaces a small file by rename without waiting for the device: readers of a running system see old or new. */
  writeFile(path: string, content: Uint8Array): void
  rename(from: string, to: string): void
  /** Removes a file; no error if it is not there. */
  remove(path: string): void
  /** The same off the event loop: giving back the blocks of a large file takes its time. */
  removeAsync(path: string): Promise<void>
  /** Removes a folder with all in it; no error if it is not there. */
  removeDirectory(path: string): void
  removeDirectoryAsync(path: string): Promise<void>
  /** Makes a folder and those above it; no error if it is there. */
  makeDirectory(path: string): void
  /** Makes names created, renamed or removed in a folder durable. */
  syncDirectory(path: string): void
  syncDirectoryAsync(path: string): Promise<void>
  /** Last modification, ms since 1970; the file must be there. */
  modifiedTime(path: string): number
  setModifiedTime(path: string, timeMs: number): void
  /** Bytes in all and free on the file system of a folder. */
  space(path: string): { totalBytes: number; usableBytes: number }
  /** Takes the exclusive lock of a file (made if missing), held until `release`; null when another process holds it. */
  lock(path: string): Lock | null
}

export interface OpenOptions {
  readonly create?: boolean
  readonly readOnly?: boolean
}

export interface DirectoryEntry {
  readonly name: string
  readonly isDirectory: boolean
}

export interface Lock {
  release(): void
}

export interface File {
  readonly path: string
  /** Bytes in the file, as this handle knows it (it is the only writer). */
  readonly size: number
  /** Reads up to `length` bytes at `position` into `target` at `offset`; returns how many there were. */
  readInto(target: Uint8Array, offset: number, length: number, position: number): number
  /** Reads up to `length` bytes at `position` into a fresh buffer; shorter at the end of the file. */
  read(position: number, length: number): Buffer
  /** As readInto, but off the event loop: for data that may have left the page cache. */
  readIntoAsync(target: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /**
   * Writes the chunks at the end. All or nothing as far as this handle's `size` goes: after an error, the file is cut
   * back (as far as the system lets it) and `size` is what it was.
   */
  append(chunks: readonly Uint8Array[]): void
  /** The same for the bytes `buffer[start, end)`: spares the view. */
  appendFrom(buffer: Uint8Array, start: number, end: number): void
  /** Overwrites bytes inside the file (indexes, never log data). */
  writeAt(position: number, data: Uint8Array): void
  truncate(size: number): void
  /** Makes content and size durable (fdatasync), off the event loop. */
  sync(): Promise<void>
  /** The same, on the event loop: for rare writes whose durability must come before the next step. */
  syncNow(): void
  /** Renames the file; the handle goes with it. */
  rename(to: string): void
  /** Lets go of the descriptor once what is under way has ended. */
  close(): void
}
