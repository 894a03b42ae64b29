import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { attachToBroker, oracleScript, startKafka, startOttla } from '../broker.js'
import { run } from '../process.js'
import { allowedDifferences } from './allowed.js'
import { script } from './script.js'

/** The options that both brokers must have for their answers to be comparable. */
const OPTIONS = ['log.flush.offset.checkpoint.interval.ms=60000']
const RUN_MS_MAX = 900_000
const DIFFERENCES_SHOWN = 60

interface Difference {
  /** The step, as a line of the script. */
  readonly step: string
  /** `line N api vN (about)` */
  readonly title: string
  /** `/path: ours | Kafka's` */
  readonly fields: readonly string[]
}

/**
 * `npm run compat -- ask [--ottla HOST:PORT] [--kafka HOST:PORT]`: asks Ottla and Apache Kafka the same and compares the
 * answers. Returns the exit status.
 */
export async function askMain(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ottla: { type: 'string' }, kafka: { type: 'string' } } })
  const folder = mkdtempSync(join(tmpdir(), 'ottla-ask-'))
  const file = join(folder, 'script.jsonl')
  const lines = script().map(step => JSON.stringify(step))
  writeFileSync(file, `${lines.join('\n')}\n`)
  const kafka =
    values.kafka === undefined ? await startKafka({ overrides: OPTIONS }) : await attachToBroker(values.kafka)
  const ottla =
    values.ottla === undefined ? await startOttla({ overrides: OPTIONS }) : await attachToBroker(values.ottla)
  try {
    const finished = await run('bash', [oracleScript, 'ask', ottla.bootstrap, '--diff', kafka.bootstrap, file], {
      timeoutMs: RUN_MS_MAX,
    })
    const summary = /(\d+) passed, (\d+) failed\s*$/.exec(finished.stdout)
    if (summary === null) {
      console.log(finished.stdout.slice(-4000) + finished.stderr.slice(-4000))
      console.log('the script did not come to its end')
      return 2
    }
    return report(Number(summary[1]), differencesOf(finished.stdout, lines))
  } finally {
    await ottla.stop()
    await kafka.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Reads what `kafka ask --diff` printed. */
function differencesOf(output: string, lines: readonly string[]): Difference[] {
  const differences: { step: string; title: string; fields: string[] }[] = []
  for (const line of output.split('\n')) {
    const title = /^line (\d+) /.exec(line)
    if (title !== null) differences.push({ step: lines[Number(title[1]) - 1]!, title: line, fields: [] })
    else if (line.startsWith('  ')) differences.at(-1)?.fields.push(line.trim())
  }
  return differences
}

/** Prints what is different without leave, and how often each allowed difference was seen. */
function report(same: number, differences: readonly Difference[]): number {
  const seen = new Map<string, number>()
  const refused: Difference[] = []
  for (const difference of differences) {
    const left = difference.fields.filter(field => {
      const allowed = allowedDifferences.find(
        ({ step, field: pattern }) => step.test(difference.step) && pattern.test(field),
      )
      if (allowed !== undefined) seen.set(allowed.reason, (seen.get(allowed.reason) ?? 0) + 1)
      return allowed === undefined
    })
    if (left.length > 0) refused.push({ ...difference, fields: left })
  }
  for (const [reason, count] of seen) console.log(`allowed ${count} times: ${reason}`)
  for (const { reason } of allowedDifferences) if (!seen.has(reason)) console.log(`never seen: ${reason}`)
  for (const { title, step, fields } of refused.slice(0, DIFFERENCES_SHOWN)) {
    console.log(`${title}\n  ${step.slice(0, 300)}`)
    for (const field of fields) console.log(`  ${field}`)
  }
  if (refused.length > DIFFERENCES_SHOWN) console.log(`... and ${refused.length - DIFFERENCES_SHOWN} more`)
  console.log(`${same + differences.length - refused.length} passed, ${refused.length} failed`)
  return refused.length === 0 ? 0 : 1
}
