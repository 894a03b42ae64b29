import type { BrokerConfig } from '../config/broker-config.js'
import type { FormatOptions, InitialQuorum } from './bootstrap.js'

/** What a person may choose when a node is formatted; the rest stands in its options. */
export interface FormatChoices {
  readonly clusterId: string
  readonly quorum: InitialQuorum
  /** Directories that are formatted already are left as they are; otherwise they are an error. */
  readonly ignoreFormatted: boolean
  /** The newest unless given; with the levels in `features`. */
  readonly releaseVersion?: string | null
  readonly features?: ReadonlyMap<string, number>
  /** Users of the first hour; none unless given. */
  readonly addScram?: readonly string[]
}

/** The formatting of the directories of a node. */
export function formatOptionsOf(config: BrokerConfig, choices: FormatChoices): FormatOptions {
  const { node } = config
  const directories = [...new Set([...node.logDirs, node.metadataLogDir])]
  return {
    releaseVersion: null,
    features: new Map(),
    addScram: [],
    ...choices,
    nodeId: node.nodeId,
    isController: node.roles.controller,
    directories,
    metadataDirectory: node.metadataLogDir,
    controllerListenerName: node.controllerListenerNames[0] ?? 'CONTROLLER',
  }
}
