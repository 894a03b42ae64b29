import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import type { ClusterOptions } from './cluster.js'
import type { FormatOptions } from './format.js'
import { say } from './say.js'
import type { StartOptions } from './start.js'

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
const LOG_FORMATS = ['json', 'text']
const PORT_MAX = 65535

/** What the caller of `run` is told, and where the package lies. */
export interface Surroundings {
  /** The folder of package.json. */
  readonly root: URL
  /** A node that was started serves its clients. */
  onReady?(): void
}

function version(root: URL): string {
  const manifest = readFileSync(new URL('package.json', root), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

type Pairs = Record<string, string>

/** Collects `key=value` arguments, which may be given many times. */
function pairs(option: string, example: string): (text: string, previous: Pairs) => Pairs {
  return (text, previous) => {
    const at = text.indexOf('=')
    if (at <= 0) fail(`${option} '${text}': allowed is key=value, for example ${option} ${example}`)
    return { ...previous, [text.slice(0, at).trim()]: text.slice(at + 1).trim() }
  }
}

const override = pairs('--override', 'num.partitions=3')
const feature = pairs('--feature', 'metadata.version=30')

function portNumber(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > PORT_MAX) fail(`--port '${text}': allowed is 0 (any free port) to ${PORT_MAX}`)
  return port
}

function fail(message: string): never {
  process.stderr.write(`ottla: ${message}\n`)
  process.exit(2)
}

const logLevel = () =>
  new Option('--log-level <level>', 'least level that is logged').choices(LOG_LEVELS).default('info')

/** Runs the command line; sets the exit status of the process. */
export async function run(args: readonly string[], around: Surroundings): Promise<void> {
  const program = new Command('ottla')
    .description('A Kafka broker in TypeScript: speaks the real wire protocol, writes the real files.')
    .version(version(around.root))
    .showHelpAfterError()
  addNodes(program, around)
  addContainer(program)
  addTools(program)
  await program.parseAsync(args, { from: 'user' })
}

/** What runs nodes. */
function addNodes(program: Command, around: Surroundings): void {
  program
    .command('start')
    .description('start a broker (and the controller in it)')
    .argument('[properties]', 'a server.properties file, as of Apache Kafka; without it, one node on localhost:9092')
    .option('--override <key=value>', 'set one option, over the file (repeatable)', override, {})
    .option('--port <number>', 'the port for clients, on every interface (0: any free one)', portNumber)
    .option('--data <directory>', 'keep the data here (log.dirs)')
    .addOption(
      new Option('--ephemeral', 'keep the data in a temporary directory, removed at the end').conflicts('data'),
    )
    .option('--cluster-id <id>', 'the cluster that a new data directory is formatted for (22 characters of base64)')
    .addOption(logLevel())
    .addOption(
      new Option('--log-format <format>', 'how log lines are written (default: text on a terminal)').choices(
        LOG_FORMATS,
      ),
    )
    .action(async (properties: string | undefined, options: StartOptions) => {
      const { start } = await import('./start.js')
      process.exitCode = await start(properties, options, around.onReady)
    })

  program
    .command('cluster')
    .description('start several nodes as processes of this machine, their logs side by side; Ctrl-C stops them all')
    .argument('[properties...]', 'a file for each node; without any, three nodes: config/broker-{1,2,3}.properties')
    .option('--override <key=value>', 'set one option of all nodes, over the files (repeatable)', override, {})
    .addOption(logLevel())
    .action(async (files: string[], options: ClusterOptions) => {
      const { cluster } = await import('./cluster.js')
      process.exitCode = await cluster(files, options, new URL('config/', around.root))
    })
}

/** What the image of the container runs. */
function addContainer(program: Command): void {
  program
    .command('docker-start')
    .description('start a node with the options of KAFKA_* variables, as the apache/kafka image does (docs/docker.md)')
    .argument('[assignments...]', 'VARIABLE=value, over the environment')
    .action(async (assignments: string[]) => {
      const { dockerStart } = await import('./docker-start.js')
      process.exitCode = await dockerStart(assignments)
    })

  program
    .command('health')
    .description('ask a node whether it serves clients; ends with status 0 if it does')
    .argument('[address]', 'host:port; without it, the node that the KAFKA_* variables here describe')
    .action(async (address: string | undefined) => {
      const { health } = await import('./health.js')
      process.exitCode = await health(address)
    })
}

/** What helps beside that. */
function addTools(program: Command): void {
  program
    .command('format')
    .description('prepare log directories, as kafka-storage format does (start does it by itself for a new directory)')
    .argument('[properties]', 'a server.properties file')
    .option('--override <key=value>', 'set one option, over the file (repeatable)', override, {})
    .option(
      '-t, --cluster-id <id>',
      'the id of the cluster (22 characters of base64); a random one for new directories',
    )
    .option('-g, --ignore-formatted', 'leave directories alone that are formatted already')
    .option('-r, --release-version <version>', 'the metadata.version to begin with, for example 4.3 or 4.3-IV0')
    .option('-f, --feature <name=level>', 'the level of a feature to begin with (repeatable)', feature, {})
    .option('-s, --standalone', 'this node alone is the first voter of a dynamic quorum')
    .option('-I, --initial-controllers <list>', 'the first voters of a dynamic quorum: id@host:port:directory-id,...')
    .option('-N, --no-initial-controllers', 'a node that joins a dynamic quorum later')
    .option('-S, --add-scram <credential...>', 'a SCRAM credential to begin with')
    .action(async (properties: string | undefined, options: FormatOptions) => {
      const { format } = await import('./format.js')
      process.exitCode = await format(properties, options)
    })

  program
    .command('random-uuid')
    .description('print a new uuid in the form that Kafka uses, for a cluster id')
    .action(async () => {
      const { createNodeRandom } = await import('../runtime/node/random.js')
      say(createNodeRandom().uuid())
    })
}
