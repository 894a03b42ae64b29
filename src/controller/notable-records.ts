import { NO_LEADER } from '../metadata/image.js'
import { LeaderRecovery } from '../metadata/partition-state.js'
import type { MetadataRecord } from '../metadata/record.js'

/** A line for the log of the active controller. */
export interface Notable {
  readonly level: 'info' | 'warn'
  readonly message: string
  readonly brokerId?: number
  readonly brokerEpoch?: number
  readonly partitions?: number
}

/** What operators want to know of records that were appended together: brokers that come and go, partitions in need. */
export function notableIn(records: readonly MetadataRecord[]): readonly Notable[] {
  const notable: Notable[] = []
  let unclean = 0
  let leaderless = 0
  for (const record of records) {
    if (record.type === 'PartitionChangeRecord') {
      if (record.value.leaderRecoveryState === LeaderRecovery.RECOVERING) unclean++
      else if (record.value.leader === NO_LEADER) leaderless++
    } else {
      const found = ofBroker(record)
      if (found !== null) notable.push(found)
    }
  }
  if (leaderless > 0) {
    notable.push({ level: 'warn', message: 'partitions have lost their last leader', partitions: leaderless })
  }
  if (unclean > 0) {
    const message = 'partitions got a leader by an unclean election: records may be lost'
    notable.push({ level: 'warn', message, partitions: unclean })
  }
  return notable
}

function ofBroker(record: MetadataRecord): Notable | null {
  switch (record.type) {
    case 'RegisterBrokerRecord': {
      const { brokerId, brokerEpoch } = record.value
      return { level: 'info', message: `broker ${brokerId} is registered`, brokerId, brokerEpoch }
    }
    case 'UnregisterBrokerRecord': {
      const { brokerId, brokerEpoch } = record.value
      return { level: 'info', message: `broker ${brokerId} is no longer registered`, brokerId, brokerEpoch }
    }
    case 'BrokerRegistrationChangeRecord': {
      const { brokerId, brokerEpoch, fenced, inControlledShutdown, logDirs } = record.value
      const what = [
        ...(fenced === 1 ? ['is fenced'] : []),
        ...(fenced === -1 ? ['is unfenced'] : []),
        ...(inControlledShutdown === 1 ? ['is about to stop'] : []),
        ...(logDirs.length > 0 ? ['has lost log directories'] : []),
      ]
      if (what.length === 0) return null
      return { level: 'info', message: `broker ${brokerId} ${what.join(', ')}`, brokerId, brokerEpoch }
    }
    default:
      return null
  }
}
