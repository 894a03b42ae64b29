import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'

/** Handles one command line and returns what came of it. */
export type RunCommand = (command: string) => string

/**
 * A transcript is a text of commands, each followed by `----` and what came of it, with blank lines between; lines that
 * begin with # before a command say why. With UPDATE=1 the answers are written anew: the difference is the review.
 */
export function checkTranscript(path: string, run: RunCommand): void {
  const before = readFileSync(path, 'utf8')
  const after: string[] = []
  for (const block of before.trimEnd().split(/\n\n+/)) {
    const lines = block.split('\n')
    const divider = lines.indexOf('----')
    const head = divider === -1 ? lines : lines.slice(0, divider)
    const commands = head.filter(line => !line.startsWith('#'))
    const answers = commands.map(run).filter(answer => answer !== '')
    after.push(commands.length === 0 ? block : [...head, '----', ...(answers.length > 0 ? answers : ['ok'])].join('\n'))
  }
  const text = `${after.join('\n\n')}\n`
  if (process.env.UPDATE !== undefined) writeFileSync(path, text)
  else assert.equal(text, before, `${path}: run with UPDATE=1 and review the difference`)
}
