import { parseArgs } from 'node:util'
import { installClients } from '../cluster/checks.js'
import type { NodePlan, RoomPlan } from '../mixed/node.js'
import { roomOptions, roomPlace, roomUsage } from '../mixed/options.js'
import { installPrograms } from '../mixed/programs.js'
import { Results, runChecks } from '../mixed/results.js'
import { Room } from '../mixed/room.js'
import { toolChecks } from './checks.js'

const usage = `npm run compat -- tools [options]

Apache Kafka's command line tools against three nodes of Ottla, each broker and controller in one.

  --kafka        three nodes of Apache Kafka instead: what the checks are proven by
  --match TEXT   only checks whose name contains TEXT (some build on those before them)
${roomUsage}`

/** `npm run compat -- tools`. Returns the exit status. */
export async function toolsMain(args: readonly string[]): Promise<number> {
  const options = { ...roomOptions, kafka: { type: 'boolean', default: false } } as const
  const { values } = parseArgs({ args: [...args], options })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  await installClients()
  const programs = await installPrograms()
  const plan = planOf(values.kafka ? 'kafka' : 'ottla')
  const room = await Room.make(plan, programs, roomPlace(values))
  const results = new Results()
  await runChecks(room, context => toolChecks(context, room), { name: 'tools', match: values.match, results })
  return results.summary()
}

/** Three voters named in the files, so that kraft.version can be raised; node 4 is a controller that joins later. */
function planOf(kind: 'kafka' | 'ottla'): RoomPlan {
  const first = [1, 2, 3].map((id): NodePlan => ({ kind, id, roles: 'broker,controller' }))
  return {
    nodes: [...first, { kind, id: 4, roles: 'controller', joins: true }],
    quorum: { kind: 'static', voters: [1, 2, 3] },
    releaseVersion: '4.2',
    options: {
      'metadata.log.max.record.bytes.between.snapshots': '6000',
      'unclean.leader.election.enable': 'false',
    },
  }
}
