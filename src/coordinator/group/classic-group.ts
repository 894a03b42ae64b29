import assert from 'node:assert/strict'
import type { Ticket } from '../../runtime/machine.js'
import type { Millis } from '../../runtime/ports.js'
import { type Alarm, alarm } from '../deadlines.js'
import { hashMapOrder, javaHash } from '../java-order.js'
import { subscribedTopicsOf } from './consumer-subscription.js'
import type { GroupMetadata } from './records.js'

/** The states of a classic group, by the names that clients see. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

/** From which states a group may come into a state. */
const PREVIOUS_STATES: Record<GroupState, readonly GroupState[]> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Stable', 'CompletingRebalance', 'Empty'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
}

/** What the deadlines of groups are for. */
export type GroupDue =
  /** A member, or one that has been given an id, has not been heard of. */
  | { readonly type: 'session'; readonly groupId: string; readonly memberId: string }
  /** The join phase ends, whoever is missing. */
  | { readonly type: 'join'; readonly groupId: string }
  /** Members that have not asked for their assignment are dropped. */
  | { readonly type: 'sync'; readonly groupId: string }
  /** Offsets and groups are looked through for what has expired. */
  | { readonly type: 'expiry' }

/** A way of assigning that a member offers, with what it has to say in it. */
export interface GroupProtocol {
  readonly name: string
  readonly metadata: Uint8Array
}

export interface ClassicMember {
  readonly memberId: string
  /** Set for static members (KIP-345). */
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  rebalanceTimeoutMs: Millis
  sessionTimeoutMs: Millis
  /** In order of preference, without duplicates. */
  protocols: readonly GroupProtocol[]
  assignment: Uint8Array
  /** The JoinGroup that waits for the rebalance; see `setJoinTicket`. */
  readonly joinTicket: Ticket | null
  /** The SyncGroup that waits for the assignment. */
  syncTicket: Ticket | null
  /**
   * Has not yet been told that it is a member: its client may be gone, so that its session runs even while it waits.
   */
  isNew: boolean
  readonly session: Alarm<GroupDue>
}

export const NO_BYTES: Uint8Array = Buffer.alloc(0)

/**
 * A classic group: who is in it and how far it is. Here are the facts and what keeps them consistent; what happens to a
 * group, and why, is in classic-join.ts and its neighbours. Only what `metadata` yields is replicated; the rest is the
 * session of this coordinator with the members.
 */
export class ClassicGroup {
  readonly groupId: string
  generationId = 0
  protocolType: string | null = null
  protocolName: string | null = null
  leaderId: string | null = null
  readonly members = new Map<string, ClassicMember>()
  /** Ids that were given out (MEMBER_ID_REQUIRED, KIP-394) and not yet used to join. */
  readonly pendingJoin = new Map<string, Alarm<GroupDue>>()
  /** Members of this generation that have not yet asked for their assignment. */
  readonly pendingSync = new Set<string>()
  /** Topics of the members by the consumer protocol; null if they do not use it or cannot be read. */
  subscribedTopics: ReadonlySet<string> | null = null
  /** Somebody joined during the initial delay, which is then extended. */
  newMemberAdded = false
  /** How the initial delay goes on: what is running, and what may still be added (ms). */
  initialDelay: { readonly delayMs: Millis; readonly remainingMs: Millis } | null = null
  readonly joinAlarm: Alarm<GroupDue>
  readonly syncAlarm: Alarm<GroupDue>
  /** What the log says of the group. */
  written: GroupMetadata | null = null
  #state: GroupState = 'Empty'
  #previousState: GroupState | null = null
  /** -1 in records of before Kafka 2.1. */
  #stateTimestampMs: Millis
  #awaitingJoin = 0
  readonly #staticMembers = new Map<string, string>()
  /** How many members support a protocol. */
  readonly #supporters = new Map<string, number>()

  constructor(groupId: string, stateTimestampMs: Millis) {
    this.groupId = groupId
    this.#stateTimestampMs = stateTimestampMs
    this.joinAlarm = alarm({ type: 'join', groupId })
    this.syncAlarm = alarm({ type: 'sync', groupId })
  }

