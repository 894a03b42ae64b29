import type { ConfigMap } from './layers.js'
import type { PropertiesFile } from './properties.js'

/** Options from one place: a file, the command line, the environment. */
export interface ConfigSource {
  readonly properties: ConfigMap
  /** Where an option of this source stands, for messages: 'server.properties:12', '--override'. */
  readonly originOf: (name: string) => string
}

export interface MergedSources {
  readonly properties: ConfigMap
  readonly origins: ReadonlyMap<string, string>
}

/** Puts sources over one another; later ones win. */
export function mergeSources(sources: readonly ConfigSource[]): MergedSources {
  const properties = new Map<string, string>()
  const origins = new Map<string, string>()
  for (const source of sources) {
    for (const [name, value] of source.properties) {
      properties.set(name, value)
      origins.set(name, source.originOf(name))
    }
  }
  return { properties, origins }
}

/** The options of a properties file that was read. */
export function fileSource(fileName: string, file: PropertiesFile & { readonly ok: true }): ConfigSource {
  return { properties: file.properties, originOf: name => `${fileName}:${file.lines.get(name)}` }
}

/** Environment variables of the image that are not options of the broker. */
const NOT_OPTIONS = new Set([
  'KAFKA_VERSION',
  'KAFKA_HEAP_OPTS',
  'KAFKA_LOG4J_OPTS',
  'KAFKA_OPTS',
  'KAFKA_JMX_OPTS',
  'KAFKA_JVM_PERFORMANCE_OPTS',
  'KAFKA_GC_LOG_OPTS',
  'KAFKA_LOG4J_ROOT_LOGLEVEL',
  'KAFKA_LOG4J_LOGGERS',
  'KAFKA_TOOLS_LOG4J_LOGLEVEL',
  'KAFKA_JMX_HOSTNAME',
])

/**
 * The option that an environment variable stands for, as in the apache/kafka image, or null.
 *
 * KAFKA_NODE_ID -> node.id, KAFKA_A__B -> a_b, KAFKA_A___B -> a-b
 */
export function optionOfVariable(variable: string): string | null {
  if (!variable.startsWith('KAFKA_') || variable === 'KAFKA_' || NOT_OPTIONS.has(variable)) return null
  return variable.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.').replaceAll('...', '-').replaceAll('..', '_')
}

/** The options among environment variables, as the apache/kafka image takes them. */
export function environmentSource(environment: Readonly<Record<string, string | undefined>>): ConfigSource {
  const properties = new Map<string, string>()
  const variables = new Map<string, string>()
  for (const [variable, value] of Object.entries(environment)) {
    const name = optionOfVariable(variable)
    if (name === null || value === undefined) continue
    properties.set(name, value)
    variables.set(name, variable)
  }
  return { properties, originOf: name => `environment variable ${variables.get(name) ?? name}` }
}

/** What came of reading `--override key=value` arguments. */
export type Overrides =
  | { readonly ok: true; readonly source: ConfigSource }
  | { readonly ok: false; readonly problems: readonly string[] }

/** Reads `key=value` arguments; later ones win. */
export function overrideSource(overrides: readonly string[]): Overrides {
  const properties = new Map<string, string>()
  const problems: string[] = []
  for (const override of overrides) {
    const equals = override.indexOf('=')
    const name = equals < 0 ? '' : override.slice(0, equals).trim()
    if (name === '') problems.push(`--override ${override}: write it as key=value`)
    else properties.set(name, override.slice(equals + 1))
  }
  if (problems.length > 0) return { ok: false, problems }
  return { ok: true, source: { properties, originOf: () => '--override' } }
}
