import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { oracleScript, projectDirectory } from '../broker.js'
import { installed, javaPackages } from '../cache.js'
import { runOrThrow } from '../process.js'

/** The command lines of both kinds of nodes. */
export interface Programs {
  /** The command of Ottla. */
  readonly ottla: string
  /** The command line of a broker of Kafka. */
  readonly kafkaServer: (properties: string) => string[]
  /** The command line of a class of the broker's jars. */
  readonly kafkaTool: (main: string, args: readonly string[]) => [string, string[]]
}

/** The binding of Kafka's logger that needs no file: without it the broker says nothing. */
const SLF4J_SIMPLE = 'org.slf4j:slf4j-simple:1.7.36'
const SERVER_FLAGS = ['-Xmx300M', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']
const LOGGING = [
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
  '-Dorg.slf4j.simpleLogger.log.org.apache.kafka.raft=debug',
]

/** Brings Kafka onto this machine; quick when it is there. */
export async function installPrograms(): Promise<Programs> {
  const ottla = join(projectDirectory, 'dist', 'bundle', 'main.js')
  if (!existsSync(ottla)) throw new Error(`${ottla} is not there: run npm run build`)
  await javaPackages()
  await runOrThrow('bash', [oracleScript, 'classpath'], { timeoutMs: 900_000 })
  const core = await runOrThrow('bash', [oracleScript, 'classpath'], {
    timeoutMs: 900_000,
    env: { KAFKA: 'core' },
  })
  const logger = await installed('slf4j-simple', SLF4J_SIMPLE, async directory => {
    const flags = [`-Dartifact=${SLF4J_SIMPLE}`, `-DoutputDirectory=${directory}`]
    await runOrThrow('mvn', ['-q', '-B', 'dependency:copy', ...flags], { timeoutMs: 300_000 })
  })
  const jars = core.stdout.trim()
  const withLogger = `${logger}/*:${jars}`
  return {
    ottla,
    kafkaServer: properties => ['java', ...SERVER_FLAGS, ...LOGGING, '-cp', withLogger, 'kafka.Kafka', properties],
    kafkaTool: (main, args) => ['java', [...SERVER_FLAGS, '-cp', jars, main, ...args]],
  }
}
