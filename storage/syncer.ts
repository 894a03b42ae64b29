import { partitionMetadataName } from './file-names.js'
import { LogError } from './log-error.js'
import type { LogState } from './log-state.js'

interface Waiting {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const done = Promise.resolve()

/**
 * Brings a log to the device, by group commit: one round covers all that wait for it, and while it runs those who
 * come are gathered for the next one. What must be durable before batches count (the names of files, the topic id,
 * leader epochs, aborted transactions) is brought along, and only then the recovery point moves.
 */
export class Syncer {
  readonly #state: LogState
  #isRunning = false
  #waiting: Waiting | null = null
  /** Old segments were rolled while a round ran. */
  #hasRolled = false
  /** The end offset that the running round will have made durable. */
  #target = 0

  constructor(state: LogState) {
    this.#state = state
  }

  /** Resolves when all that was appended before the call is on the device. */
  sync(): Promise<void> {
    const state = this.#state
    if (state.environment.failure !== null) return Promise.reject(state.environment.offlineError())
    if (state.isClosed) return Promise.reject(closedError(state))
    if (state.recoveryPoint >= state.logEndOffset && !this.#isRunning && !this.#hasLooseEnds()) return done
    return this.#isRunning ? this.#wait() : this.#run(true)
  }

  /**
   * Begins to bring rolled segments, a cut of the active one and loose ends to the device; errors take the directory
   * offline and are not told here.
   */
  syncRolled(): void {
    if (this.#isRunning) this.#hasRolled = true
    else this.#run(false).catch(passOver)
  }

  /**
   * Brings what was appended since the last round to the device at once; false where that is more than batches of the
   * active segment. For those who cannot let anything be appended meanwhile.
   */
  syncRest(): boolean {
    const state = this.#state
    const { active, environment } = state
    const isMore = this.#isRunning || this.#hasLooseEnds() || state.recoveryPoint < active.baseOffset
    if (isMore || active.hasAbortedIndex || !state.areEpochsDurable) return false
    environment.guarded(`syncing ${state.place.path}`, () => active.syncNow())
    state.recoveryPoint = state.logEndOffset
    state.unflushedSinceMs = Infinity
    return true
  }

  /** The log was cut at `offset`: a round under way makes nothing above it durable. */
  lower(offset: number): void {
    this.#target = Math.min(this.#target, offset)
  }

  #wait(): Promise<void> {
    if (this.#waiting === null) {
      let resolve: Waiting['resolve'] = () => {}
      let reject: Waiting['reject'] = () => {}
      const promise = new Promise<void>((resolveIt, rejectIt) => {
        resolve = resolveIt
        reject = rejectIt
      })
      this.#waiting = { promise, resolve, reject }
    }
    return this.#waiting.promise
  }

  async #run(isWhole: boolean): Promise<void> {
    this.#isRunning = true
    try {
      await this.#round(isWhole)
    } catch (error) {
      if (this.#state.isClosed) throw closedError(this.#state)
      throw this.#state.environment.fail(`syncing ${this.#state.place.path}`, error)
    } finally {
      this.#isRunning = false
      this.#next()
    }
  }

  #next(): void {
    const waiting = this.#waiting
    const hasRolled = this.#hasRolled
    this.#waiting = null
    this.#hasRolled = false
    if (waiting !== null) this.#run(true).then(waiting.resolve, waiting.reject)
    else if (hasRolled) this.#run(false).catch(passOver)
  }

  async #round(isWhole: boolean): Promise<void> {
    const state = this.#state
    if (state.environment.failure !== null) throw state.environment.offlineError()
    if (state.isClosed) throw closedError(state)
    this.#target = isWhole ? state.logEndOffset : state.active.baseOffset
    // From the segment on that holds the last durable record: its batches are on the device, its indexes may not be.
    const from = Math.max(0, state.segmentIndexOf(state.recoveryPoint - 1))
    const active = state.active
    const segments = state.segments.slice(from).filter(segment => isWhole || segment !== active || active.isCutLoose)
    const waiting = segments.map(segment => segment.sync(segment !== active))
    waiting.push(this.#syncLooseEnds())
    await Promise.all(waiting)
    // Names after contents: what is found under a name is whole. Epochs after names: what they no longer speak of is
    // gone.
    do await this.#syncNames()
    while (state.areNamesDirty)
    // They are needed only for batches that will count.
    if (this.#target > state.recoveryPoint) await state.syncEpochs()
    const target = Math.min(this.#target, state.logEndOffset)
    if (target > state.recoveryPoint) state.recoveryPoint = target
    if (state.recoveryPoint >= state.logEndOffset) state.unflushedSinceMs = Infinity
  }

  #hasLooseEnds(): boolean {
    const { environment, areNamesDirty, isMetadataDurable, unsyncedSnapshots } = this.#state
    return areNamesDirty || environment.areNamesDirty || !isMetadataDurable || unsyncedSnapshots.length > 0
  }

  async #syncLooseEnds(): Promise<void> {
    const state = this.#state
    const snapshots = state.unsyncedSnapshots
    state.unsyncedSnapshots = []
    const waiting = snapshots.map(offset => this.#syncFile(state.snapshotPath(offset)))
    if (!state.isMetadataDurable) {
      state.namesChanged()
      waiting.push(this.#syncFile(state.pathOf(partitionMetadataName)))
    }
    await Promise.all(waiting)
    state.isMetadataDurable = true
  }

  async #syncFile(path: string): Promise<void> {
    const { disk } = this.#state.environment
    // It may have been removed meanwhile, which is as good.
    if (!disk.exists(path)) return
    const file = disk.open(path)
    try {
      await file.sync()
    } finally {
      file.close()
    }
  }

  async #syncNames(): Promise<void> {
    const state = this.#state
    if (state.areNamesDirty) await state.syncNames()
    await state.environment.syncNames()
  }
}

/**
 * For a round that nobody waits for: a disk that failed has taken the directory offline, which tells everyone. What is
 * no error of a disk is one of ours, and ends the process.
 */
function passOver(error: unknown): void {
  if (!(error instanceof LogError)) throw error
}

function closedError(state: LogState): LogError {
  return new LogError('UNKNOWN_TOPIC_OR_PARTITION', `The log of ${state.name} was closed`)
}
