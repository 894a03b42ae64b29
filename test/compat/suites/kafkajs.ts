import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { compatDirectory } from '../broker.js'
import { npmPackages } from '../cache.js'
import { runClientProgram, type Suite } from '../suite.js'
import { versions } from '../versions.js'

/** Where kafkajs and its codecs are installed. */
export const kafkajsPackages = () =>
  npmPackages('kafkajs', {
    kafkajs: versions.kafkajs,
    'kafkajs-snappy': versions.kafkajsSnappy,
    'lz4-napi': versions.lz4Napi,
    '@bokuweb/zstd-wasm': versions.zstdWasm,
  })

/** kafkajs, with codecs that need no compiler plugged in. It has no static members and no KIP-848. */
export const kafkajsSuite: Suite = {
  name: 'kafkajs',
  about: `kafkajs ${versions.kafkajs}: old, non-flexible versions of every message`,
  install: async () => {
    await kafkajsPackages()
  },
  run: async context => {
    const cwd = await kafkajsPackages()
    copyClient('kafkajs', cwd)
    await runClientProgram('kafkajs', context, {
      command: process.execPath,
      args: ['main.mjs'],
      cwd,
      env: { KAFKAJS_NO_PARTITIONER_WARNING: '1' },
      timeoutMs: 300_000,
    })
  },
}

/** Puts a client program beside the packages that it imports: Node.js looks for them from where the program is. */
export function copyClient(name: string, directory: string): void {
  const clients = join(compatDirectory, 'clients')
  for (const from of [join(clients, 'javascript'), join(clients, name)]) {
    for (const file of readdirSync(from)) copyFileSync(join(from, file), join(directory, file))
  }
}
