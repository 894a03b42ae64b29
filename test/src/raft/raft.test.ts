import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { TranscriptCluster } from './support/cluster.js'
import { checkTranscript } from './support/transcript.js'

const folder = fileURLToPath(new URL('../../../../test/src/raft/testdata/', import.meta.url))

for (const name of readdirSync(folder).sort()) {
  test(`the raft machine does what ${name} says`, () => {
    const cluster = new TranscriptCluster()
    checkTranscript(`${folder}${name}`, command => cluster.run(command))
  })
}
