import { NO_LEADER, type TopicsImage } from '../metadata/image.js'
import { LeaderRecovery } from '../metadata/partition-state.js'
import type { MetadataRecord, MetadataRecordValues } from '../metadata/record.js'
import { named } from '../runtime/named.js'

/** A line for the log of the active controller. */
export interface Notable {
  readonly level: 'info' | 'warn'
  readonly message: string
  readonly brokerId?: number
  readonly brokerEpoch?: number
  /** How many, and the first of them as topic-partition. */
  readonly partitions?: number
  readonly names?: readonly string[]
}

type Change = MetadataRecordValues['PartitionChangeRecord']
type Need = 'leaderless' | 'last leader' | 'unclean'

const NEEDS: Readonly<Record<Need, string>> = {
  leaderless: 'partitions have lost their last leader',
  'last leader': 'partitions are led by their last leader again: what it lost when it stopped is lost',
  unclean: 'partitions got a leader by an unclean election: records may be lost',
}

/**
 * What operators want to know of records that were appended together: brokers that come and go, partitions in need.
 *
 * topics: as they were before
 */
export function notableIn(records: readonly MetadataRecord[], topics: TopicsImage): readonly Notable[] {
  const notable: Notable[] = []
  const inNeed: Record<Need, string[]> = { leaderless: [], 'last leader': [], unclean: [] }
  for (const record of records) {
    if (record.type === 'PartitionChangeRecord') {
      const need = needOf(record.value, topics)
      if (need !== null) inNeed[need].push(nameOf(record.value, topics))
    } else {
      const found = ofBroker(record)
      if (found !== null) notable.push(found)
    }
  }
  for (const [need, names] of Object.entries(inNeed)) {
    if (names.length === 0) continue
    notable.push({ level: 'warn', message: NEEDS[need as Need], partitions: names.length, names: named(names) })
  }
  return notable
}

function needOf({ topicId, partitionId, leader, leaderRecoveryState }: Change, topics: TopicsImage): Need | null {
  if (leaderRecoveryState !== LeaderRecovery.RECOVERING) return leader === NO_LEADER ? 'leaderless' : null
  // Nobody is in sync or eligible, but the broker that led last is back (KIP-966).
  const lastKnown = topics.partitionById(topicId, partitionId)?.lastKnownElr ?? []
  return lastKnown.length === 1 && lastKnown[0] === leader ? 'last leader' : 'unclean'
}

function nameOf({ topicId, partitionId }: Change, topics: TopicsImage): string {
  return `${topics.byId(topicId)?.name ?? topicId}-${partitionId}`
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
