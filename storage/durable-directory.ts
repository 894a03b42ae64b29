import type { Disk } from './disk.js'

/** The folder that a path lies in: '.' for a name alone, '/' for what lies at the top and for the top itself. */
export function parentOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at > 0 ? path.slice(0, at) : at === 0 ? '/' : '.'
}

/** A path from the root on, as Kafka names directories: with one slash each, and '.' and '..' where they are. */
export function absolutePath(path: string, workingDirectory: string): string {
  const whole = path.startsWith('/') ? path : `${workingDirectory}/${path}`
  return whole.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')
}

/**
 * Makes a folder that outlives a crash, with those above it that are missing. One that is there already may be of a run
 * that ended before it was durable.
 *
 *   a/b/c, of which a is there: makes b and c; syncs a/b (which has the name of c) and a (which has that of b)
 */
export function makeDurableDirectory(disk: Disk, path: string): void {
  const parents: string[] = []
  for (let at = path; at !== parentOf(at) && (at === path || !disk.exists(at)); ) {
    at = parentOf(at)
    parents.push(at)
  }
  disk.makeDirectory(path)
  for (const parent of parents) {
    try {
      disk.syncDirectory(parent)
    } catch (error) {
      // A folder that somebody else made for us lies in one that we need not be allowed to open.
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EACCES' && code !== 'EPERM') throw error
    }
  }
}
