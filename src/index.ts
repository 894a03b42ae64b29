/** The library: a broker in the calling process. */

export type { Logger } from './runtime/ports.js'
export type { EmbeddedBroker, StartBrokerOptions } from './testing/start-broker.js'
export { startBroker } from './testing/start-broker.js'
