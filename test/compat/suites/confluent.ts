import { join } from 'node:path'
import { compatDirectory } from '../broker.js'
import { pythonPackages } from '../cache.js'
import { runClientProgram, type Suite } from '../suite.js'
import { versions } from '../versions.js'

const python = () => pythonPackages('confluent', { 'confluent-kafka': versions.confluentKafka })

/** confluent-kafka for Python: the newest librdkafka, with its admin client. */
export const confluentSuite: Suite = {
  name: 'confluent',
  about: `confluent-kafka ${versions.confluentKafka} for Python: the newest librdkafka`,
  install: async () => {
    await python()
  },
  run: async context => {
    await runClientProgram('confluent', context, {
      command: await python(),
      args: ['-B', 'main.py'],
      cwd: join(compatDirectory, 'clients', 'confluent'),
      env: { PYTHONUNBUFFERED: '1' },
      timeoutMs: 300_000,
    })
  },
}
