import { readFileSync } from 'node:fs'
import type { BrokerConfig } from '../config/broker-config.js'
import { singleNodeProfile } from '../config/profiles.js'
import { parseProperties } from '../config/properties.js'
import { type ConfigSource, fileSource, mergeSources } from '../config/sources.js'
import { brokerConfigFrom } from '../config/start.js'

/** Where the data of `ottla start` lies when nobody says where, relative to the working directory. */
export const DATA_DIRECTORY_DEFAULT = 'ottla-data'

export interface ConfigChoices {
  readonly override: Readonly<Record<string, string>>
  readonly port?: number
  readonly data?: string
}

export type LoadedConfig =
  | { readonly ok: true; readonly config: BrokerConfig; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly lines: readonly string[] }

function optionSource(properties: ReadonlyMap<string, string>, origin: string): ConfigSource {
  return { properties, originOf: () => origin }
}

function readFile(path: string): ReturnType<typeof parseProperties> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const problem = `${path}: ${(error as Error).message}; allowed is the path of a server.properties file`
    return { ok: false, problems: [problem] } as ReturnType<typeof parseProperties>
  }
  return parseProperties(text, path)
}

/**
 * The options of a node that starts: a file (or, without one, the profile of a single node), then what the command line
 * says. The strongest comes last: file, --port and --data, --override.
 */
export function loadConfig(file: string | undefined, choices: ConfigChoices): LoadedConfig {
  const sources: ConfigSource[] = []
  let warnings: readonly string[] = []
  if (file !== undefined) {
    const read = readFile(file)
    if (!read.ok) return { ok: false, lines: read.problems.map(String) }
    sources.push(fileSource(file, read))
    warnings = read.warnings
  }
  const known = mergeSources(sources).properties
  if (choices.port !== undefined) sources.push(optionSource(portOptions(choices.port, known), '--port'))
  if (choices.data !== undefined) sources.push(optionSource(new Map([['log.dirs', choices.data]]), '--data'))
  sources.push(optionSource(new Map(Object.entries(choices.override)), '--override'))
  const profile = file === undefined ? { ...singleNodeProfile, 'log.dirs': DATA_DIRECTORY_DEFAULT } : {}
  const loaded = configOf(sources, profile)
  return loaded.ok ? { ...loaded, warnings: [...warnings, ...loaded.warnings] } : loaded
}

/** Checks the options of these sources, the weakest first, over those of a profile. */
export function configOf(sources: readonly ConfigSource[], profile: Readonly<Record<string, string>>): LoadedConfig {
  const { properties, origins } = mergeSources(sources)
  const result = brokerConfigFrom({ properties, origins, profile })
  return result.ok ? result : { ok: false, lines: result.lines }
}

/**
 * `--port`: the first listener that is for clients gets the port; the others take any free one when there is no file,
 * so that two nodes on one machine do not meet.
 */
function portOptions(port: number, known: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const listeners = known.get('listeners')
  if (listeners === undefined) {
    return new Map([
      ['listeners', `PLAINTEXT://:${port},CONTROLLER://localhost:0`],
      ['advertised.listeners', `PLAINTEXT://localhost:${port}`],
      ['controller.quorum.voters', '1@localhost:0'],
    ])
  }
  const controllers = (known.get('controller.listener.names') ?? '').split(',').map(name => name.trim())
  const isForClients = (endpoint: string) => !controllers.includes(endpoint.split('://')[0]!.trim())
  const options = new Map<string, string>()
  for (const name of ['listeners', 'advertised.listeners']) {
    const endpoints = known.get(name)?.split(',')
    if (endpoints === undefined) continue
    const first = endpoints.findIndex(isForClients)
    if (first >= 0) endpoints[first] = endpoints[first]!.replace(/:\d*\s*$/, `:${port}`)
    options.set(name, endpoints.join(','))
  }
  return options
}
