/**
 * What the environment of a container says, read the way the apache/kafka image reads it: `KAFKA_*` variables become
 * options, a mounted server.properties lies under them, `CLUSTER_ID` names the cluster. Nothing is written: the options
 * go to the broker as they are.
 */
import { parseProperties } from '../config/properties.js'
import { type ConfigSource, fileSource, optionOfVariable } from '../config/sources.js'
import type { LogLevelName } from './logger.js'

export type Environment = Readonly<Record<string, string | undefined>>

/** The id of a cluster for which nobody chose one; that of the apache/kafka image. */
export const CLUSTER_ID_DEFAULT = '5L6g3nShT-eMCtK--X86sw'
/** Where a user mounts files of options. */
export const MOUNTED_DIRECTORY = '/mnt/shared/config'
/** Where a user mounts keystores and the files that hold their passwords. */
export const SECRETS_DIRECTORY = '/etc/kafka/secrets'

const MOUNTED_PROPERTIES = `${MOUNTED_DIRECTORY}/server.properties`

/** Variables that speak to a Java virtual machine, or to its logging: they are taken, and nothing follows from them. */
const WITHOUT_EFFECT = [
  'KAFKA_HEAP_OPTS',
  'KAFKA_OPTS',
  'KAFKA_JMX_OPTS',
  'KAFKA_JMX_HOSTNAME',
  'KAFKA_JVM_PERFORMANCE_OPTS',
  'KAFKA_GC_LOG_OPTS',
  'KAFKA_LOG4J_OPTS',
  'KAFKA_LOG4J_LOGGERS',
]

/** The levels of log4j and ours. */
const LOG_LEVELS: Readonly<Record<string, LogLevelName>> = {
  ALL: 'trace',
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
  FATAL: 'fatal',
  OFF: 'silent',
}

/** What is read from the container besides its environment. */
export interface ImageFiles {
  /** The text of a file; null if it is not there. */
  read(path: string): string | null
}

export type ImageOptions =
  | {
      readonly ok: true
      /** The weakest first. Empty: nobody said anything, and the image's own file counts. */
      readonly sources: readonly ConfigSource[]
      readonly clusterId: string
      readonly logLevel: LogLevelName
      /** One line each for the log: variables that were set in vain. */
      readonly warnings: readonly string[]
    }
  | { readonly ok: false; readonly lines: readonly string[] }

/** A variable, and where it comes from, for messages. */
interface Variable {
  readonly value: string
  readonly origin: string
}

type Variables = Map<string, Variable>

class ImageError extends Error {
  override readonly name = 'ImageError'
}

/** Reads the environment, with `VARIABLE=value` arguments over it. */
export function readImageOptions(
  environment: Environment,
  assignments: readonly string[],
  files: ImageFiles,
): ImageOptions {
  try {
    const variables = variablesOf(environment, assignments)
    const warnings: string[] = []
    checkController(variables)
    deriveListeners(variables)
    readSecrets(variables, files)
    const logLevel = logLevelOf(variables, warnings)
    const clusterId = textOf(variables, 'CLUSTER_ID') || CLUSTER_ID_DEFAULT
    for (const name of WITHOUT_EFFECT) {
      if ((variables.get(name)?.value ?? '') !== '')
        warnings.push(`${name} is for a Java virtual machine and is ignored`)
    }
    if (files.read(`${MOUNTED_DIRECTORY}/log4j2.yaml`) !== null) {
      warnings.push(`${MOUNTED_DIRECTORY}/log4j2.yaml is ignored: KAFKA_LOG4J_ROOT_LOGLEVEL sets the level of the log`)
    }
    return { ok: true, sources: sourcesOf(variables, files), clusterId, logLevel, warnings }
  } catch (error) {
    if (error instanceof ImageError) return { ok: false, lines: error.message.split('\n') }
    throw error
  }
}

function variablesOf(environment: Environment, assignments: readonly string[]): Variables {
  const variables: Variables = new Map()
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined) variables.set(name, { value, origin: `environment variable ${name}` })
  }
  for (const assignment of assignments) {
    const at = assignment.indexOf('=')
    if (at <= 0) {
      throw new ImageError(`argument ${assignment}: allowed is VARIABLE=value, for example KAFKA_NUM_PARTITIONS=3`)
    }
    const name = assignment.slice(0, at)
    variables.set(name, { value: assignment.slice(at + 1), origin: `argument ${name}` })
  }
  return variables
}

function textOf(variables: Variables, name: string): string {
  return variables.get(name)?.value ?? ''
}

/** A node that is only a controller has nothing to tell clients. */
function checkController(variables: Variables): void {
  if (textOf(variables, 'KAFKA_PROCESS_ROLES') !== 'controller') return
  if (textOf(variables, 'KAFKA_ADVERTISED_LISTENERS') !== '') {
    throw new ImageError(
      'KAFKA_ADVERTISED_LISTENERS is not supported on a KRaft controller: leave it out where KAFKA_PROCESS_ROLES is ' +
        'controller',
    )
  }
  variables.delete('KAFKA_ADVERTISED_LISTENERS')
}

