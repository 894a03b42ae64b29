import { ErrorCode, errorName } from '#protocol/errors.js'
import {
  type ApplyFailure,
  type FetchedPart,
  type FetcherEffect,
  type FetcherEvent,
  FetcherMachine,
  type OffsetKind,
} from '#src/replication/fetcher-machine.js'
import type { FollowedReplica, FollowState } from '#src/replication/followed-replica.js'
import type { EpochEnd } from '#storage/log-types.js'
import { sourceFolder, testTranscripts } from '../../support/transcript.js'

/** A log that is nothing but its epochs and its ends. */
class PlainReplica implements FollowedReplica {
  readonly name: string
  readonly topicId: string
  readonly index: number
  logEndOffset = 0
  logStartOffset = 0
  highWatermark = 0
  isThrottled = false
  needsSync = false
  /** Epochs with the offsets at which they begin. */
  epochs: [number, number][] = []

  constructor(name: string) {
    this.name = name
    this.topicId = name.slice(0, name.lastIndexOf('-'))
    this.index = Number(name.slice(name.lastIndexOf('-') + 1))
  }

  get latestEpoch(): number {
    return this.epochs.at(-1)?.[0] ?? -1
  }

  endOffsetOf(epoch: number): EpochEnd {
    const at = this.epochs.findLastIndex(([each]) => each <= epoch)
    if (at === -1 || epoch > this.latestEpoch) return { epoch: -1, endOffset: -1 }
    return { epoch: this.epochs[at]![0], endOffset: this.epochs[at + 1]?.[1] ?? this.logEndOffset }
  }

  cut(offset: number): void {
    this.logEndOffset = Math.min(this.logEndOffset, offset)
    this.epochs = this.epochs.filter(([, start]) => start < offset)
    this.highWatermark = Math.min(this.highWatermark, offset)
  }
}

/** A machine, the logs behind it, and words for what goes in and comes out. */
class Scene {
  readonly #replicas = new Map<string, PlainReplica>()
  readonly #machine: FetcherMachine
  #now = 0
  #isThrottling = false
  #failNext: ApplyFailure['kind'] | 'sync' | null = null