  /** The group that a record describes, as after a load. */
  static fromMetadata(groupId: string, metadata: GroupMetadata): ClassicGroup {
    const group = new ClassicGroup(groupId, metadata.currentStateTimestamp)
    for (const member of metadata.members) {
      const protocols = [{ name: metadata.protocol ?? '', metadata: member.subscription }]
      const { memberId, groupInstanceId, clientId, clientHost, sessionTimeout, assignment } = member
      const rebalanceTimeoutMs = member.rebalanceTimeout === -1 ? sessionTimeout : member.rebalanceTimeout
      const timeouts = { rebalanceTimeoutMs, sessionTimeoutMs: sessionTimeout }
      group.add(
        newMember(groupId, { memberId, groupInstanceId, clientId, clientHost, protocols, assignment, ...timeouts }),
        metadata.protocolType,
      )
    }
    group.generationId = metadata.generation
    group.protocolType = metadata.protocolType === '' ? null : metadata.protocolType
    group.protocolName = metadata.members.length === 0 ? metadata.protocol : (metadata.protocol ?? '')
    group.leaderId = metadata.leader ?? group.leaderId
    group.#state = metadata.members.length === 0 ? 'Empty' : 'Stable'
    group.written = metadata
    group.updateSubscribedTopics()
    return group
  }

  get state(): GroupState {
    return this.#state
  }

  get previousState(): GroupState | null {
    return this.#previousState
  }

  get stateTimestampMs(): Millis {
    return this.#stateTimestampMs
  }

