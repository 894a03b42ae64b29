/** What is in the package that others install. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

test('the package has program, types, options and docs, and nothing of the tests', () => {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ files }] = JSON.parse(output) as [{ readonly files: readonly { readonly path: string }[] }]
  const paths = files.map(({ path }) => path)
  for (const path of ['dist/src/index.d.ts', 'config/REFERENCE.md', 'docs/docker.md', 'README.md']) {
    assert.ok(paths.includes(path), path)
  }
  assert.deepEqual(
    paths.filter(path => /^(dist\/)?test\/|\.test\./.test(path)),
    [],
  )
})
