import type { Disk } from './disk.js'

/** Makes a folder whose name, and the names of those above it that were missing, outlive a crash. */
export function makeDurableDirectory(disk: Disk, path: string): void {
  const parents: string[] = []
  for (let missing = path; !disk.exists(missing); ) {
    missing = missing.slice(0, missing.lastIndexOf('/')) || '/'
    parents.push(missing)
  }
  disk.makeDirectory(path)
  for (const parent of parents) disk.syncDirectory(parent)
}
