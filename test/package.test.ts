/** What is in the package that others install. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

test('the types of the library compile in strict programs that have no types of Node.js', context => {
  const folder = mkdtempSync(join('dist', 'types-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const program = `
    import { type Logger, startBroker, startCluster } from '../src/index.js'
    export async function run(logger: Logger): Promise<string> {
      const broker = await startBroker({ port: 0, options: { 'num.partitions': '3' }, logger })
      const cluster = await startCluster({ brokers: 3, nodeOptions: id => ({ 'broker.rack': String(id) }) })
      await using node = cluster
      await node.addNode({ roles: 'controller' })
      await broker.close()
      return broker.bootstrapServers
    }
  `
  writeFileSync(join(folder, 'program.mts'), program)
  const options = { module: 'nodenext', target: 'es2022', lib: ['es2022'], types: [], strict: true, noEmit: true }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['program.mts'] }))
  execFileSync('node_modules/.bin/tsc', ['-p', folder], { encoding: 'utf8', stdio: 'pipe' })
})
