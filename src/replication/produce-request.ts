import { ProtocolError } from '#protocol/protocol-error.js'

/** Partitions that one request may name. */
const PARTITIONS_MAX = 500_000

const FLEXIBLE_FROM = 9
const TOPIC_IDS_FROM = 13

/**
 * A Produce request, read by offsets where it lies. One object for all requests, made of parallel lists that are used
 * again, so that reading a request makes no object at all. Read whole before anything is done with it: what cannot be
 * read to its end has no effect.
 *
 *   topics      at, bytes                     the name, or the 16 bytes of the id from version 13 on
 *   partitions  topic, index, at, bytes       of topic number `topic`; records at `at`, -1 bytes for null
 */
export class ProduceRequestReader {
  acks = 0
  timeoutMs = 0
  /** Where the transactional id lies; -1 bytes: null. */
  transactionalIdAt = 0
  transactionalIdBytes = -1

  topicCount = 0
  readonly topicAt: number[] = []
  readonly topicBytes: number[] = []
  /** Number of the partition that a topic begins with. */
  readonly topicFirst: number[] = []

  partitionCount = 0
  readonly partitionTopic: number[] = []
  readonly partitionIndex: number[] = []
  readonly recordsAt: number[] = []
  readonly recordsBytes: number[] = []

  /** Bytes of all names, for the size of the answer. */
  namesBytes = 0

  #buffer: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  /** Reads the body in `buffer[start, end)`; throws ProtocolError if it is not one. Bytes behind it are passed over. */
  read(buffer: Buffer, start: number, end: number, version: number): void {
    this.#buffer = buffer
    this.#at = start
    this.#end = end
    this.topicCount = 0
    this.partitionCount = 0
    this.namesBytes = 0
    const flexible = version >= FLEXIBLE_FROM
    this.#readTransactionalId(flexible)
    this.acks = this.#int16()
    this.timeoutMs = this.#int32()
    const topics = this.#count(flexible)
    for (let i = 0; i < topics; i++) this.#readTopic(version, flexible)
    if (flexible) this.#skipTaggedFields()
  }

  #readTransactionalId(flexible: boolean): void {
    const bytes = this.#length(flexible)
    this.transactionalIdAt = this.#at
    this.transactionalIdBytes = bytes
    if (bytes > 0) this.#skip(bytes)
  }

  #readTopic(version: number, flexible: boolean): void {
    let bytes = 16
    if (version < TOPIC_IDS_FROM) {
      bytes = this.#length(flexible)
      if (bytes < 0) throw new ProtocolError('ProduceRequest.topicData.name is null, which this version does not allow')
    }
    const topic = this.topicCount++
    this.topicAt[topic] = this.#at
    this.topicBytes[topic] = bytes
    this.topicFirst[topic] = this.partitionCount
    this.namesBytes += bytes
    this.#skip(bytes)
    const partitions = this.#count(flexible)
    for (let i = 0; i < partitions; i++) this.#readPartition(topic, flexible)
    if (flexible) this.#skipTaggedFields()
  }

  #readPartition(topic: number, flexible: boolean): void {
    const partition = this.partitionCount++
    if (partition === PARTITIONS_MAX) throw new ProtocolError(`more than ${PARTITIONS_MAX} partitions in one request`)
    this.partitionTopic[partition] = topic
    this.partitionIndex[partition] = this.#int32()
    const bytes = flexible ? this.#unsignedVarint() - 1 : this.#int32()
    if (bytes < -1) throw new ProtocolError(`ProduceRequest.topicData.partitionData.records has length ${bytes}`)
    this.recordsAt[partition] = this.#at
    this.recordsBytes[partition] = bytes
    if (bytes > 0) this.#skip(bytes)
    if (flexible) this.#skipTaggedFields()
  }

  /** The length of a nullable string, -1 for null. */
  #length(flexible: boolean): number {
    const length = flexible ? this.#unsignedVarint() - 1 : this.#int16()
    if (length < -1 || length > 32767) throw new ProtocolError(`a string of ${length} bytes`)
    return length
  }

  /** The count of an array whose elements take at least one byte each. */
  #count(flexible: boolean): number {
    const count = flexible ? this.#unsignedVarint() - 1 : this.#int32()
    if (count < 0) throw new ProtocolError(`an array of ${count} elements`)
    if (count > this.#end - this.#at) {
      throw new ProtocolError(`${count} elements announced at ${this.#at}, ${this.#end - this.#at} bytes left`)
    }
    return count
  }

  #skip(bytes: number): void {
    if (bytes > this.#end - this.#at) {
      throw new ProtocolError(`${bytes} bytes wanted at ${this.#at}, ${this.#end - this.#at} left`)
    }
    this.#at += bytes
  }

  #int16(): number {
    const at = this.#at
    this.#skip(2)
    return ((this.#buffer[at]! << 24) | (this.#buffer[at + 1]! << 16)) >> 16
  }

  #int32(): number {
    const at = this.#at
    this.#skip(4)
    const b = this.#buffer
    return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!
  }

  #unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const at = this.#at
      this.#skip(1)
      const byte = this.#buffer[at]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    const at = this.#at
    this.#skip(1)
    const last = this.#buffer[at]!
    if (last > 0x0f) throw new ProtocolError(`unsigned varint longer than 32 bits at ${at}`)
    return (value | (last << 28)) >>> 0
  }

  /** Tagged fields that nobody knows: their tags must rise, their bytes must be there. */
  #skipTaggedFields(): void {
    if (this.#at < this.#end && this.#buffer[this.#at] === 0) {
      this.#at++
      return
    }
    let previous = -1
    for (let left = this.#unsignedVarint(); left > 0; left--) {
      const tag = this.#unsignedVarint()
      if (tag <= previous) throw new ProtocolError(`tag ${tag} after tag ${previous}`)
      previous = tag
      this.#skip(this.#unsignedVarint())
    }
  }
}
