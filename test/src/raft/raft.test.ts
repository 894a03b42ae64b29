import { sourceFolder, testTranscripts } from '../../support/transcript.js'
import { TranscriptCluster } from './support/cluster.js'

testTranscripts(sourceFolder(import.meta.url, 'testdata'), () => {
  const cluster = new TranscriptCluster()
  return command => (cluster.run(command) || 'ok').split('\n')
})
