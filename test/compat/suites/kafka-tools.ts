import { oracleScript } from '../broker.js'
import { javaPackages } from '../cache.js'
import { runOrThrow } from '../process.js'
import type { Suite } from '../suite.js'
import { clusterChecks } from './tools/cluster.js'
import { groupChecks } from './tools/groups.js'
import { recordChecks } from './tools/records.js'
import { makeTools } from './tools/tools.js'
import { topicChecks } from './tools/topics.js'

/** Apache Kafka's command line tools, and through them the Java clients. */
export const kafkaToolsSuite: Suite = {
  name: 'kafka-tools',
  about: "Apache Kafka's command line tools, and with them the Java producer, consumer and admin client",
  install: async () => {
    await javaPackages()
    await runOrThrow('bash', [oracleScript, 'classpath'], { timeoutMs: 900_000 })
  },
  run: async context => {
    const tools = makeTools(context)
    await topicChecks(context, tools)
    await recordChecks(context, tools)
    await groupChecks(context, tools)
    await clusterChecks(context, tools)
  },
}
