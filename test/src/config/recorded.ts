import { readFileSync } from 'node:fs'
import type { BrokerConfig } from '#src/config/broker-config.js'
import { brokerConfigFrom } from '#src/config/start.js'

/** Lines of JSON that were recorded from Apache Kafka 4.4.0. */
export function recorded<T>(fileName: string): readonly T[] {
  const url = new URL(`../../../../test/src/config/recorded/${fileName}`, import.meta.url)
  const lines = readFileSync(url, 'utf8').split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as T)
}

/** A broker with these properties at start; the test fails if they are not in order. */
export function started(properties: Readonly<Record<string, string>>): BrokerConfig {
  const start = brokerConfigFrom({ properties: new Map(Object.entries(properties)) })
  if (!start.ok) throw new Error(start.lines.join('\n'))
  return start.config
}

/** The properties of the broker from which the recordings were made. */
export const RECORDED_PROPERTIES: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': '1@localhost:9093',
  listeners: 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
  'advertised.listeners': 'PLAINTEXT://localhost:9092',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'PLAINTEXT',
  'log.dirs': '/var/lib/kafka/data',
}
