import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compatDirectory } from '../broker.js'
import { goCommand, installed } from '../cache.js'
import { runOrThrow } from '../process.js'
import { runClientProgram, type Suite } from '../suite.js'

const source = join(compatDirectory, 'clients', 'franz-go')

/** The program, built anew when its source has changed. */
async function program(): Promise<string> {
  const hash = createHash('sha256')
  for (const file of readdirSync(source).sort()) hash.update(file).update(readFileSync(join(source, file)))
  const directory = await installed('franz-go', hash.digest('hex'), async partial => {
    const { go, env } = await goCommand()
    await runOrThrow(go, ['build', '-o', join(partial, 'client'), '.'], { cwd: source, env, timeoutMs: 900_000 })
  })
  return join(directory, 'client')
}

/** franz-go: the newest version of every message, fetch sessions, and its admin client kadm. */
export const franzGoSuite: Suite = {
  name: 'franz-go',
  about: 'franz-go and its admin client kadm: the newest version of every message',
  install: async () => {
    await program()
  },
  run: async context => {
    await runClientProgram('franz-go', context, { command: await program(), args: [], timeoutMs: 300_000 })
  },
}
