import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PrefixedLines } from '#src/cli/prefixed-lines.js'

test('each line gets the prefix, in whatever pieces it arrives', () => {
  const text = Buffer.from('first\nzwölf\r\n\nlast')
  const expected = '> first\n> zwölf\n> \n> last\n'
  for (let size = 1; size <= text.length; size++) {
    const lines = new PrefixedLines('> ')
    let written = ''
    for (let at = 0; at < text.length; at += size) written += lines.push(text.subarray(at, at + size))
    assert.equal(written + lines.end(), expected, `pieces of ${size} bytes`)
  }
})

test('nothing is written before a line is whole, and nothing twice', () => {
  const lines = new PrefixedLines('> ')
  assert.equal(lines.push(Buffer.from('be')), '')
  assert.equal(lines.push(Buffer.from('gun\nnext')), '> begun\n')
  assert.equal(lines.end(), '> next\n')
  assert.equal(lines.end(), '')
})

test('a line without end is cut', () => {
  const lines = new PrefixedLines('')
  let kept = 0
  for (let i = 0; i < 100; i++) {
    kept += 10_000 - lines.push(Buffer.alloc(10_000, 'x')).length
    assert.ok(kept <= 65_536 + 10_000)
  }
})
