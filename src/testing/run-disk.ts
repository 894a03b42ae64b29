import type { Disk } from '#storage/disk.js'

/**
 * The disk as one run of a node has it. What the run began off the event loop goes on after it was killed, as nothing
 * does after `kill -9`: whoever runs on the same files next waits for that to end, and nothing more is begun.
 */
export class RunDisk {
  readonly disk: Disk
  readonly #underWay = new Set<Promise<void>>()
  #isKilled = false

  constructor(disk: Disk) {
    this.disk = new Proxy(disk, {
      get: (target, name) => {
        const own = this.#watched(target, name)
        return own ?? Reflect.get(target, name).bind(target)
      },
    })
  }

  /** Resolves when nothing of this run touches the files any more. */
  async kill(): Promise<void> {
    this.#isKilled = true
    await Promise.allSettled(this.#underWay)
  }

  #watched(disk: Disk, name: string | symbol): unknown {
    switch (name) {
      case 'replaceFileAsync':
        return (path: string, content: Uint8Array, isStale?: () => boolean) =>
          this.#run(() => disk.replaceFileAsync(path, content, () => this.#isKilled || isStale?.() === true))
      case 'removeAsync':
        return (path: string) => this.#run(() => disk.removeAsync(path))
      case 'removeDirectoryAsync':
        return (path: string) => this.#run(() => disk.removeDirectoryAsync(path))
      case 'syncDirectoryAsync':
        return (path: string) => this.#run(() => disk.syncDirectoryAsync(path))
      default:
        return null
    }
  }

  #run(begin: () => Promise<void>): Promise<void> {
    if (this.#isKilled) return Promise.resolve()
    const step = begin()
    this.#underWay.add(step)
    const over = (): void => {
      this.#underWay.delete(step)
    }
    step.then(over, over)
    return step
  }
}
