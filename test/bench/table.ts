import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Figure, type Measured, median, type Work } from './works.js'

/** A line of the table: one figure of one work, for each kind of broker. */
export interface Row {
  readonly work: string
  readonly figure: Pick<Figure, 'name' | 'unit' | 'min' | 'max'>
  readonly values: ReadonlyMap<string, number>
}

/** With what C alone does of it, where that was measured. */
export function printTable(rows: readonly Row[]): void {
  if (rows.length === 0) return
  const hasFloor = rows.some(({ values }) => values.has('C'))
  console.log(`| work | figure | Ottla | Kafka | ratio | asked for |${hasFloor ? ' C | C / Kafka |' : ''}`)
  console.log(`|---|---|---|---|---|---|${hasFloor ? '---|---|' : ''}`)
  for (const { work, figure, values } of rows) {
    const ours = values.get('Ottla') ?? Number.NaN
    const theirs = values.get('Kafka') ?? Number.NaN
    const ratio = ours / theirs
    const { min, max } = figure
    const asked = min !== undefined ? `>= ${round(min)} x` : max !== undefined ? `<= ${round(max)} x` : ''
    const kept = min !== undefined ? ratio >= min : max !== undefined ? ratio <= max : null
    const mark = kept === null || Number.isNaN(ratio) ? '' : kept ? ' ok' : ' MISSED'
    const floor = values.get('C') ?? Number.NaN
    const last = hasFloor ? ` ${round(floor)} | ${round(floor / theirs)} x |` : ''
    console.log(
      `| ${work} | ${figure.name}, ${figure.unit} | ${round(ours)} | ${round(theirs)} | ${round(ratio)} x | ${asked}${mark} |${last}`,
    )
  }
}

function round(value: number): string {
  if (Number.isNaN(value)) return ''
  return value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1)
      : value >= 0.1
        ? value.toFixed(2)
        : value.toFixed(4)
}

/** A line made of the figures of all rounds. */
export function row(work: string, figure: Row['figure'], values: ReadonlyMap<string, readonly number[]>): Row {
  return { work, figure, values: new Map([...values].map(([name, all]) => [name, median(all)])) }
}

/** Figures of each kind, in the order in which they were measured. */
export class Figures {
  readonly #all = new Map<string, Map<string, number[]>>()

  add(figure: string, name: string, value: number): void {
    const ofFigure = this.#all.get(figure) ?? new Map<string, number[]>()
    ofFigure.set(name, [...(ofFigure.get(name) ?? []), value])
    this.#all.set(figure, ofFigure)
  }

  of(figure: string): ReadonlyMap<string, readonly number[]> {
    return this.#all.get(figure) ?? new Map()
  }
}

/** What each of them reached at each work, in all rounds. */
export class Measurements {
  readonly #all = new Map<Work, Map<string, Measured[]>>()

  add(work: Work, name: string, result: Measured): void {
    const ofWork = this.#all.get(work) ?? new Map<string, Measured[]>()
    ofWork.set(name, [...(ofWork.get(name) ?? []), result])
    this.#all.set(work, ofWork)
  }

  rows(): Row[] {
    return [...this.#all].flatMap(([work, byName]) =>
      work.figures.map(figure =>
        row(work.name, figure, new Map([...byName].map(([name, results]) => [name, results.map(figure.of)]))),
      ),
    )
  }
}

/** A folder for everything that a run makes. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Builds the load generator; returns its path. */
export function compileLoad(folder: string): string {
  return compile(folder, 'load', [])
}

/** Builds the floor of `--floor`, with the instructions of this processor; returns its path. */
export function compileFloor(folder: string): string {
  return compile(folder, 'floor', ['-march=native', '-pthread'])
}

function compile(folder: string, name: string, flags: readonly string[]): string {
  const program = join(folder, name)
  execFileSync('cc', ['-O2', ...flags, '-o', program, `test/bench/${name}.c`])
  return program
}
