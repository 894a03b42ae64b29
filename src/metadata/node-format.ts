import type { Disk } from '#storage/disk.js'
import { logSuffix, parseFolderName } from '#storage/file-names.js'
import type { BrokerConfig } from '../config/broker-config.js'
import type { FormatOptions, InitialQuorum } from './bootstrap.js'
import { FormatError, unusableDirectory } from './format-error.js'

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

/**
 * Throws FormatError if one of these directories, which have no meta.properties, has logs: a node that has run and is
 * formatted by itself becomes another cluster, or forgets what lies where. What an interrupted formatting leaves is no
 * log.
 */
export function expectNeverRan(disk: Disk, directories: readonly string[]): void {
  for (const directory of directories) {
    const log = disk.exists(directory) ? logIn(disk, directory) : undefined
    if (log === undefined) continue
    throw new FormatError(
      `${directory} has logs (${log}) and no meta.properties: a node ran there whose file was lost. Restore the file. ` +
        'If the data is not needed, empty the directory, or change log.dirs.',
    )
  }
}

/** The name of a folder that holds a log; undefined if there is none. */
function logIn(disk: Disk, directory: string): string | undefined {
  const isLog = (folder: string): boolean =>
    parseFolderName(folder) !== null && disk.list(`${directory}/${folder}`).some(({ name }) => name.endsWith(logSuffix))
  try {
    return disk.list(directory).find(({ name, isDirectory }) => isDirectory && isLog(name))?.name
  } catch (error) {
    throw unusableDirectory(directory, error)
  }
}