  isIn(...states: readonly GroupState[]): boolean {
    return states.includes(this.#state)
  }

  transitionTo(state: GroupState, wallTimeMs: Millis): void {
    assert(PREVIOUS_STATES[state].includes(this.#state), `group ${this.groupId}: ${this.#state} -> ${state}`)
    this.#previousState = this.#state
    this.#state = state
    this.#stateTimestampMs = wallTimeMs
  }

  get canRebalance(): boolean {
    return PREVIOUS_STATES.PreparingRebalance.includes(this.#state)
  }

  /** No members, no protocol type: used for its offsets alone. */
  get isSimple(): boolean {
    return this.protocolType === null && this.#state === 'Empty' && this.pendingJoin.size === 0
  }

  get usesConsumerProtocol(): boolean {
    return this.protocolType === 'consumer'
  }

  /** The record of this moment, with the members' assignments, or others instead. */
  metadata(assignmentOf: (member: ClassicMember) => Uint8Array = member => member.assignment): GroupMetadata {
    return {
      protocolType: this.protocolType ?? '',
      generation: this.generationId,
      protocol: this.protocolName,
      leader: this.leaderId,
      currentStateTimestamp: this.#stateTimestampMs,
      members: [...this.members.values()].map(member => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: this.subscriptionOf(member),
        assignment: assignmentOf(member),
      })),
    }
  }

  // Members

  isLeader(memberId: string): boolean {
    return this.leaderId === memberId
  }

  staticMemberId(groupInstanceId: string): string | undefined {
    return this.#staticMembers.get(groupInstanceId)
  }

  get staticMemberCount(): number {
    return this.#staticMembers.size
  }

  /** The largest of the members' rebalance timeouts; 0 without members. */
  get rebalanceTimeoutMs(): Millis {
    let timeoutMs = 0
    for (const member of this.members.values()) timeoutMs = Math.max(timeoutMs, member.rebalanceTimeoutMs)
    return timeoutMs
  }

  /** How many members wait for the rebalance. */
  get awaitingJoinCount(): number {
    return this.#awaitingJoin
  }

  get hasAllMembersJoined(): boolean {
    return this.pendingJoin.size === 0 && this.#awaitingJoin === this.members.size
  }

  /** The member waits for the rebalance from now on, or no more. */
  setJoinTicket(member: ClassicMember, ticket: Ticket | null): void {
    this.#awaitingJoin += (ticket === null ? 0 : 1) - (member.joinTicket === null ? 0 : 1)
    const writable: { joinTicket: Ticket | null } = member
    writable.joinTicket = ticket
  }

  /** Adds a member; the first one decides the protocol type and leads. */
  add(member: ClassicMember, protocolType: string): void {
    if (member.groupInstanceId !== null) {
      assert(!this.#staticMembers.has(member.groupInstanceId), `instance ${member.groupInstanceId} is a member already`)
      this.#staticMembers.set(member.groupInstanceId, member.memberId)
    }
    if (this.members.size === 0) this.protocolType = protocolType
    assert.equal(protocolType, this.protocolType)
    this.leaderId ??= member.memberId
    this.members.set(member.memberId, member)
    this.#count(member, 1)
  }

  /** Forgets a member or an id that was given out. If it led, the one that has been here longest leads. */
  remove(memberId: string): void {
    const member = this.members.get(memberId)
    if (member !== undefined) {
      this.setJoinTicket(member, null)
      this.members.delete(memberId)
      this.#count(member, -1)
      if (member.groupInstanceId !== null) this.#staticMembers.delete(member.groupInstanceId)
    }
    if (this.isLeader(memberId)) this.leaderId = this.members.keys().next().value ?? null
    this.pendingJoin.delete(memberId)
    this.pendingSync.delete(memberId)
  }

  /** A static member has come back under a new id: everything else stays, the old id is no longer a member. */
  replaceStatic(old: ClassicMember, memberId: string): ClassicMember {
    const { groupId } = this
    const member = newMember(groupId, { ...old, memberId })
    this.setJoinTicket(old, null)
    this.members.delete(old.memberId)
    this.members.set(memberId, member)
    if (this.isLeader(old.memberId)) this.leaderId = memberId
    if (this.pendingSync.delete(old.memberId)) this.pendingSync.add(memberId)
    this.#staticMembers.set(old.groupInstanceId!, memberId)
    return member
  }

  /** Takes over what a member says when it joins again. */
  update(
    member: ClassicMember,
    offer: Pick<ClassicMember, 'protocols' | 'rebalanceTimeoutMs' | 'sessionTimeoutMs'>,
  ): void {
    this.#count(member, -1)
    member.protocols = offer.protocols
    member.rebalanceTimeoutMs = offer.rebalanceTimeoutMs
    member.sessionTimeoutMs = offer.sessionTimeoutMs
    this.#count(member, 1)
  }

  /**
   * Makes sure that the leader is one that has joined. Returns false if there is nobody who could lead: no member, or
   * none that has joined (static ones stay members without).
   */
  electJoinedLeader(): boolean {
    if (this.leaderId !== null && this.members.get(this.leaderId)?.joinTicket != null) return true
    for (const member of this.members.values()) {
      if (member.joinTicket !== null) {
        this.leaderId = member.memberId
        return true
      }
    }
    return false
  }

  // Protocols

  /** Whether somebody with these protocols could be a member beside those that are. */
  supports(protocolType: string, protocols: readonly GroupProtocol[]): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0
    if (this.protocolType !== protocolType) return false
    return protocols.some(({ name }) => (this.#supporters.get(name) ?? 0) === this.members.size)
  }

  /**
   * The protocol of the next generation: of those that all members support, each member votes for the one that it
   * offers first. Of several with the most votes it is the one that Kafka's hash map yields first.
   */
  selectProtocol(): string {
    const votes = new Map<string, number>()
    for (const member of this.members.values()) {
      const choice = member.protocols.find(({ name }) => this.#supporters.get(name) === this.members.size)
      assert(choice !== undefined, `group ${this.groupId}: no protocol that all members support`)
      votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
    }
    let most = 0
    for (const count of votes.values()) most = Math.max(most, count)
    return hashMapOrder([...votes.keys()], javaHash).find(name => votes.get(name) === most)!
  }

  /** What a member says in the chosen protocol. */
  subscriptionOf(member: ClassicMember): Uint8Array {
    const protocol = member.protocols.find(({ name }) => name === this.protocolName)
    assert(protocol !== undefined, `member ${member.memberId} does not support protocol ${this.protocolName}`)
    return protocol.metadata
  }

  updateSubscribedTopics(): void {
    if (!this.usesConsumerProtocol) this.subscribedTopics = null
    else if (this.members.size === 0) this.subscribedTopics = new Set()
    else if (this.protocolName === null) this.subscribedTopics = null
    else
      this.subscribedTopics = subscribedTopicsOf([...this.members.values()].map(member => this.subscriptionOf(member)))
  }

  /** Whether members may be reading the topic: yes, if it is not known what members of the consumer protocol read. */
  isSubscribedTo(topic: string): boolean {
    return this.subscribedTopics === null ? this.usesConsumerProtocol : this.subscribedTopics.has(topic)
  }

  #count(member: ClassicMember, change: 1 | -1): void {
    for (const { name } of member.protocols) {
      const count = (this.#supporters.get(name) ?? 0) + change
      if (count === 0) this.#supporters.delete(name)
      else this.#supporters.set(name, count)
    }
  }
}

/** What a member is made of. */
export type MemberFacts = Pick<
  ClassicMember,
  | 'memberId'
  | 'groupInstanceId'
  | 'clientId'
  | 'clientHost'
  | 'rebalanceTimeoutMs'
  | 'sessionTimeoutMs'
  | 'protocols'
  | 'assignment'
>

/** A member that waits for nothing. */
export function newMember(groupId: string, facts: MemberFacts): ClassicMember {
  const session = alarm<GroupDue>({ type: 'session', groupId, memberId: facts.memberId })
  return {
    memberId: facts.memberId,
    groupInstanceId: facts.groupInstanceId,
    clientId: facts.clientId,
    clientHost: facts.clientHost,
    rebalanceTimeoutMs: facts.rebalanceTimeoutMs,
    sessionTimeoutMs: facts.sessionTimeoutMs,
    protocols: facts.protocols,
    assignment: facts.assignment,
    joinTicket: null,
    syncTicket: null,
    isNew: false,
    session,
  }
}
