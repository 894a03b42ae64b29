import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { oracleScript } from '../../broker.js'
import { logDirectory } from '../../cache.js'
import { describeEnd, type Finished, type RunOptions, run } from '../../process.js'
import type { SuiteContext } from '../../suite.js'

/** Kafka's command line tools, each by the name of its script, against the broker under test. */
export interface Tools {
  /** Runs a tool to its end, whatever that is. `--bootstrap-server` is added to the arguments. */
  readonly run: (tool: string, args: readonly string[], options?: RunOptions) => Promise<Finished>
  /** Runs a tool with these arguments alone. */
  readonly runAsIs: Tools['run']
  /** Runs a tool that must end well; returns what it wrote to standard output. */
  readonly succeed: (tool: string, args: readonly string[], input?: string) => Promise<string>
  /** Runs a tool that must say this, on either stream, and must end badly unless it is known to hide its failures. */
  readonly fail: (tool: string, args: readonly string[], says: RegExp, status?: 'any') => Promise<void>
  /** Writes a file that a tool reads; returns its path. */
  readonly file: (name: string, content: string) => string
  /** Creates a topic; the tool itself returns when it is there. */
  readonly createTopic: (name: string, partitions?: number, ...configs: string[]) => Promise<string>
}

/** A virtual machine that lives for a second need not optimise. */
const javaOptions = '-Xmx256M -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto'

function runAlone(tool: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  return run('bash', [oracleScript, 'tool', tool, ...args], options)
}

/** `server`: how the tools are told where to connect; `--bootstrap-controller` for the listener of controllers. */
export function makeTools(context: SuiteContext, server = '--bootstrap-server'): Tools {
  const { runTool: runAnywhere = runAlone } = context
  const runAsIs: Tools['run'] = (tool, args, options = {}) =>
    runAnywhere(tool, args, { timeoutMs: 60_000, ...options, env: { ...options.env, KAFKA_HEAP: javaOptions } })
  const runTool: Tools['run'] = (tool, args, options) => {
    const address = [server, context.bootstrap]
    // Tools with subcommands want what is for all of them in front; cluster alone has it behind.
    return runAsIs(tool, tool === 'cluster' ? [...args, ...address] : [...address, ...args], options)
  }
  const succeed: Tools['succeed'] = async (tool, args, input) => {
    const finished = await runTool(tool, args, input === undefined ? {} : { input })
    assert.equal(finished.code, 0, `${tool} ${args.join(' ')} ${describeEnd(finished)}`)
    return finished.stdout
  }
  return {
    run: runTool,
    runAsIs,
    succeed,
    fail: async (tool, args, says, status) => {
      const finished = await runTool(tool, args)
      assert.match(finished.stdout + finished.stderr, says)
      if (status !== 'any') assert.notEqual(finished.code, 0, `${tool} ${args.join(' ')} ends with status 0`)
    },
    file: (name, content) => {
      const directory = join(logDirectory, 'files')
      mkdirSync(directory, { recursive: true })
      const path = join(directory, context.prefix + name)
      writeFileSync(path, content)
      return path
    },
    createTopic: async (name, partitions = 1, ...configs) => {
      const topic = context.prefix + name
      const flags = configs.flatMap(config => ['--config', config])
      await succeed('topics', ['--create', '--topic', topic, '--partitions', String(partitions), ...flags])
      return topic
    },
  }
}

/** Lines of a table that a tool printed, split at white space, without empty lines. */
export function rows(output: string): string[][] {
  const lines = output.split('\n').filter(line => line.trim() !== '')
  return lines.map(line => line.trim().split(/\s+/))
}

/** The rows of a table that begin with this word. */
export function rowsOf(output: string, first: string): string[][] {
  return rows(output).filter(row => row[0] === first)
}
