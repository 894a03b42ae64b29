/** What must hold of a partition: a bug of ours that breaks it ends the process. */
import { strict as assert } from 'node:assert'
import type { PartitionImage } from '../metadata/image.js'

interface Known {
  readonly name: string
  readonly leaderId: number
  readonly leaderEpoch: number
}

/** The metadata says what comes after what is known. */
export function expectSuccession({ name, leaderId, leaderEpoch }: Known, next: PartitionImage): void {
  const isNewEpoch = next.leaderEpoch > leaderEpoch
  if (isNewEpoch || (next.leaderEpoch === leaderEpoch && next.leader === leaderId)) return
  const broken = next.leaderEpoch < leaderEpoch ? 'epochs only rise' : 'one leader an epoch'
  assert.fail(`${broken}: ${name} ${leaderId}@${leaderEpoch} -> ${next.leader}@${next.leaderEpoch}`)
}

/** The log is about to be cut. */
export function expectFollower({ name, isLeader }: { readonly name: string; readonly isLeader: boolean }): void {
  assert(!isLeader, `the high watermark does not go back: the leader of ${name} does not cut its log`)
}
