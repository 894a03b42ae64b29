import { parseArgs } from 'node:util'
import { installClients } from '../cluster/checks.js'
import { ToolServer } from '../tool-server.js'
import { mixedChecks } from './checks.js'
import { roomOptions, roomPlace, roomUsage } from './options.js'
import { installPrograms } from './programs.js'
import { Results, runChecks } from './results.js'
import { Room } from './room.js'
import { type Scenario, scenarios } from './scenarios.js'

const usage = `npm run compat -- mixed [options]

Nodes of Ottla and of Apache Kafka as one cluster: records, groups and leadership go both ways, each kind is killed and
started again, and in the end all replicas have the same bytes.

${scenarios.map(({ name, about }) => `  ${name.padEnd(5)}${about}`).join('\n')}

  --only A,B     these alone ('c' is c1 and c2)
  --match TEXT   only checks whose name contains TEXT
${roomUsage}`

/** `npm run compat -- mixed`. Returns the exit status. */
export async function mixedMain(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...roomOptions, only: { type: 'string' } } })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  const chosen = choose(values.only)
  await installClients()
  const programs = await installPrograms()
  const results = new Results()
  const server = new ToolServer()
  const runTool: ToolServer['run'] = (...call) => server.run(...call)
  try {
    for (const scenario of chosen) {
      process.stdout.write(`${scenario.name}: ${scenario.about}\n`)
      const room = await Room.make(scenario.plan, programs, roomPlace(values, scenario.name))
      await runChecks(room, context => mixedChecks({ ...context, runTool }, room, scenario), {
        name: scenario.name,
        match: values.match,
        results,
      })
    }
  } finally {
    server.end()
  }
  return results.summary()
}

function choose(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return scenarios
  return only.split(',').flatMap(name => {
    const found = scenarios.filter(one => one.name.startsWith(name))
    if (found.length === 0) throw new Error(`no ${name}; there are ${scenarios.map(one => one.name).join(', ')}`)
    return found
  })
}
