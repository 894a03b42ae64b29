import type {
  AclEntry,
  AclsImage,
  DelegationToken,
  DelegationTokensImage,
  ProducerIdsImage,
  ScramCredential,
  ScramImage,
} from './image.js'
import type { MetadataRecordValues } from './record.js'

/** Producer ids as replayed records. */
export class ProducerIdsState implements ProducerIdsImage {
  nextProducerId = 0
  #changed = false

  replayProducerIds({ nextProducerId }: MetadataRecordValues['ProducerIdsRecord']): void {
    if (nextProducerId < this.nextProducerId) {
      throw new Error(`ProducerIdsRecord goes back from ${this.nextProducerId} to ${nextProducerId}`)
    }
    this.nextProducerId = nextProducerId
    this.#changed = true
  }

  takeChanged(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  copyFrom(other: ProducerIdsImage): void {
    this.nextProducerId = other.nextProducerId
  }
}

/** Access control entries as replayed records. */
export class AclsState implements AclsImage {
  readonly #entries = new Map<string, AclEntry>()
  #changed = false

  get entries(): ReadonlyMap<string, AclEntry> {
    return this.#entries
  }

  replayAccessControlEntry(record: MetadataRecordValues['AccessControlEntryRecord']): void {
    const { id, resourceType, resourceName, patternType, principal, host, operation, permissionType } = record
    const entry = { id, resourceType, resourceName, patternType, principal, host, operation, permissionType }
    this.#entries.set(id, entry)
    this.#changed = true
  }

  replayRemoveAccessControlEntry({ id }: MetadataRecordValues['RemoveAccessControlEntryRecord']): void {
    if (!this.#entries.delete(id)) throw new Error(`RemoveAccessControlEntryRecord for ${id}, which is not there`)
    this.#changed = true
  }

  takeChanged(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  copyFrom(other: AclsImage): void {
    this.#entries.clear()
    for (const [id, entry] of other.entries) this.#entries.set(id, entry)
  }
}

const noUsers: ReadonlyMap<string, ScramCredential> = new Map()
const scramMechanisms = [1, 2]

/** SCRAM credentials as replayed records. */
export class ScramState implements ScramImage {
  readonly #byMechanism = new Map<number, Map<string, ScramCredential>>()
  #changed = false

  credential(mechanism: number, user: string): ScramCredential | undefined {
    return this.#byMechanism.get(mechanism)?.get(user)
  }

  users(mechanism: number): ReadonlyMap<string, ScramCredential> {
    return this.#byMechanism.get(mechanism) ?? noUsers
  }

  replayUserScramCredential(record: MetadataRecordValues['UserScramCredentialRecord']): void {
    const { name, mechanism, iterations } = record
    if (!scramMechanisms.includes(mechanism)) throw new Error(`UserScramCredentialRecord with mechanism ${mechanism}`)
    let users = this.#byMechanism.get(mechanism)
    if (users === undefined) this.#byMechanism.set(mechanism, (users = new Map()))
    // Copies: bytes of a decoded record are views into what was read.
    const salt = Buffer.from(record.salt)
    const storedKey = Buffer.from(record.storedKey)
    const serverKey = Buffer.from(record.serverKey)
    users.set(name, { salt, storedKey, serverKey, iterations })
    this.#changed = true
  }

  replayRemoveUserScramCredential({ name, mechanism }: MetadataRecordValues['RemoveUserScramCredentialRecord']): void {
    if (!this.#byMechanism.get(mechanism)?.delete(name)) {
      throw new Error(`RemoveUserScramCredentialRecord for user '${name}', mechanism ${mechanism}, which is not there`)
    }
    this.#changed = true
  }

  takeChanged(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  copyFrom(other: ScramImage): void {
    this.#byMechanism.clear()
    for (const mechanism of scramMechanisms) {
      const users = other.users(mechanism)
      if (users.size > 0) this.#byMechanism.set(mechanism, new Map(users))
    }
  }
}

/** Delegation tokens as replayed records. */
export class DelegationTokensState implements DelegationTokensImage {
  readonly #tokens = new Map<string, DelegationToken>()
  #changed = false

  get tokens(): ReadonlyMap<string, DelegationToken> {
    return this.#tokens
  }

  replayDelegationToken(record: MetadataRecordValues['DelegationTokenRecord']): void {
    const { tokenId, owner, requester, issueTimestamp, maxTimestamp, expirationTimestamp } = record
    const renewers = [...record.renewers]
    const token = { tokenId, owner, requester, renewers, issueTimestamp, maxTimestamp, expirationTimestamp }
    this.#tokens.set(tokenId, token)
    this.#changed = true
  }

  replayRemoveDelegationToken({ tokenId }: MetadataRecordValues['RemoveDelegationTokenRecord']): void {
    if (!this.#tokens.delete(tokenId)) throw new Error('RemoveDelegationTokenRecord for a token that is not there')
    this.#changed = true
  }

  takeChanged(): boolean {
    const changed = this.#changed
    this.#changed = false
    return changed
  }

  copyFrom(other: DelegationTokensImage): void {
    this.#tokens.clear()
    for (const [id, token] of other.tokens) this.#tokens.set(id, token)
  }
}
