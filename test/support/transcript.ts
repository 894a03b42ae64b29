/**
 * Transcripts: files of blocks "command, ----, what came of it". A test runs the commands and compares; with UPDATE=1 it
 * writes what came of them, and the diff is the review.
 *
 *     # what this is about
 *     join g1 as a
 *     ----
 *     #1 -> MEMBER_ID_REQUIRED member=a-1
 *
 *     advance 3000
 *     ----
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'

/** The folder with a test's files in the source tree, seen from the compiled test. */
export function sourceFolder(compiledUrl: string, name: string): URL {
  return new URL(`${name}/`, compiledUrl.replace('/dist/test/', '/test/'))
}

/** Runs one command of a transcript and says what came of it, a line each. */
export type Run = (command: string) => readonly string[]

/** Makes one test of every transcript in a folder; `begin` is called for each of them. */
export function testTranscripts(folder: URL, begin: () => Run): void {
  for (const name of readdirSync(folder)
    .filter(file => file.endsWith('.txt'))
    .sort()) {
    test(`transcript: ${name.replace(/\.txt$/, '').replaceAll('-', ' ')}`, () => {
      const url = new URL(name, folder)
      const expected = readFileSync(url, 'utf8')
      const actual = replayed(expected, begin())
      if (process.env.UPDATE === '1') writeFileSync(url, actual)
      else assert.equal(actual, expected, `${name} differs; UPDATE=1 writes it anew`)
    })
  }
}

/** The transcript with what its commands give now. */
function replayed(text: string, run: Run): string {
  const blocks = text.trimEnd().split(/\n\n+/)
  const written = blocks.map(block => {
    const lines = block.split('\n')
    const end = lines.indexOf('----')
    const head = end === -1 ? lines : lines.slice(0, end)
    const commands = head.filter(line => line !== '' && !line.startsWith('#'))
    if (commands.length === 0) return head.join('\n')
    return [...head, '----', ...commands.flatMap(command => run(command))].join('\n')
  })
  return `${written.join('\n\n')}\n`
}
