import { strict as assert } from 'node:assert'
import type { ElectionState, RaftEffect, VoteCall } from '#src/raft/raft-types.js'
import { describeReplica, isVoter, type QuorumChange } from '#src/raft/voters.js'
import { endOffsetOf, type ModelBatch, type ModelDisk, type ModelSnapshot, type Replica } from './replica.js'

interface Node {
  readonly id: number
  readonly config: { readonly nodeId: number; readonly directoryId: string }
  readonly disk: ModelDisk
  readonly replica: Replica | null
}

/**
 * What must hold after every step of any node:
 *
 *   - an epoch has at most one leader, a node votes for at most one candidate in it, and a candidate asks with no less
 *     than it has asked with before;
 *   - offset and epoch name one batch, and logs that agree on it agree on all before it;
 *   - what one node has committed no other commits differently, and no leader is without it;
 *   - what is committed is on the device of a majority;
 *   - a snapshot holds what is committed below its end, the voters included, and a node goes by the voters on its disk.
 */
export class SafetyChecker {
  readonly #leaders = new Map<number, number>()
  readonly #votes = new Map<string, string>()
  readonly #candidates = new Map<string, { readonly lastEpoch: number; readonly lastOffset: number }>()
  readonly #batches = new Map<string, ModelBatch>()
  /** The committed log, from offset 0. */
  readonly #committed: ModelBatch[] = []
  readonly #seen = new Map<number, { election: ElectionState | null; committed: number }>()
  /** What formatting left. */
  readonly #initial: readonly QuorumChange[]

  constructor(initial: readonly QuorumChange[]) {
    this.#initial = initial
  }

  committedBelow(endOffset: number): readonly ModelBatch[] {
    return this.#committed.filter(batch => batch.lastOffset < endOffset)
  }

  started(node: Node): void {
    this.#seen.set(node.id, { election: node.disk.election, committed: 0 })
  }

  stepped(node: Node, effects: readonly RaftEffect[], all: readonly Node[]): void {
    for (const effect of effects) {
      if (effect.type === 'persistElection') this.#checkElection(node, effect.state)
      else if (effect.type === 'append' || effect.type === 'appendControl' || effect.type === 'appendFetched')
        this.#checkBatches(node)
      else if (effect.type === 'leaderChanged' && effect.leaderId === node.id) this.#checkLeader(node, effect.epoch)
      else if (effect.type === 'highWatermark') this.#checkCommit(node, effect.offset, all)
      else if (effect.type === 'call' && effect.call.api === 'vote') this.#checkCandidate(effect.call)
      else if (effect.type === 'installSnapshot') this.#checkSnapshot(node, node.disk.snapshots.at(-1)!)
      else if (effect.type === 'warn') assert.fail(`node ${node.id}: ${effect.message}`)
    }
    if (effects.length > 0) this.#checkVoters(node)
  }

  /** A node has taken or been sent this one. */
  #checkSnapshot(node: Node, { id, content, changes }: ModelSnapshot): void {
    const expected = this.committedBelow(id.endOffset)
    const isSame = content.length === expected.length && content.every((batch, index) => same(batch, expected[index]!))
    assert(isSame, `node ${node.id} has a snapshot of ${id.endOffset} with other batches than are committed`)
    const last = expected.at(-1)
    assert(id.endOffset === 0 || (last?.lastOffset === id.endOffset - 1 && last.epoch === id.epoch))
    const wanted = quorumOf([...this.#initial, ...expected.flatMap(batch => batch.changes)])
    assert.deepEqual(quorumOf(changes), wanted, `node ${node.id} has a snapshot of ${id.endOffset} with other voters`)
  }

  takenSnapshot(node: Node, snapshot: ModelSnapshot): void {
    this.#checkSnapshot(node, snapshot)
  }

  /** What the machine remembers of the voters is what it would read on its disk. */
  #checkVoters({ id, disk, replica }: Node): void {
    if (replica === null || replica.isGone) return
    const newest = disk.snapshots.at(-1)
    const later = disk.batches.filter(batch => batch.baseOffset >= (newest?.id.endOffset ?? 0))
    const found = quorumOf([...(newest?.changes ?? []), ...later.flatMap(batch => batch.changes)])
    const { kraftVersion, voters } = replica.raft
    assert.equal(kraftVersion, found.kraftVersion, `node ${id} has another kraft.version than its disk`)
    if (found.voters !== null) assert.deepEqual(voters, found.voters, `node ${id} has other voters than its disk`)
  }

  /** Nobody is short of anything. */
  atRest(all: readonly Node[]): void {
    const end = this.#committed.at(-1)!.lastOffset + 1
    for (const node of all)
      assert.equal(endOffsetOf(node.disk), end, `node ${node.id} has something that is not committed`)
  }

