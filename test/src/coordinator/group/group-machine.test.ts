import { sourceFolder, testTranscripts } from '../../../support/transcript.js'
import { groupScript } from './group-script.js'

testTranscripts(sourceFolder(import.meta.url, 'transcripts'), groupScript)
