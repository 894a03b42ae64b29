/** What many runs together must have had: faults that really happened, and paths that are rarely taken. */
export const WANTED: readonly string[] = [
  'fault: kill',
  'fault: kill at an effect',
  'fault: power',
  'fault: pause',
  'fault: clean restart',
  'fault: break a connection',
  'fault: cut clients off',
  'fault: cut one way',
  'fault: slow way',
  'fault: lossy way',
  'fault: slow disk',
  'fault: disk errors',
  'fault: disk full',
  'fault: clock jump',
  'fault: partition',
  'fault: isolate',
  'fault: cut one way between nodes',
  'fault: replace a disk',
  'fault: directory fails',
  'I/O in a directory that had failed',
  'directory of a broker offline',
  'move between directories asked for',
  'move between directories refused',
  'replica moved to another directory',
  'records deleted',
  'power lost by all nodes',
  'power lost with records that were not synced',
  'killed at an effect',
  'file lost all that was not synced',
  'last write torn',
  'disk error',
  'disk error at a read',
  'disk full',
  'write that failed half way',
  'packet held back by a cut',
  'packet lost and sent again',
  'request that its client has given up arrives',
  'batch sent again',
  'batch sent again is acknowledged',
  'connection refused',
  'log truncated',
  'metadata log truncated',
  'snapshot of the metadata written',
  'snapshot of the metadata installed',
  'leader of the metadata quorum elected',
  'leader elected',
  'leader elected again',
  'leader elected uncleanly',
  'leader elected from the ELR',
  'leader elected by hand after the loss of a disk',
  'last known leader elected',
  'partition without a leader',
  'broker fenced',
  'ISR shrunk',
  'ISR grown',
  'replica went from the ISR to the ELR',
  'reassignment begun',
  'reassignment ended',
  'disaster: an unsynced tail may be gone',
  'consumer sent to a follower',
  'records read from a follower',
  'admin: CreateTopics',
  'admin: DeleteTopics',
  'admin: CreatePartitions',
  'admin: IncrementalAlterConfigs',
  'admin: ElectLeaders',
  'admin: reassignment',
  'admin: reassignment cancelled',
  'admin: voter added',
  'admin: voter removed',
  'admin: voter added under a partition',
  'admin: voter removed under a partition',
]

/** How often each fault and each rare path really happened. */
export class Coverage {
  readonly counts = new Map<string, number>()

  count(what: string, times = 1): void {
    if (times === 0) return
    this.counts.set(what, (this.counts.get(what) ?? 0) + times)
  }

  add(other: Coverage): void {
    for (const [what, times] of other.counts) this.count(what, times)
  }

  /** What is wanted and did not happen. */
  get missing(): readonly string[] {
    return WANTED.filter(what => !this.counts.has(what))
  }

  lines(): string[] {
    const names = [...this.counts.keys()].sort()
    return names.map(name => `  ${String(this.counts.get(name)).padStart(9)}  ${name}`)
  }
}