  #checkElection(node: Node, state: ElectionState): void {
    const seen = this.#seen.get(node.id)!
    assert(state.epoch >= (seen.election?.epoch ?? 0), `the epoch of node ${node.id} goes back`)
    seen.election = state
    if (state.voted === null) return
    const key = `${node.id} (${node.config.directoryId}) in ${state.epoch}`
    const before = this.#votes.get(key)
    const voted = String(state.voted.id)
    assert(before === undefined || before === voted, `node ${key} votes for ${before} and ${voted}`)
    this.#votes.set(key, voted)
  }

  /** Who has granted its vote grants it again: a candidate must not come back with less. */
  #checkCandidate({ candidate, epoch, lastEpoch, lastOffset, preVote }: VoteCall): void {
    if (preVote) return
    const key = `${describeReplica(candidate)} in epoch ${epoch}`
    const before = this.#candidates.get(key)
    const isLess = before !== undefined && (lastEpoch < before.lastEpoch || lastOffset < before.lastOffset)
    assert(!isLess, `${key} asks for votes with ${lastOffset}, and has asked with ${before?.lastOffset}`)
    this.#candidates.set(key, { lastEpoch, lastOffset })
  }

  #checkLeader(node: Node, epoch: number): void {
    const other = this.#leaders.get(epoch)
    assert(other === undefined, `epoch ${epoch} is led by ${other} and ${node.id}`)
    this.#leaders.set(epoch, node.id)
    for (const batch of this.#committed) {
      if (batch.lastOffset < node.disk.startOffset) continue
      const own = node.disk.batches.find(one => one.baseOffset === batch.baseOffset)
      assert(
        same(own, batch),
        `leader ${node.id} of epoch ${epoch} is without committed ${describe(batch)}, has ${describe(own)}`,
      )
    }
  }

  #checkBatches({ id, disk }: Node): void {
    let previous: ModelBatch | null = null
    for (const batch of disk.batches) {
      const key = `${batch.epoch}/${batch.baseOffset}`
      const known = this.#batches.get(key)
      if (known === undefined) this.#batches.set(key, batch)
      else assert(same(known, batch), `node ${id} has ${describe(batch)}, another has ${describe(known)}`)
      if (previous !== null) {
        assert.equal(batch.baseOffset, previous.lastOffset + 1)
        assert(batch.epoch >= previous.epoch, `node ${id}: epoch ${batch.epoch} after ${previous.epoch}`)
      }
      previous = batch
    }
  }

  #checkCommit(node: Node, highWatermark: number, all: readonly Node[]): void {
    const seen = this.#seen.get(node.id)!
    for (const batch of node.disk.batches) {
      if (batch.lastOffset >= highWatermark) break
      if (batch.baseOffset < seen.committed) continue
      this.#commit(node, batch)
    }
    seen.committed = highWatermark
    if (node.replica?.raft.role === 'leader') this.#checkMajority(node, highWatermark, all)
  }

  #commit(node: Node, batch: ModelBatch): void {
    const known = this.#committed.find(one => one.baseOffset === batch.baseOffset)
    if (known !== undefined) {
      assert(same(known, batch), `node ${node.id} commits ${describe(batch)}, another has committed ${describe(known)}`)
      return
    }
    const end = (this.#committed.at(-1)?.lastOffset ?? -1) + 1
    assert.equal(batch.baseOffset, end, `node ${node.id} commits ${describe(batch)} after ${end}`)
    this.#committed.push(batch)
  }

  #checkMajority(leader: Node, highWatermark: number, all: readonly Node[]): void {
    const { voters } = leader.replica!.raft
    const holders = all.filter(node => {
      const key = { id: node.id, directoryId: node.config.directoryId }
      return isVoter(voters, key) && node.disk.syncedOffset >= highWatermark
    })
    assert(
      holders.length > voters.length / 2 || (this.#initial.length > 0 && voters.length === 0),
      `${highWatermark} is committed with only ${holders.map(node => node.id)} of ${voters.map(voter => voter.key.id)}`,
    )
  }
}

function quorumOf(changes: readonly QuorumChange[]): { kraftVersion: number; voters: QuorumChange['voters'] | null } {
  const voters = changes.findLast(change => change.voters !== undefined)?.voters ?? null
  return { kraftVersion: changes.findLast(change => change.kraftVersion !== undefined)?.kraftVersion ?? 0, voters }
}

function same(a: ModelBatch | undefined, b: ModelBatch): boolean {
  return (
    a !== undefined &&
    a.baseOffset === b.baseOffset &&
    a.lastOffset === b.lastOffset &&
    a.epoch === b.epoch &&
    a.text === b.text
  )
}

function describe(batch: ModelBatch | undefined): string {
  return batch === undefined ? 'nothing' : `${batch.baseOffset}..${batch.lastOffset}/${batch.epoch} ${batch.text}`
}
