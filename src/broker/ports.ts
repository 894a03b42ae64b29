import type { Disk } from '#storage/disk.js'
import type { BrokerLoggers } from '../handlers/broker-loggers.js'
import type { Clock, Logger, Network, Random } from '../runtime/ports.js'

/** Everything outside the broker: handed in by who creates it. */
export interface BrokerPorts {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly disk: Disk
  readonly logger: Logger
  /** The levels of the loggers, which admin tools may read and set. */
  readonly loggers: BrokerLoggers
  /** The name of this machine, for listeners that do not say where they are reached. */
  readonly hostname: string
  /** Memory that requests and answers in flight may take in all, bytes. */
  readonly flightBytesMax: number
  /** Memory that the state of groups may take in all, bytes. */
  readonly groupBytesMax: number
}
