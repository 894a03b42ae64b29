import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { logDirectory } from './cache.js'
import { describeEnd, type Finished, type RunOptions, run } from './process.js'
import { type Codec, codecOfFirstBatch } from './wire.js'

/** What one check found. `error` is absent when it passed. */
export interface CheckResult {
  readonly suite: string
  readonly check: string
  readonly tookMs: number
  readonly error?: string
}

/** What a suite is given when it runs. */
export interface SuiteContext {
  readonly bootstrap: string
  /** Begins every name of topic, group and client that the suite uses, so that suites and runs do not meet. */
  readonly prefix: string
  /** Only checks whose name contains this are run. Empty: all. */
  readonly match: string
  readonly report: (result: Omit<CheckResult, 'suite'>) => void
  /** Runs one of Kafka's tools, by its name. Default: in a virtual machine of its own. */
  readonly runTool?: (tool: string, args: readonly string[], options: RunOptions) => Promise<Finished>
}

/** A client or a set of tools, and what it must be able to do with a broker. */
export interface Suite {
  readonly name: string
  readonly about: string
  /** Brings everything that the suite runs onto this machine. Quick when it is there. */
  readonly install: () => Promise<void>
  readonly run: (context: SuiteContext) => Promise<void>
}

/** Runs one check of a suite that is written here, and reports how it went. */
export async function check(context: SuiteContext, name: string, body: () => Promise<void>): Promise<void> {
  if (!name.includes(context.match)) return
  const startedAt = Date.now()
  try {
    await body()
    context.report({ check: name, tookMs: Date.now() - startedAt })
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    context.report({ check: name, tookMs: Date.now() - startedAt, error: text })
  }
}

/** Asks again until the body stops throwing; then returns what it returned. Throws its last error after the time. */
export async function eventually<T>(body: () => Promise<T>, timeoutMs = 20_000): Promise<T> {
  const deadline = Date.now() + timeoutMs
  while (true) {
    try {
      return await body()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

/** A program in its own language that runs the checks of a suite. */
export interface ClientProgram {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

/**
 * Runs a client program. It learns broker, prefix and match from `COMPAT_BOOTSTRAP`, `COMPAT_PREFIX`, `COMPAT_MATCH`,
 * and writes a JSON object a line to standard output:
 *
 *     {"check":"name","tookMs":12}   {"check":"name","tookMs":12,"error":"what went wrong"}   one check
 *     {"codec":"gzip","topic":"name","partition":0}     look whether the first batch there is compressed so
 *     {"done":true}                                     the last line: every check has been run
 *
 * Any other line, and standard error, goes to the log of the suite.
 */
export async function runClientProgram(suite: string, context: SuiteContext, program: ClientProgram): Promise<void> {
  const log: string[] = []
  const looks: Promise<void>[] = []
  let done = false
  const onLine = (line: string) => {
    const message = parse(line)
    if (message === undefined) log.push(line)
    else if (message.done === true) done = true
    else if (message.codec !== undefined) looks.push(lookAtCodec(context, message))
    else if (message.check !== undefined) {
      const result = { check: message.check, tookMs: message.tookMs ?? 0 }
      context.report(message.error === undefined ? result : { ...result, error: message.error })
    }
  }
  const finished = await run(program.command, program.args, {
    ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
    env: {
      ...program.env,
      COMPAT_BOOTSTRAP: context.bootstrap,
      COMPAT_PREFIX: context.prefix,
      COMPAT_MATCH: context.match,
    },
    timeoutMs: program.timeoutMs,
    onLine,
  })
  await Promise.all(looks)
  mkdirSync(logDirectory, { recursive: true })
  writeFileSync(join(logDirectory, `${suite}.log`), `${log.join('\n')}\n${finished.stderr}`)
  if (finished.code === 0 && done) return
  const end = describeEnd({ ...finished, stdout: log.join('\n') })
  const how = done ? end : `the program ended before all checks were run\n${end}`
  context.report({ check: 'the client program ends well', tookMs: 0, error: how })
}

interface ProgramMessage {
  readonly check?: string
  readonly tookMs?: number
  readonly error?: string
  readonly done?: boolean
  readonly codec?: Codec
  readonly topic?: string
  readonly partition?: number
}

function parse(line: string): ProgramMessage | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as ProgramMessage
  } catch {
    return undefined
  }
}

/** Clients leave compression out without a word when they misread what a broker can do: look at what is stored. */
async function lookAtCodec(context: SuiteContext, wanted: ProgramMessage): Promise<void> {
  const startedAt = Date.now()
  const name = `the broker holds ${wanted.codec} batches of ${wanted.codec} records`
  let error: string | undefined
  try {
    const found = await codecOfFirstBatch(context.bootstrap, wanted.topic ?? '', wanted.partition ?? 0)
    if (found !== wanted.codec) error = `the first batch of ${wanted.topic} is ${found}, not ${wanted.codec}`
  } catch (failure) {
    error = String(failure)
  }
  const result = { check: name, tookMs: Date.now() - startedAt }
  context.report(error === undefined ? result : { ...result, error })
}
