import { endLoads } from '../cluster/load.js'
import { endAllProcesses } from '../process.js'
import type { CheckResult, SuiteContext } from '../suite.js'
import type { Room } from './room.js'

/** What was found, over all scenarios. */
export class Results {
  readonly #all: CheckResult[] = []
  readonly #startedAt = Date.now()

  add(result: CheckResult): void {
    this.#all.push(result)
    const mark = result.error === undefined ? 'ok  ' : 'FAIL'
    process.stdout.write(`${mark} ${result.suite}: ${result.check} (${result.tookMs} ms)\n`)
    if (result.error !== undefined) process.stdout.write(`${result.error.replace(/^/gm, '       ')}\n`)
  }

  /** Writes what failed and the counts; returns the exit status. */
  summary(): number {
    const failed = this.#all.filter(({ error }) => error !== undefined)
    if (failed.length > 0) process.stdout.write('\nfailed:\n')
    for (const { suite, check } of failed) process.stdout.write(`  ${suite}: ${check}\n`)
    const seconds = ((Date.now() - this.#startedAt) / 1000).toFixed(0)
    process.stdout.write(`\n${this.#all.length - failed.length} passed, ${failed.length} failed (${seconds} s)\n`)
    return failed.length > 0 || this.#all.length === 0 ? 1 : 0
  }
}

/** Runs the checks of one room, and removes it. */
export async function runChecks(
  room: Room,
  checks: (context: SuiteContext) => Promise<void>,
  { name, match, results }: { readonly name: string; readonly match: string; readonly results: Results },
): Promise<void> {
  const interrupt = () => {
    endAllProcesses()
    endLoads()
    void room.remove().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  const report = (result: Omit<CheckResult, 'suite'>) => results.add({ suite: name, ...result })
  try {
    await checks({ bootstrap: room.allAddresses, prefix: `${name}-`, match, report })
  } catch (error) {
    report({ check: 'the scenario runs to its end', tookMs: 0, error: String((error as Error).stack ?? error) })
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    endLoads()
    await room.remove()
  }
}
