import { readFileSync } from 'node:fs'
import { singleNodeProfile } from '../config/profiles.js'
import { type Environment, type ImageOptions, readImageOptions } from './image-environment.js'
import { configOf, type LoadedConfig } from './load-config.js'

/** Where the apache/kafka image keeps its data when nobody sets anything. */
const DATA_DIRECTORY = '/tmp/kraft-combined-logs'

export interface ImageConfig {
  readonly options: ImageOptions & { readonly ok: true }
  readonly loaded: LoadedConfig & { readonly ok: true }
}

/** The options of a node in a container, or the lines that say what is wrong with them. */
export function loadImageConfig(
  environment: Environment,
  assignments: readonly string[],
): { readonly ok: true; readonly config: ImageConfig } | { readonly ok: false; readonly lines: readonly string[] } {
  const options = readImageOptions(environment, assignments, { read: readIfThere })
  if (!options.ok) return options
  // Any option at all puts the image's own file aside, as in the apache/kafka image.
  const profile = options.sources.length === 0 ? { ...singleNodeProfile, 'log.dirs': DATA_DIRECTORY } : {}
  const loaded = configOf(options.sources, profile)
  return loaded.ok ? { ok: true, config: { options, loaded } } : loaded
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // A file that is there and cannot be read is a mistake that must be seen.
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new Error(`${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
