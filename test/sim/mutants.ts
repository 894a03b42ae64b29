/**
 * npm run sim -- --mutants [--only NAME] [--runs N]
 * Breaks the code on purpose, one thing at a time, in a copy of what was compiled, and shows that the simulator finds
 * every one of them. A mutant is a piece of text in a compiled file and what stands there instead.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

interface Mutant {
  readonly name: string
  /** Below dist. */
  readonly file: string
  readonly find: string
  readonly put: string
  /** How many nodes show it soonest; null: as many as the seeds draw. */
  readonly nodes: number | null
  /** Where to begin, for what is rare; 1 unless given. */
  readonly seed?: number
  /** Options of the simulator that make what matters happen often. */
  readonly focus?: readonly string[]
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'acknowledges before the others have it',
    file: 'src/replication/delayed-produce.js',
    find: 'this.#partition.whenCommitted(this);',
    put: 'this.onReached();',
    nodes: 3,
  },
  {
    name: 'takes the end of the leader for the high watermark',
    file: 'src/replication/leader.js',
    find: 'if (state.logEndOffset >= lowest)',
    put: 'if (true)',
    nodes: 3,
  },
  {
    name: 'lets consumers read to the end of the log',
    file: 'src/replication/fetch-reading.js',
    find: 'return isReadCommitted ? partition.lastStableOffset : partition.highWatermark;',
    put: 'return partition.log.logEndOffset;',
    nodes: 3,
  },
  {
    name: 'lets consumers read to the end of the log of a follower',
    file: 'src/replication/partition.js',
    find: 'Math.min(Math.max(highWatermark, log.logStartOffset), log.logEndOffset)',
    put: 'log.logEndOffset',
    nodes: 3,
  },
  {
    name: 'ignores that the follower has another epoch',
    file: 'src/replication/fetch-reading.js',
    find: 'if (end.epoch < asked.lastFetchedEpoch || end.endOffset < asked.fetchOffset) {',
    put: 'if (false) {',
    nodes: 3,
  },
  {
    name: 'moves to a directory without the last records',
    file: 'src/replication/future-replicas.js',
    find: 'if (this.#isSynced.has(future))',
    put: 'future.log.truncateTo(Math.max(log.logStartOffset, log.logEndOffset - 1)); if (this.#isSynced.has(future))',
    nodes: 1,
    focus: ['--dirs', '2'],
  },
  {
    name: 'acts on metadata from before its registration',
    file: 'src/broker/registered-gate.js',
    find: 'if (isOpen)',
    put: 'if (true)',
    nodes: 3,
    focus: ['--faults', 'power,break a connection'],
  },
  {
    name: 'commits metadata that one voter has',
    file: 'src/raft/progress.js',
    find: 'ends[Math.floor(ends.length / 2)]',
    put: 'ends[0]',
    nodes: 3,
    focus: ['--faults', 'isolate,partition,kill'],
  },
  {
    name: 'votes for a candidate that has less',
    file: 'src/raft/vote-calls.js',
    find: '        isUpToDate,',
    put: '        isUpToDate: true,',
    nodes: 3,
    focus: ['--faults', 'isolate,partition,kill,cut one way between nodes'],
  },
  {
    name: 'votes twice in an epoch',
    file: 'src/raft/election.js',
    find: 'if (role.voted !== null) {',
    put: 'if (false) {',
    nodes: 5,
    focus: ['--faults', 'isolate,partition,kill,cut one way between nodes'],
  },
  {
    name: 'forgets its vote when the power fails',
    file: 'src/raft/quorum-state.js',
    find: 'disk.replaceFile(',
    put: 'disk.writeFile(',
    nodes: 3,
    focus: ['--faults', 'power,isolate'],
  },
  {
    name: 'counts metadata that is not synced',
    file: 'src/raft/driver.js',
    find: 'this.#options.log.sync().then(() => this.#post',
    put: 'Promise.resolve().then(() => this.#post',
    nodes: 3,
    focus: ['--faults', 'power,isolate'],
  },
  {
    name: 'acknowledges what flush.messages wants synced before it is',
    file: 'src/replication/partition.js',
    find: 'return this.#needsSyncEnd <= this.#syncedEnd || endOffset <= this.#syncedEnd;',
    put: 'return true;',
    nodes: 1,
    focus: ['--faults', 'power,slow disk'],
  },
  {
    name: 'counts what a killed process has left, though flush.messages wants it synced',
    file: 'src/replication/partition.js',
    find: 'if (!this.log.needsSync)',
    put: 'if (true)',
    nodes: null,
    seed: 100330,
    focus: ['--dirs', '1'],
  },
  {
    name: 'appends what an idempotent producer sends again',
    file: 'storage/producer-state.js',
    find: 'if (slot < 0)',
    put: 'if (true)',
    nodes: 1,
    focus: ['--faults', 'break a connection,pause,slow way,lossy way'],
  },
  {
    name: 'keeps a torn batch at the end of a log',
    file: 'storage/recovery.js',
    find: 'if (!isIntactAt(buffer, at))',
    put: 'if (false)',
    nodes: 1,
    focus: ['--faults', 'power'],
  },
  {
    name: 'keeps a broker that comes back in sync',
    file: 'src/controller/register-broker.js',
    find: 'records: [...cleanup, record]',
    put: 'records: [record]',
    nodes: 3,
    focus: ['--faults', 'power,kill'],
  },
  {
    name: 'answers a commit of offsets before it is committed',
    file: 'src/coordinator/shard.js',
    find: 'if (this.#nextOffset <= this.#committedOffset) {',
    put: 'if (true) {',
    nodes: 3,
    focus: ['--faults', 'isolate,kill,partition'],
  },
]

const RUNS = '60'

/** Tries them one after the other; returns the names of those that were not found. */
export function runMutants(only: string | undefined, runs: string | undefined): string[] {
  const survivors: string[] = []
  for (const mutant of MUTANTS) {
    if (only !== undefined && !mutant.name.includes(only)) continue
    const found = tryOne(mutant, runs ?? RUNS)
    console.log(`${found === null ? 'NOT FOUND' : 'found    '}  ${mutant.name}${found === null ? '' : `: ${found}`}`)
    if (found === null) survivors.push(mutant.name)
  }
  return survivors
}

function tryOne({ name, file, find, put, nodes, seed = 1, focus = [] }: Mutant, runs: string): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'sim-mutant-'))
  try {
    cpSync('dist', join(folder, 'dist'), { recursive: true, filter: path => !/\.(map|d\.ts)$/.test(path) })
    cpSync('package.json', join(folder, 'package.json'))
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
    const path = join(folder, 'dist', file)
    const text = readFileSync(path, 'utf8')
    if (text.split(find).length !== 2) throw new Error(`${name}: the text to change is not there once: ${find}`)
    writeFileSync(
      path,
      text.replace(find, () => put),
    )
    const many = nodes === null ? [] : ['--nodes', String(nodes)]
    const options = ['--seed', String(seed), '--runs', runs, ...many, '--brief', '--first', ...focus]
    const run = spawnSync(process.execPath, ['dist/test/sim/main.js', ...options], { cwd: folder, encoding: 'utf8' })
    return /seed \d+ FAILED .*/.exec(run.stdout)?.[0].slice(0, 200) ?? null
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
