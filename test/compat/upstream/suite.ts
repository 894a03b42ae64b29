import type { Outcome } from './record.js'

/** How one case ended. A unit may have many: subtests of a test, tests of a file. */
export interface CaseResult {
  readonly name: string
  readonly outcome: Outcome
  readonly tookMs: number
  /** What the case wrote, if it did not pass. */
  readonly output?: string
}

/** What a suite is given when it runs. */
export interface UpstreamContext {
  readonly bootstrap: string
  /** Begins names of topics and groups, where a suite lets them be chosen. */
  readonly prefix: string
  /** The units to run. */
  readonly units: readonly string[]
  /** Cases of these units that must not be run. */
  readonly leftOut: readonly string[]
  /** So many processes at a time. */
  readonly jobs: number
  readonly report: (result: CaseResult) => void
}

/** What a suite finds when it is installed. */
export interface InstalledSuite {
  /** Of the client whose tests these are. */
  readonly version: string
  /** Everything of the suite that can be run by itself, by the names that the suite gives. */
  readonly units: readonly string[]
  readonly run: (context: UpstreamContext) => Promise<void>
}

export interface BrokerWanted {
  /** Options of each broker as `name=value`, after those that every run has. */
  readonly overrides: readonly string[]
  /** The ids of several brokers; without it one is started. */
  readonly nodeIds?: readonly number[]
}

/** A client's own test suite. */
export interface UpstreamSuite {
  readonly name: string
  readonly about: string
  /** So many of its processes can run at a time on two cores without disturbing each other. */
  readonly jobs: number
  /** What the suite expects of its broker or brokers. */
  readonly broker: BrokerWanted
  /** The unit that a case belongs to. */
  readonly unitOf: (name: string) => string
  /** Units that take so long that they are run only when asked for. */
  readonly isLong: (unit: string) => boolean
  /**
   * Brings what the suite needs onto this machine; quick when it is there. A string says why it cannot run here: it
   * is told, and the other suites run. `directory` is what `--suite-dir` gives for this suite.
   */
  readonly install: (directory: string | undefined) => Promise<InstalledSuite | string>
}
