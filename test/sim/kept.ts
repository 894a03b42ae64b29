import { readFileSync } from 'node:fs'

/** A run that is to be had again: a seed, and what was narrowed down by hand. */
export interface KeptRun {
  readonly seed: number
  readonly nodes: number | null
  readonly faults: readonly string[] | null
  readonly directories: number | null
}

/** The runs of seeds.txt. */
export function keptRuns(): KeptRun[] {
  const lines = readFileSync('test/sim/seeds.txt', 'utf8').split('\n')
  return lines
    .map(line => line.replace(/#.*/, '').trim())
    .filter(line => line !== '')
    .map(line => {
      const [seed, nodes, faults, directories] = line.split(';').map(part => part.trim())
      return {
        seed: Number(seed),
        nodes: nodes === undefined || nodes === '' ? null : Number(nodes),
        faults: faults === undefined || faults === '' ? null : faults.split(',').map(fault => fault.trim()),
        // What was found before there were several directories is found with one.
        directories: directories === undefined || directories === '' ? 1 : Number(directories),
      }
    })
}
