import type { Disk } from './disk.js'
import { isDiskError } from './disk-error.js'

/** Tells the next process, Kafka or Ottla, that all logs of the directory are whole: it then checks none of them. */
const cleanShutdownName = '.kafka_cleanshutdown'

export interface CleanShutdown {
  /** Of the broker that stopped; -1: not known. */
  readonly brokerEpoch: number
}

/** null when there is no marker. That of older versions is empty; one that cannot be read is of an unknown epoch. */
export function readCleanShutdown(disk: Disk, directoryPath: string): CleanShutdown | null {
  const path = `${directoryPath}/${cleanShutdownName}`
  if (!disk.exists(path)) return null
  try {
    const { brokerEpoch } = JSON.parse(disk.readFile(path).toString('utf8')) as { brokerEpoch?: unknown }
    return { brokerEpoch: typeof brokerEpoch === 'number' ? brokerEpoch : -1 }
  } catch (error) {
    if (isDiskError(error)) throw error
    return { brokerEpoch: -1 }
  }
}

/** Durably: found again after a crash the marker would keep recovery from looking. */
export function removeCleanShutdown(disk: Disk, directoryPath: string): void {
  const path = `${directoryPath}/${cleanShutdownName}`
  if (!disk.exists(path)) return
  disk.remove(path)
  disk.syncDirectory(directoryPath)
}

/** The last thing that is written to a directory. Durable when it returns. */
export function writeCleanShutdown(disk: Disk, directoryPath: string, brokerEpoch: number): void {
  disk.replaceFile(`${directoryPath}/${cleanShutdownName}`, Buffer.from(JSON.stringify({ version: 0, brokerEpoch })))
}
