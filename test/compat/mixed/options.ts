import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory } from '../cache.js'

/** What every program takes that tries a cluster of its own, for `parseArgs`. */
export const roomOptions = {
  match: { type: 'string', default: '' },
  port: { type: 'string' },
  keep: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

/** The end of the help text. */
export const roomUsage = `  --port N       the first of twenty ports (default: free ones)
  --keep FOLDER  where directories and logs lie and stay

Everything is installed into ${cacheDirectory} (OTTLA_COMPAT names another folder).
`

interface RoomValues {
  readonly port?: string | undefined
  readonly keep?: string | undefined
}

/** Where a cluster lies and listens, by the options; `name` is that of its folder where there are several. */
export function roomPlace({ port, keep }: RoomValues, name = ''): { readonly folder?: string; readonly port?: number } {
  const where = keep === undefined ? {} : { folder: join(keep, name) }
  if (where.folder !== undefined) mkdirSync(where.folder, { recursive: true })
  return { ...where, ...(port === undefined ? {} : { port: Number(port) }) }
}
