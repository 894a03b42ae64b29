#!/usr/bin/env node
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileProgram } from './cli/compiled-program.js'

const program = compileProgram(dirname(fileURLToPath(import.meta.url)))?.program ?? (await import('./cli/program.js'))
await program.run(process.argv.slice(2), { root: new URL('../../', import.meta.url) })
