import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CompiledProgram, compileProgram } from './compiled-program.js'

// A step of the build: runs a broker from the bundled program until it is ready, and keeps what V8 compiled for that.
// The cache only saves time at start. Where a broker cannot run, as where no port may be listened on, the build goes on
// without it and says so.

/** How long the broker may take to be ready, ms: it takes less than one second where nothing is in its way. */
const READY_MS_MAX = 60_000

const folder = process.argv[2] ?? dirname(fileURLToPath(import.meta.url))
for (const name of readdirSync(folder)) if (/\.cache(\.part)?$/.test(name)) rmSync(join(folder, name))
const compiled = compileProgram(folder)
if (compiled !== null) await make(compiled)

async function make({ program, script, cachePath }: CompiledProgram): Promise<void> {
  let failure: string | null = 'the broker that was to be compiled did not start'
  const limit = setTimeout(() => {
    giveUp(`the broker that was to be compiled was not ready after ${READY_MS_MAX / 1000} s`)
    process.exit()
  }, READY_MS_MAX)
  const onReady = (): void => {
    const part = `${cachePath}.part`
    try {
      writeFileSync(part, script.createCachedData())
      renameSync(part, cachePath)
      failure = null
    } catch (error) {
      failure = messageOf(error)
      rmSync(part, { force: true })
    }
    process.kill(process.pid, 'SIGTERM')
  }
  try {
    const args = ['start', '--ephemeral', '--port', '0', '--log-level', 'silent']
    await program.run(args, { root: new URL('../../', import.meta.url), onReady })
  } catch (error) {
    failure = messageOf(error)
  }
  clearTimeout(limit)
  if (failure !== null) giveUp(failure)
}

function giveUp(reason: string): void {
  process.stderr.write(`No cache of compiled code was made, and starts take longer without it: ${reason}\n`)
  process.exitCode = 0
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
