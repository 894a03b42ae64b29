/**
 * What `ottla start` takes where nobody says anything: one node that is broker and controller, with the values of the
 * file that the apache/kafka image starts with. It stands in only for a missing properties file: a file must say who
 * the node is, as Kafka demands it. Where the data lies is left to the command.
 */
export const singleNodeProfile: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': '1@localhost:9093',
  listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
  'advertised.listeners': 'PLAINTEXT://localhost:9092',
  'inter.broker.listener.name': 'PLAINTEXT',
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map':
    'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
  'offsets.topic.replication.factor': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
}

/**
 * A broker inside a test: any free port of this machine, and nothing that waits for more members, makes fifty
 * partitions at the first use, or writes while nobody does anything.
 */
export const embeddedProfile: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': '1@127.0.0.1:0',
  listeners: 'PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0',
  'inter.broker.listener.name': 'PLAINTEXT',
  'controller.listener.names': 'CONTROLLER',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.num.partitions': '4',
  'share.coordinator.state.topic.min.isr': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.num.partitions': '4',
  'transaction.state.log.min.isr': '1',
  'group.initial.rebalance.delay.ms': '0',
  'metadata.max.idle.interval.ms': '0',
}

/** One of several nodes inside a test. `replicas`: of internal topics, and of others unless they say it. */
export function clusterProfile(replicas: number): Readonly<Record<string, string>> {
  const { 'controller.quorum.voters': _, ...profile } = embeddedProfile
  const minInsyncReplicas = String(Math.max(1, replicas - 1))
  return {
    ...profile,
    'default.replication.factor': String(replicas),
    'offsets.topic.replication.factor': String(replicas),
    'share.coordinator.state.topic.replication.factor': String(replicas),
    'share.coordinator.state.topic.min.isr': minInsyncReplicas,
    'transaction.state.log.replication.factor': String(replicas),
    'transaction.state.log.min.isr': minInsyncReplicas,
  }
}
