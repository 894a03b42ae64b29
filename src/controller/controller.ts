import type { BrokerConfig } from '../config/broker-config.js'
import { ResourceType } from '../metadata/image.js'
import type { MetadataState } from '../metadata/metadata-state.js'
import type { MetadataRecord } from '../metadata/record.js'
import type { Millis, Random } from '../runtime/ports.js'
import { fenceBroker } from './broker-changes.js'
import { BrokerSessions } from './broker-sessions.js'
import type { Command, ControllerContext, ControllerIdentity, Outcome } from './command.js'
import { balanceLeaders, electUncleanLeaders } from './elect-leaders.js'

/**
 * Standing still for less than this part of a session is taken for silence of the brokers; after a longer time they
 * have as much at least to be heard of.
 */
const stallsPerSession = 8

export interface ControllerParts {
  readonly identity: ControllerIdentity
  /** The options of this node without any dynamic ones. */
  readonly staticConfig: BrokerConfig
  /** The cluster as it is committed; the controller takes it over. */
  readonly state: MetadataState
  readonly kraftVersion: () => number
  readonly random: Random
}

/**
 * The active controller of one epoch: a machine that answers commands with records. It changes only by replaying
 * records, and by what brokers tell of themselves (sessions). It is dropped when the epoch ends.
 */
export class Controller {
  readonly #parts: ControllerParts
  readonly #state: MetadataState
  readonly #sessions: BrokerSessions
  #config: BrokerConfig
  /** The dynamic options that `#config` was made of. */
  #clusterOptions: ReadonlyMap<string, string> | null = null
  #ownOptions: ReadonlyMap<string, string> | null = null
  /** When the next periodic tasks are due. */
  #balanceAt: Millis
  #uncleanAt: Millis
  #idleAt: Millis

  constructor(parts: ControllerParts, now: Millis) {
    this.#parts = parts
    this.#state = parts.state
    this.#sessions = new BrokerSessions(parts.state, now)
    this.#config = parts.staticConfig
    this.#updateConfig()
    this.#balanceAt = now + this.#balanceIntervalMs
    this.#uncleanAt = now + this.#config.get('unclean.leader.election.interval.ms')
    this.#idleAt = now + this.#idleIntervalMs
  }

  get state(): MetadataState {
    return this.#state
  }

  get sessions(): BrokerSessions {
    return this.#sessions
  }

  /** Finds out what a command leads to. Nothing has changed yet: the records are to be appended, then replayed. */
  evaluate<Response>(command: Command<Response>, now: Millis, nextOffset: number): Outcome<Response> {
    return command(this.#context(now, nextOffset))
  }

  /** Takes in records that were appended, the last of them at `lastOffset`. */
  replay(records: readonly MetadataRecord[], lastOffset: number, epoch: number, now: Millis): void {
    for (const record of records) this.#state.replay(record)
    this.#state.setPosition(lastOffset, epoch)
    this.#state.takeDelta()
    this.#updateConfig()
    this.#idleAt = now + this.#idleIntervalMs
  }

  /** When `nextTask` will have something to do; Infinity if never. */
  get deadline(): Millis {
    const sessionTimeoutMs = this.#config.get('broker.session.timeout.ms')
    return Math.min(
      this.#sessions.firstExpiry(this.#state, sessionTimeoutMs),
      this.#balanceAt,
      this.#uncleanAt,
      this.#idleAt,
    )
  }

  /**
   * This process stood still for the last so many ms (it was paused, or kept busy): what brokers sent in that time
   * waits to be read, so their silence says nothing.
   */
  stalled(ms: Millis, now: Millis): void {
    const sessionTimeoutMs = this.#config.get('broker.session.timeout.ms')
    const graceMs = sessionTimeoutMs / stallsPerSession
    if (ms > graceMs) this.#sessions.prolong(this.#state, ms, now - sessionTimeoutMs + graceMs)
  }

  /** The periodic task that is due; null if none is. One at a time, so that requests get their turn in between. */
  nextTask(now: Millis): Command<unknown> | null {
    const [expired] = this.#sessions.expired(this.#state, now, this.#config.get('broker.session.timeout.ms'))
    if (expired !== undefined) return fenceExpired(expired)
    if (now >= this.#balanceAt) {
      this.#balanceAt = now + this.#balanceIntervalMs
      return context => {
        const outcome = balanceLeaders(context)
        if (outcome.response) this.#balanceAt = now
        return outcome
      }
    }
    if (now >= this.#uncleanAt) {
      this.#uncleanAt = now + this.#config.get('unclean.leader.election.interval.ms')
      return electUncleanLeaders
    }
    if (now >= this.#idleAt) {
      this.#idleAt = now + this.#idleIntervalMs
      return () => ({ records: [{ type: 'NoOpRecord', version: 0, value: {} }], response: undefined })
    }
    return null
  }

  #context(now: Millis, nextOffset: number): ControllerContext {
    const { identity, kraftVersion, random } = this.#parts
    return {
      identity,
      image: this.#state,
      sessions: this.#sessions,
      config: this.#config,
      kraftVersion: kraftVersion(),
      random,
      now,
      nextOffset,
    }
  }

  #updateConfig(): void {
    const { configs } = this.#state
    const cluster = configs.of(ResourceType.BROKER, '')
    const own = configs.of(ResourceType.BROKER, String(this.#parts.identity.nodeId))
    if (cluster === this.#clusterOptions && own === this.#ownOptions) return
    this.#clusterOptions = cluster
    this.#ownOptions = own
    this.#config = this.#parts.staticConfig.withDynamic(cluster, own).config
  }

  get #balanceIntervalMs(): Millis {
    if (!this.#config.get('auto.leader.rebalance.enable')) return Number.POSITIVE_INFINITY
    return this.#config.get('leader.imbalance.check.interval.seconds') * 1000
  }

  get #idleIntervalMs(): Millis {
    return this.#config.get('metadata.max.idle.interval.ms') || Number.POSITIVE_INFINITY
  }
}

function fenceExpired(brokerId: number): Command<void> {
  return context => {
    const { epoch } = context.image.cluster.broker(brokerId)!
    context.sessions.expire(brokerId)
    return { records: fenceBroker(context, brokerId, epoch), response: undefined }
  }
}
