/** The rules of the house that a program can check. Every message names the remedy. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const LINES_MAX = 500
const LINE_LENGTH_MAX = 120
const FUNCTION_LINES_MAX = 70
/** A message or an address may be as long as it is: the formatter does not break it either. */
const LONG_TEXT = /https?:|'[^']{80,}'|`[^`]{80,}`/

/** Files that are tables of data: they may be as long as the data. */
const TABLES = [/^protocol\/messages\//, /^protocol\/internal\//, /^src\/config\/.*options.*\.ts$/]

/** Where the outside world may be touched without a port. */
const WORLD = [
  /^storage\/node-(disk|files)\.ts$/,
  /^src\/runtime\/node\//,
  /^src\/cli\//,
  /^src\/console\//,
  /^src\/testing\//,
  /^src\/main\.ts$/,
  /^test\//,
]
const WORLD_WORDS =
  /\bDate\.(now|UTC|parse)\b|\bnew Date\b|\bperformance\b|\bMath\.random\b|\bset(Timeout|Interval|Immediate)\b|\bprocess\./
const WORLD_MODULES = /^node:(fs|net|tls|http|https|dgram|child_process|worker_threads|timers)(\/|$)/

const LAYERS = ['protocol', 'storage', 'src'] as const
type Layer = (typeof LAYERS)[number]
/** What a layer may import of the others. */
const MAY_IMPORT: Record<Layer, readonly RegExp[]> = {
  protocol: [],
  storage: [/^#protocol\/records\//],
  src: [/^#protocol\//, /^#storage\//],
}
/** Machines know no drivers, drivers no handlers, handlers no server, the server no wiring. */
const RANKS: readonly (readonly [RegExp, number])[] = [
  [/^src\/main\.ts$|^src\/index\.ts$|^src\/cli\/|^src\/testing\//, 5],
  [/^src\/broker\.ts$|^src\/broker\//, 4],
  [/^src\/server\//, 3],
]

interface Source {
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
}

function sourcesOf(folder: string): Source[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => `${entry.parentPath}/${entry.name}`)
    .filter(path => !path.includes('node_modules'))
    .map(path => {
      const text = readFileSync(path, 'utf8')
      return { path, text, lines: text.split('\n') }
    })
}

const layers = LAYERS.flatMap(sourcesOf)
const tests = sourcesOf('test')
const all = [...layers, ...tests]

function importsOf(source: Source): string[] {
  return [...source.text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1]!)
}

/** Code without comments and without what strings say, so that words in prose do not count. */
function codeOf(text: string): string {
  const blank = (found: string) => found.replace(/[^\n]/g, ' ')
  return text
    .replace(/\/\*[\s\S]*?\*\//g, blank)
    .replace(/'(?:[^'\\\n]|\\.)*'/g, blank)
    .replace(/`(?:[^`\\]|\\.)*`/g, template =>
      // What is put into a template is code.
      template.replace(/(\$\{[^{}]*\})|[^\n]/g, (found, code) => code ?? blank(found)),
    )
    .replace(/\/\/.*$/gm, '')
}

function expectNone(problems: readonly string[], remedy: string): void {
  assert.equal(problems.length, 0, `${remedy}\n  ${problems.slice(0, 40).join('\n  ')}`)
}

test('layers import only what lies below them, and say so in the path', () => {
  const problems: string[] = []
  for (const source of layers) {
    const layer = source.path.split('/')[0] as Layer
    for (const path of importsOf(source)) {
      if (path.startsWith('#') && !MAY_IMPORT[layer].some(allowed => allowed.test(path))) {
        problems.push(`${source.path} imports ${path}`)
      }
      if (path.startsWith('../')) {
        const depth = source.path.split('/').length - 2
        const climbs = path.split('/').filter(part => part === '..').length
        if (climbs > depth) problems.push(`${source.path} leaves its layer by ${path}`)
      }
    }
  }
  expectNone(
    problems,
    'protocol <- storage (records only) <- src. Cross layers with #protocol/, #storage/, #src/, inside one be relative.',
  )
})

test('inside src, the server knows no wiring and what is wired knows no server', () => {
  const rank = (path: string) => RANKS.find(([pattern]) => pattern.test(path))?.[1] ?? 0
  const problems: string[] = []
  for (const source of layers.filter(candidate => candidate.path.startsWith('src/'))) {
    for (const path of importsOf(source).filter(candidate => candidate.startsWith('.'))) {
      const target = new URL(path, `file:///${source.path}`).pathname.slice(1).replace(/\.js$/, '.ts')
      const typesOnly = new RegExp(`import type [^;]*?from '${path.replaceAll('.', '\\.')}'`).test(source.text)
      if (!typesOnly && rank(target) > rank(source.path)) problems.push(`${source.path} imports ${target}`)
    }
  }
  expectNone(
    problems,
    'Hand it in instead: constructors take what they use; broker.ts is the one place where things are wired.',
  )
})

