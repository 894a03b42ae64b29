import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { oracleScript } from './broker.js'
import type { Finished, RunOptions } from './process.js'

type Server = ChildProcessByStdio<Writable, Readable, Readable>

/** What is kept of what the virtual machine itself writes to standard error, characters. */
const ERROR_CHARS_MAX = 4000
const JAVA_OPTIONS = '-Xmx256M -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto'

/**
 * Kafka's command line tools, one after the other in one virtual machine. It starts with the first of them, and ends
 * with this process at the latest. See Serve.java.
 */
export class ToolServer {
  #server: Server | null = null
  #last: Promise<unknown> = Promise.resolve()

  /** Runs a tool to its end when those asked for before have ended. Of the options input and timeoutMs count. */
  run(tool: string, args: readonly string[], { input = '', timeoutMs = 60_000 }: RunOptions): Promise<Finished> {
    const line = `${JSON.stringify({ tool, args, input: input.toString() })}\n`
    const finished = this.#last.then(() => this.#ask(line, timeoutMs))
    this.#last = finished
    return finished
  }

  end(): void {
    this.#server?.kill('SIGKILL')
    this.#server = null
  }

  /** Never rejects: where the virtual machine ends, so has the tool. */
  #ask(line: string, timeoutMs: number): Promise<Finished> {
    const server = (this.#server ??= start())
    return new Promise(resolve => {
      let timedOut = false
      let errors = ''
      const settle = (finished: Finished) => {
        clearTimeout(timer)
        lines.close()
        server.stderr.removeAllListeners('data')
        server.removeAllListeners('close')
        resolve(finished)
      }
      const lines = createInterface({ input: server.stdout }).once('line', answer => {
        settle({ ...(JSON.parse(answer) as Answer), signal: null, timedOut: false })
      })
      server.stderr.on('data', (text: string) => {
        errors = (errors + text).slice(-ERROR_CHARS_MAX)
      })
      server.once('close', (code, signal) => {
        if (this.#server === server) this.#server = null
        settle({ code, signal, stdout: '', stderr: errors, timedOut })
      })
      const timer = setTimeout(() => {
        timedOut = true
        server.kill('SIGKILL')
      }, timeoutMs)
      server.stdin.write(line)
    })
  }
}

interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function start(): Server {
  const server = spawn('bash', [oracleScript, 'serve'], {
    env: { ...process.env, KAFKA_HEAP: JAVA_OPTIONS },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  server.stderr.setEncoding('utf8')
  // One that has ended breaks the pipe: its end is what counts.
  server.stdin.on('error', () => {})
  return server
}
