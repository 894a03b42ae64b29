import { type ChildProcess, spawn } from 'node:child_process'

/** How a child process ended and what it wrote. `code` is null when a signal ended it. */
export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Written to standard input, which is then closed. Without it standard input is empty. */
  readonly input?: string | Uint8Array
  /** After this the process gets SIGTERM, and SIGKILL five seconds later. Default: two minutes. */
  readonly timeoutMs?: number
  /** Called with each whole line of standard output as it arrives. */
  readonly onLine?: (line: string) => void
  /** The same of standard error. */
  readonly onErrorLine?: (line: string) => void
  /** Called once, with the running process. */
  readonly onStart?: (child: ChildProcess) => void
}

/** What is kept of each stream: a tool that writes without end must not take the runner with it. */
const outputBytesMax = 16 * 1024 * 1024

const running = new Set<ChildProcess>()

/** Ends every process that is still running: called when the runner itself is interrupted. */
export function endAllProcesses(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Runs a program to its end. Rejects only when it cannot be started at all. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    running.add(child)
    let timedOut = false
    let kill: NodeJS.Timeout | undefined
    const timer = setTimeout(() => {
      timedOut = true
      child.kill('SIGTERM')
      kill = setTimeout(() => child.kill('SIGKILL'), 5_000)
    }, options.timeoutMs ?? 120_000)
    const stdout = collect(child.stdout, options.onLine)
    const stderr = collect(child.stderr, options.onErrorLine)
    // A program that ends before it has read its input breaks the pipe: how it ended says why.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input)
    const settle = () => {
      running.delete(child)
      clearTimeout(timer)
      clearTimeout(kill)
    }
    child.on('error', error => {
      settle()
      reject(new Error(`cannot run ${command}: ${error.message}`))
    })
    child.on('close', (code, signal) => {
      settle()
      resolve({ code, signal, stdout: stdout(), stderr: stderr(), timedOut })
    })
    options.onStart?.(child)
  })
}

function collect(stream: NodeJS.ReadableStream, onLine: ((line: string) => void) | undefined): () => string {
  const chunks: string[] = []
  let kept = 0
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    if (kept < outputBytesMax) chunks.push(chunk)
    kept += chunk.length
    if (onLine === undefined) return
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
  return () => {
    if (onLine !== undefined && rest !== '') onLine(rest)
    return chunks.join('')
  }
}

/** Runs a program that must end well; throws with what it wrote when it does not. */
export async function runOrThrow(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const finished = await run(command, args, options)
  if (finished.code !== 0) throw new Error(`${[command, ...args].join(' ')}\n${describeEnd(finished)}`)
  return finished
}

/** The end of a process in words, with the last lines of what it wrote. */
export function describeEnd(finished: Finished): string {
  const how = finished.timedOut
    ? 'did not end in time'
    : finished.code === null
      ? `was ended by ${finished.signal}`
      : `ended with status ${finished.code}`
  const tail = (text: string) => text.trimEnd().split('\n').slice(-30).join('\n')
  return [how, tail(finished.stdout), tail(finished.stderr)].filter(part => part !== '').join('\n')
}
