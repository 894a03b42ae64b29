import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import vm from 'node:vm'

/*
 * Most of the time between the start of a process and its first answer is spent on compiling this program. So the
 * bundle has it a second time, as one script beside what V8 made of it when it was built:
 *
 *   dist/bundle/main.js              finds the script, or falls back on the modules
 *               program.cjs          all of the command line and the broker, in one function
 *               program.<id>.cache   bytecode of what runs until a node is ready; <id>: the hash of program.cjs
 *
 * V8 refuses a cache of another version of itself or with other flags; then the script is compiled as any other.
 */

export type Program = typeof import('./program.js')

export interface CompiledProgram {
  readonly program: Program
  readonly script: vm.Script
  /** Where its cache is, or should be. */
  readonly cachePath: string
  /** Whether V8 took the cache: false if there is none, or it was made by another V8. */
  readonly isFromCache: boolean
}

/** The first line of the script is this and the id. */
const ID_PREFIX = '// '
const ID_LENGTH = 16

/**
 * The program of the script in this folder; null where there is none (sources that were not bundled). What the script
 * wants of packages it asks `require` for: functions that come from a cache cannot import.
 */
export function compileProgram(folder: string): CompiledProgram | null {
  const path = join(folder, 'program.cjs')
  if (!existsSync(path)) return null
  // It has no other characters than those of ASCII.
  const source = readFileSync(path, 'latin1')
  const id = source.slice(ID_PREFIX.length, ID_PREFIX.length + ID_LENGTH)
  const cachePath = join(folder, `program.${id}.cache`)
  const cachedData = existsSync(cachePath) ? readFileSync(cachePath) : undefined
  const script = new vm.Script(source, { filename: path, ...(cachedData === undefined ? {} : { cachedData }) })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(path), module, path, dirname(path))
  const isFromCache = cachedData !== undefined && script.cachedDataRejected === false
  return { program: module.exports as Program, script, cachePath, isFromCache }
}
