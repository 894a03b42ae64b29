import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProperties, renderProperties } from '#src/config/properties.js'

function read(text: string): Readonly<Record<string, string>> {
  const file = parseProperties(text, 'server.properties')
  assert.ok(file.ok, file.ok ? '' : file.problems.join('\n'))
  return Object.fromEntries(file.properties)
}

test('names and values are parted by =, : or white space', () => {
  const text = 'a=1\nb:2\nc 3\n  d = 4 \ne : = 5\n\tf\ng='
  assert.deepEqual(read(text), { a: '1', b: '2', c: '3', d: '4 ', e: '= 5', f: '', g: '' })
})

test('lines that begin with # or ! are comments, others are not', () => {
  assert.deepEqual(read('# a=1\n  ! b=2\nc=3 # not a comment\n\n'), { c: '3 # not a comment' })
})

test('a backslash at the end joins lines and the white space after it goes', () => {
  const text = 'listeners=PLAINTEXT://:9092,\\\n    CONTROLLER://:9093\npath=C:\\\\\nnext=1'
  assert.deepEqual(read(text), { listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093', path: 'C:\\', next: '1' })
})

test('escapes stand for their characters', () => {
  assert.deepEqual(read('a\\=b\\ c=\\t\\n\\u00e4\\x'), { 'a=b c': '\t\n\u00e4x' })
})

test('a file in UTF-16 is refused with a word of what it is', () => {
  const text = Buffer.from('\ufeffa=1\r\n', 'utf16le').toString('utf8')
  const parsed = parseProperties(text, 'server.properties')
  assert.ok(!parsed.ok)
  assert.match(
    String(parsed.problems),
    /^server\.properties: has bytes of 0, as UTF-16 has them; save the file as UTF-8$/,
  )
})

test('every kind of line end counts, and a byte order mark does not', () => {
  assert.deepEqual(read('\ufeffa=1\r\nb=2\rc=3'), { a: '1', b: '2', c: '3' })
})

test('later lines win, and the line of each name is known', () => {
  const file = parseProperties('\na=1\nb=\\\n2\na=3\n', 'server.properties')
  assert.ok(file.ok)
  assert.deepEqual(
    [...file.properties],
    [
      ['a', '3'],
      ['b', '2'],
    ],
  )
  assert.deepEqual(
    [...file.lines],
    [
      ['a', 5],
      ['b', 3],
    ],
  )
})

test('mistakes are told with file and line', () => {
  const file = parseProperties('a=1\nb=\\u12g4\n=3\n', 'server.properties')
  assert.deepEqual(file, {
    ok: false,
    problems: [
      'server.properties:2: b=\\u12g4: four hexadecimal digits must follow \\u',
      'server.properties:3: =3: a name must stand before =; write name=value',
    ],
  })
})

test('what is written is read back as it was', () => {
  const properties = new Map([
    ['version', '1'],
    ['a b', '  leading'],
    ['#x', 'C:\\data=!'],
    ['\u00e4', 'tab\tline\nend\r'],
  ])
  const text = renderProperties(properties, ['', 'a comment'])
  assert.ok(text.startsWith('#\n#a comment\nversion=1\n'))
  assert.deepEqual(read(text), Object.fromEntries(properties))
})

test('any text is read or refused, and what is read can be written', () => {
  const pieces = ['a', 'b', '=', ':', ' ', '\t', '\\', '\n', '\r', '#', '!', 'u0041', '\f', '\\u00e4', '\\\n']
  let seed = 20_240_607
  const next = (limit: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % limit
  }
  for (let round = 0; round < 5000; round++) {
    const text = Array.from({ length: next(14) }, () => pieces[next(pieces.length)]).join('')
    const file = parseProperties(text, 'f')
    if (!file.ok) continue
    const back = parseProperties(renderProperties(file.properties, []), 'g')
    assert.ok(back.ok, `seed 20240607 round ${round}: ${JSON.stringify(text)}`)
    assert.deepEqual(
      [...back.properties],
      [...file.properties],
      `seed 20240607 round ${round}: ${JSON.stringify(text)}`,
    )
  }
})

test('a name that stands there again counts, and the line says so', () => {
  const read = parseProperties('a=1\nb=2\na=3\n', 'x.properties')
  assert.ok(read.ok)
  assert.equal(read.properties.get('a'), '3')
  assert.deepEqual(read.warnings, ['x.properties:3: a counts; that of line 1 does not'])
})