test('the world is touched only through ports', () => {
  const problems: string[] = []
  for (const source of layers) {
    if (WORLD.some(allowed => allowed.test(source.path))) continue
    for (const path of importsOf(source)) if (WORLD_MODULES.test(path)) problems.push(`${source.path} imports ${path}`)
    codeOf(source.text)
      .split('\n')
      .forEach((line, index) => {
        const found = WORLD_WORDS.exec(line)
        if (found !== null) problems.push(`${source.path}:${index + 1}: ${found[0]}`)
      })
  }
  expectNone(
    problems,
    'Take Clock, Random, Network, Disk or Logger as an argument (src/runtime/ports.ts, storage/disk.ts).',
  )
})

test('files, lines and functions are small enough to see', () => {
  const problems: string[] = []
  for (const source of layers) {
    if (source.lines.length > LINES_MAX && !TABLES.some(table => table.test(source.path))) {
      problems.push(`${source.path} has ${source.lines.length} lines (at most ${LINES_MAX}): split it by subject`)
    }
    source.lines.forEach((line, index) => {
      if (line.length > LINE_LENGTH_MAX && !LONG_TEXT.test(line)) {
        problems.push(`${source.path}:${index + 1} has ${line.length} columns (at most ${LINE_LENGTH_MAX})`)
      }
    })
    problems.push(...longFunctions(source))
  }
  expectNone(problems, 'Make it smaller.')
})

/** Functions and methods by their first line and the closing brace of the same indentation. */
function longFunctions(source: Source): string[] {
  const problems: string[] = []
  source.lines.forEach((line, index) => {
    const start =
      /^( *)(export )?(async )?(function\*? \w+|(static |async |get |set |\*)*#?\w+(<[^>]*>)?\([^)]*\)?.*\{$)/.exec(
        line,
      )
    if (start === null || /^ *(if|for|while|switch|return|export const|test|await)\b/.test(line)) return
    const indent = start[1]!
    const length = source.lines.slice(index + 1).indexOf(`${indent}}`)
    if (length > FUNCTION_LINES_MAX) {
      problems.push(`${source.path}:${index + 1} is a function of ${length} lines (at most ${FUNCTION_LINES_MAX})`)
    }
  })
  return problems
}

test('plain TypeScript: no enum, namespace, decorator, inheritance, default export, overload', () => {
  const problems: string[] = []
  for (const source of all) {
    const code = codeOf(source.text)
    const rules: readonly (readonly [RegExp, string])[] = [
      [/^\s*(export )?(const )?enum\b/m, 'enum: use a const object and a union'],
      [/^\s*(export )?namespace\b/m, 'namespace: use a module'],
      [/^export default\b/m, 'default export: export by name'],
      [/\bclass \w+(<[^>]*>)? extends (?!Error\b)/, 'inheritance: compose'],
      [/^\s*@\w+\(/m, 'decorator: call a function'],
    ]
    for (const [pattern, remedy] of rules) if (pattern.test(code)) problems.push(`${source.path}: ${remedy}`)
  }
  expectNone(problems, 'DESIGN rule 11.')
})

test('nothing is registered by being imported', () => {
  const problems = layers.filter(source => /^import '[^']+'/m.test(source.text)).map(source => source.path)
  expectNone(problems, 'Import by name, and hand in what is used.')
})

test('no test sleeps', () => {
  const problems = tests
    .filter(source => source.path.endsWith('.test.ts') && !source.path.startsWith('test/compat/'))
    .filter(source => /\bsetTimeout\(\s*resolve|timers\/promises|\bsleep\(/.test(codeOf(source.text)))
    .map(source => source.path)
  expectNone(problems, 'Wait for the event itself, or use virtual time (test/support).')
})

test('every test stands where its subject stands', () => {
  const subjects = new Set(layers.map(source => source.path.replace(/\.ts$/, '')))
  const free = /^test\/(tidy|readme|package|quick-start|crash|chaos|fuzz|e2e|sim|compat|bench|vectors|support|broker)/
  const problems = tests
    .map(source => source.path)
    .filter(path => path.endsWith('.test.ts') && !free.test(path))
    .filter(path => {
      const subject = path.replace(/^test\//, '').replace(/\.test\.ts$/, '')
      return !subjects.has(subject) && ![...subjects].some(known => known.startsWith(`${subject}/`))
    })
    .filter(path => {
      const folder = path.replace(/^test\//, '').replace(/\/[^/]+$/, '')
      return ![...subjects].some(known => known.startsWith(`${folder}/`))
    })
  expectNone(problems, 'test/<path of the subject>.test.ts')
})
