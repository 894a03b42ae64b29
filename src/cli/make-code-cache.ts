import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileProgram } from './compiled-program.js'

// A step of the build: runs a broker from the bundled program until it is ready, and keeps what V8 compiled for that.

const folder = dirname(fileURLToPath(import.meta.url))
for (const name of readdirSync(folder)) if (name.endsWith('.cache')) rmSync(join(folder, name))
const compiled = compileProgram(folder)
if (compiled !== null) {
  const { program, script, cachePath } = compiled
  const args = ['start', '--ephemeral', '--port', '0', '--log-level', 'silent']
  await program.run(args, {
    root: new URL('../../', import.meta.url),
    onReady: () => {
      const part = `${cachePath}.part`
      writeFileSync(part, script.createCachedData())
      renameSync(part, cachePath)
      process.kill(process.pid, 'SIGTERM')
    },
  })
}
