/** npm run bench -- [cluster] [options]: tables that compare Ottla with Apache Kafka on this machine. */
import { clusterBench } from './cluster/main.js'
import { brokerBench } from './one-broker.js'

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const [first, ...rest] = process.argv.slice(2)
if (first === 'cluster') await clusterBench(rest)
else await brokerBench(first === undefined ? [] : [first, ...rest])
