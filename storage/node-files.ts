import * as fs from 'node:fs'
import { parentOf } from './durable-directory.js'

/** The whole file. What fails on an open descriptor does not say of which file; this does. */
export function readWholeFile(path: string): Buffer {
  try {
    return fs.readFileSync(path)
  } catch (error) {
    if (error instanceof Error && !error.message.includes(path)) error.message += ` '${path}'`
    throw error
  }
}

/**
 * Makes a folder and those above it that are missing. Folder by folder: the recursive call of Node.js says 'no such
 * file' of a file system that is read-only, and never returns from one that takes no folders, such as /proc.
 */
export function makeFolders(path: string): void {
  try {
    fs.mkdirSync(path, 0o755)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && fs.statSync(path).isDirectory()) return
    if (code !== 'ENOENT' || fs.existsSync(parentOf(path))) throw error
    makeFolders(parentOf(path))
    fs.mkdirSync(path, 0o755)
  }
}