/** Where nobody says where to listen: on every interface, at the ports that are advertised. */
function deriveListeners(variables: Variables): void {
  const advertised = textOf(variables, 'KAFKA_ADVERTISED_LISTENERS')
  const isController = textOf(variables, 'KAFKA_PROCESS_ROLES') === 'controller'
  if (textOf(variables, 'KAFKA_LISTENERS') !== '' || isController || advertised === '') return
  variables.set('KAFKA_LISTENERS', {
    value: advertised.replace(/:\/\/(\[[^\]]*\]|[^:,]*):/g, '://0.0.0.0:'),
    origin: 'from KAFKA_ADVERTISED_LISTENERS, as KAFKA_LISTENERS is not set',
  })
}

/** Keystores and their passwords lie in files; variables name the files. */
function readSecrets(variables: Variables, files: ImageFiles): void {
  if (!textOf(variables, 'KAFKA_ADVERTISED_LISTENERS').includes('SSL://')) return
  const fileOf = (name: string): { readonly path: string; readonly text: string } => {
    const file = textOf(variables, name)
    if (file === '') throw new ImageError(`${name} is not set, and a listener of KAFKA_ADVERTISED_LISTENERS needs it`)
    const path = `${SECRETS_DIRECTORY}/${file}`
    const text = files.read(path)
    if (text === null) throw new ImageError(`${name}=${file}: there is no file ${path} that can be read`)
    return { path, text }
  }
  const set = (target: string, value: string, from: string): void => {
    variables.set(target, { value, origin: `environment variable ${from}` })
  }
  const location = (target: string, from: string): void => set(target, fileOf(from).path, from)
  // A password ends where its line ends: editors put a newline behind it.
  const password = (target: string, from: string): void => set(target, fileOf(from).text.replace(/[\r\n]+$/, ''), from)
  location('KAFKA_SSL_KEYSTORE_LOCATION', 'KAFKA_SSL_KEYSTORE_FILENAME')
  password('KAFKA_SSL_KEY_PASSWORD', 'KAFKA_SSL_KEY_CREDENTIALS')
  password('KAFKA_SSL_KEYSTORE_PASSWORD', 'KAFKA_SSL_KEYSTORE_CREDENTIALS')
  if (!/required|requested/.test(textOf(variables, 'KAFKA_SSL_CLIENT_AUTH'))) return
  location('KAFKA_SSL_TRUSTSTORE_LOCATION', 'KAFKA_SSL_TRUSTSTORE_FILENAME')
  password('KAFKA_SSL_TRUSTSTORE_PASSWORD', 'KAFKA_SSL_TRUSTSTORE_CREDENTIALS')
}

/** Variables that say where secrets lie, and become options under other names. */
const SECRET_VARIABLES =
  /^KAFKA_SSL_(KEYSTORE_FILENAME|KEY_CREDENTIALS|KEYSTORE_CREDENTIALS|TRUSTSTORE_FILENAME|TRUSTSTORE_CREDENTIALS)$/

function logLevelOf(variables: Variables, warnings: string[]): LogLevelName {
  const given = textOf(variables, 'KAFKA_LOG4J_ROOT_LOGLEVEL')
  if (given === '') return 'info'
  const level = LOG_LEVELS[given.toUpperCase()]
  if (level !== undefined) return level
  const allowed = Object.keys(LOG_LEVELS).join(', ')
  warnings.push(`KAFKA_LOG4J_ROOT_LOGLEVEL=${given} is ignored: allowed is one of ${allowed}`)
  return 'info'
}

function sourcesOf(variables: Variables, files: ImageFiles): readonly ConfigSource[] {
  const sources: ConfigSource[] = []
  const mounted = files.read(MOUNTED_PROPERTIES)
  if (mounted !== null) {
    const file = parseProperties(mounted, MOUNTED_PROPERTIES)
    if (!file.ok) throw new ImageError(file.problems.join('\n'))
    sources.push(fileSource(MOUNTED_PROPERTIES, file))
  }
  const fromVariables = variableSource(variables)
  if (fromVariables.properties.size > 0) sources.push(fromVariables)
  return sources
}

/**
 * Each variable as the line of a properties file that it would be: what a backslash means there, it means here, and
 * blanks before a value do not count.
 */
function variableSource(variables: Variables): ConfigSource {
  const properties = new Map<string, string>()
  const origins = new Map<string, string>()
  for (const [variable, { value, origin }] of variables) {
    const option = SECRET_VARIABLES.test(variable) ? null : optionOfVariable(variable)
    if (option === null) continue
    const line = parseProperties(`${option}=${value}`, origin)
    if (!line.ok) throw new ImageError(line.problems.join('\n'))
    for (const [name, text] of line.properties) {
      properties.set(name, text)
      origins.set(name, origin)
    }
  }
  return { properties, originOf: name => origins.get(name) ?? 'environment' }
}