  constructor() {
    this.#machine = new FetcherMachine({
      backoffMs: () => 1000,
      answerMsMax: () => 30_000,
      isThrottling: () => this.#isThrottling,
    })
  }

  run(command: string): readonly string[] {
    const [verb = '', ...words] = command.split(/\s+/)
    const names = words.filter(word => !word.includes('='))
    const options = new Map(words.filter(word => word.includes('=')).map(word => word.split('=') as [string, string]))
    switch (verb) {
      case 'log':
        return this.#setLog(names[0]!, options)
      case 'throttle':
        this.#isThrottling = names[0] === 'on'
        return []
      case 'fail':
        this.#failNext = names[0] as ApplyFailure['kind']
        return []
      case 'advance':
        return this.#advance(Number(names[0]))
      default:
        return this.#step(this.#eventOf(verb, names, options))
    }
  }

  #replica(name: string): PlainReplica {
    const known = this.#replicas.get(name)
    if (known !== undefined) return known
    const replica = new PlainReplica(name)
    this.#replicas.set(name, replica)
    return replica
  }

  #setLog(name: string, options: ReadonlyMap<string, string>): readonly string[] {
    const replica = this.#replica(name)
    replica.logEndOffset = Number(options.get('end') ?? 0)
    replica.logStartOffset = Number(options.get('start') ?? 0)
    replica.highWatermark = Number(options.get('hw') ?? 0)
    replica.isThrottled = options.get('throttled') === 'yes'
    replica.needsSync = options.get('unsynced') === 'yes'
    replica.epochs = (options.get('epochs') ?? '')
      .split(',')
      .filter(each => each !== '')
      .map(each => each.split('@').map(Number) as [number, number])
    return []
  }

  #advance(ms: number): readonly string[] {
    const lines: string[] = []
    const until = this.#now + ms
    while (this.#machine.deadline <= until) {
      this.#now = Math.max(this.#now, this.#machine.deadline)
      lines.push(`at ${this.#now}`, ...this.#step({ type: 'tick' }))
    }
    this.#now = until
    return lines
  }

  #eventOf(verb: string, names: readonly string[], options: ReadonlyMap<string, string>): FetcherEvent {
    const replicas = names.map(name => this.#replica(name))
    const code = ErrorCode[(options.get('error') ?? 'NONE') as keyof typeof ErrorCode]
    switch (verb) {
      case 'follow':
        return { type: 'follow', replicas, epochs: replicas.map(() => Number(options.get('epoch'))) }
      case 'unfollow':
        return { type: 'unfollow', replicas }
      case 'touch':
        return { type: 'touch', replica: replicas[0]! }
      case 'connected':
      case 'disconnected':
      case 'moved':
        return { type: verb }
      case 'synced':
        return { type: 'synced', state: this.#machine.stateOf(replicas[0]!)!, succeeded: true }
      case 'offset': {
        const [kind, name] = names as [OffsetKind, string]
        const found = { errorCode: code, offset: Number(options.get('is') ?? -1) }
        return { type: 'offset', state: this.#machine.stateOf(this.#replica(name))!, kind, found }
      }
      case 'answer': {
        const parts = replicas.map(({ topicId, index }) => ({ topicId, index, part: partOf(code, options) }))
        const errorCode = parts.length === 0 ? code : ErrorCode.NONE
        return { type: 'answer', answer: { errorCode, sessionId: Number(options.get('session') ?? 7), parts } }
      }
      default:
        throw new Error(`what is ${verb}?`)
    }
  }

  #step(event: FetcherEvent): readonly string[] {
    const effects = this.#machine.step(event, this.#now)
    const lines = effects.map(textOf)
    const changes = effects.filter(({ type }) => type === 'append' || type === 'truncate' || type === 'restart')
    if (changes.length === 0) return lines
    const failures: ApplyFailure[] = []
    const syncing: FollowState[] = []
    for (const effect of changes) this.#apply(effect, failures, syncing)
    this.#failNext = null
    return [...lines, ...this.#step({ type: 'applied', failures, syncing })]
  }

  #apply(effect: FetcherEffect, failures: ApplyFailure[], syncing: FollowState[]): void {
    if (!('state' in effect) || effect.state === null) return
    const { state } = effect
    const replica = state.replica as PlainReplica
    if (this.#failNext === 'sync') syncing.push(state)
    else if (this.#failNext !== null) {
      failures.push({ state, kind: this.#failNext })
      return
    }
    if (effect.type === 'truncate') replica.cut(effect.offset)
    else if (effect.type === 'restart') {
      replica.cut(0)
      replica.logStartOffset = replica.logEndOffset = effect.offset
    } else if (effect.type === 'append') {
      const records = effect.part.records
      const [epoch = 0, count = 0] = records === null ? [] : [records[0]!, records[1]!]
      if (count > 0 && replica.latestEpoch !== epoch) replica.epochs.push([epoch, replica.logEndOffset])
      replica.logEndOffset += count
      replica.highWatermark = Math.min(effect.part.highWatermark, replica.logEndOffset)
      replica.logStartOffset = Math.max(replica.logStartOffset, effect.part.logStartOffset)
    }
  }
}

/** `records=EPOCHxCOUNT`; none are appended of an epoch that is told as `later`. */
function partOf(errorCode: number, options: ReadonlyMap<string, string>): FetchedPart {
  const [epoch, count] = (options.get('records') ?? '').split('x').map(Number)
  const diverging = options.get('diverging')?.split('@').map(Number)
  return {
    errorCode,
    highWatermark: Number(options.get('hw') ?? 0),
    logStartOffset: Number(options.get('start') ?? 0),
    diverging: diverging === undefined ? null : { epoch: diverging[0]!, endOffset: diverging[1]! },
    records: count === undefined ? null : Buffer.from([epoch!, count]),
  }
}

function textOf(effect: FetcherEffect): string {
  switch (effect.type) {
    case 'fetch': {
      const { sessionId, sessionEpoch, named, forgotten } = effect.request
      const asked = named.map(
        state =>
          `${state.replica.name}[${state.fetchOffset} epoch ${state.leaderEpoch} last ${state.lastFetchedEpoch}]`,
      )
      const gone = forgotten.map(each => `-${each.topicId}-${each.index}`)
      return [`fetch session ${sessionId}/${sessionEpoch}`, ...asked, ...gone].join(' ')
    }
    case 'listOffset':
      return `list ${effect.kind} of ${effect.state.replica.name}`
    case 'append':
      return `append to ${effect.state.replica.name}: ${effect.part.records?.[1] ?? 0} records, hw ${effect.part.highWatermark}`
    case 'truncate':
    case 'restart':
      return `${effect.type} ${effect.state.replica.name} at ${effect.offset}`
    case 'sync':
      return `sync ${effect.state.replica.name}`
    case 'log':
      return `log ${effect.state?.replica.name ?? ''} ${effect.message} (${errorName(effect.code as ErrorCode)})`
    default:
      return effect.type
  }
}

testTranscripts(sourceFolder(import.meta.url, 'fetcher-machine'), () => {
  const scene = new Scene()
  return command => scene.run(command)
})
