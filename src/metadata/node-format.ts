import type { BrokerConfig } from '../config/broker-config.js'
import type { FormatOptions, InitialQuorum } from './bootstrap.js'

/** What a person may choose when a node is formatted; the rest stands in its options. */
export interface FormatChoices {
  readonly clusterId: string
  readonly quorum: InitialQuorum
  readonly releaseVersion: string | null
  readonly features: ReadonlyMap<string, number>
  readonly addScram: readonly string[]
  readonly ignoreFormatted: boolean
}

/** The formatting of the directories of a node. */
export function formatOptionsOf(config: BrokerConfig, choices: FormatChoices): FormatOptions {
  const { node } = config
  const directories = [...new Set([...node.logDirs, node.metadataLogDir])]
  return {
    ...choices,
    nodeId: node.nodeId,
    isController: node.roles.controller,
    directories,
    metadataDirectory: node.metadataLogDir,
    controllerListenerName: node.controllerListenerNames[0] ?? 'CONTROLLER',
  }
}
