import { newNode, npmPackages } from '../cache.js'
import { runClientProgram, type Suite } from '../suite.js'
import { versions } from '../versions.js'
import { copyClient } from './kafkajs.js'

const packages = () => npmPackages('platformatic', { '@platformatic/kafka': versions.platformatic })

/** @platformatic/kafka, which wants a newer Node.js than the broker does. */
export const platformaticSuite: Suite = {
  name: 'platformatic',
  about: `@platformatic/kafka ${versions.platformatic}: new, flexible versions of every message`,
  install: async () => {
    await packages()
    await newNode()
  },
  run: async context => {
    const cwd = await packages()
    copyClient('platformatic', cwd)
    await runClientProgram('platformatic', context, {
      command: await newNode(),
      args: ['main.mjs'],
      cwd,
      timeoutMs: 300_000,
    })
  },
}
