import { spawnSync } from 'node:child_process'
import { mkdirSync, statfsSync } from 'node:fs'

const ROOM = '2g'
/** What is left when it is full, KiB. */
const LEFT_KIB = 128

/**
 * A file system in memory of its own, below the data of one node, whose size can be changed while it is used. Needs the
 * rights of root.
 */
export class SmallDisk {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** null where this machine does not let us mount. */
  static mount(path: string): SmallDisk | null {
    mkdirSync(path, { recursive: true })
    if (process.getuid?.() !== 0) return null
    const made = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${ROOM}`, 'ottla-chaos', path])
    return made.status === 0 ? new SmallDisk(path) : null
  }

  /** From now on there is next to no room left. */
  fill(): void {
    const { blocks, bfree, bsize } = statfsSync(this.path)
    const usedKib = Math.ceil(((blocks - bfree) * bsize) / 1024)
    this.#resize(`${usedKib + LEFT_KIB}k`)
  }

  free(): void {
    this.#resize(ROOM)
  }

  #resize(size: string): void {
    const done = spawnSync('mount', ['-o', `remount,size=${size}`, this.path])
    if (done.status !== 0) throw new Error(`cannot resize ${this.path} to ${size}: ${done.stderr.toString()}`)
  }

  unmount(): void {
    // Lazily: a node that was killed a moment ago may still hold it.
    spawnSync('umount', ['--lazy', this.path])
  }
}
