import { configSteps } from './configs.js'
import { groupSteps } from './groups.js'
import { oddSteps } from './odd.js'
import { recordSteps } from './records.js'
import { serverSteps } from './server.js'
import type { Step } from './step.js'
import { deletionSteps, topicSteps } from './topics.js'

/** The whole script: good and bad requests of every API at every version boundary. */
export function script(): Step[] {
  return [
    ...serverSteps(),
    ...topicSteps(),
    ...recordSteps(),
    ...configSteps(),
    ...groupSteps(),
    ...oddSteps(),
    ...deletionSteps(),
  ]
}
