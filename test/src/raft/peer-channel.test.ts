import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageCodec, requestCodec } from '#protocol/codec.js'
import { encodeResponse, requestHeaderVersion } from '#protocol/frame.js'
import { RequestHeader } from '#protocol/header.js'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import { Vote } from '#protocol/messages/vote.js'
import { Reader } from '#protocol/reader.js'
import type { Api } from '#protocol/schema.js'
import { CallFailedError } from '#src/raft/channel.js'
import { PeerChannel } from '#src/raft/peer-channel.js'
import { replicaKey } from '#src/raft/voters.js'
import { sendCall } from '#src/raft/wire-calls.js'
import type { Connection, ConnectionHandler, ConnectOptions, Listener, Network } from '#src/runtime/ports.js'
import { VirtualClock } from '../../support/virtual-clock.js'

const address = { host: 'node-2', port: 9093 }
const context = { clusterId: 'MkU3OEVBNTcwNTJENDM2Qk', listenerName: 'CONTROLLER' }
const vote = {
  api: 'vote',
  voter: replicaKey(2),
  candidate: replicaKey(1),
  epoch: 3,
  lastEpoch: 2,
  lastOffset: 10,
  preVote: false,
} as const

/** A peer that grants every vote, on connections of one process. */
class GrantingPeer implements Network {
  /** What each connection was sent: names and versions. */
  readonly connections: string[][] = []
  #open: ConnectionHandler[] = []
  failure: Error | null = null
  voteVersionMax = 2

  addressOf(host: string): Promise<string> {
    return Promise.resolve(host)
  }

  listen(): Promise<Listener> {
    return Promise.reject(new Error('not here'))
  }

  connect(_options: ConnectOptions): Promise<Connection> {
    if (this.failure !== null) return Promise.reject(this.failure)
    const sent: string[] = []
    this.connections.push(sent)
    let handler: ConnectionHandler | null = null
    const connection: Connection = {
      remoteAddress: '127.0.0.1',
      remotePort: 9093,
      localPort: 50_000,
      bytesWaiting: 0,
      bytesLeaving: 0,
      start: given => {
        handler = given
        this.#open.push(given)
      },
      write: chunks => {
        const answer = this.#answer(Buffer.concat(chunks), sent)
        queueMicrotask(() => handler?.onData(answer, 0, answer.length))
        return true
      },
      resume: () => {},
      end: () => {},
      destroy: () => {},
    }
    return Promise.resolve(connection)
  }

  /** All connections break. */
  break(): void {
    for (const handler of this.#open.splice(0)) handler.onClose(null)
  }

  #answer(frame: Buffer, sent: string[]): Buffer {
    const api = (frame.readInt16BE(4) === Vote.key ? Vote : ApiVersions) as unknown as Api
    const version = frame.readInt16BE(6)
    sent.push(`${api.name} ${version}`)
    const reader = new Reader(frame, 4)
    const { correlationId } = messageCodec(RequestHeader, requestHeaderVersion(api, version)).read(reader)
    requestCodec(api, version).read(reader)
    reader.finish()
    const apiKeys = [{ apiKey: Vote.key, minVersion: 0, maxVersion: this.voteVersionMax }]
    if (api.key === ApiVersions.key) {
      return Buffer.concat(
        encodeResponse(ApiVersions, version, correlationId, { errorCode: 0, apiKeys, throttleTimeMs: 0 }),
      )
    }
    const partition = { partitionIndex: 0, errorCode: 0, leaderId: -1, leaderEpoch: 3, voteGranted: true }
    const topics = [{ topicName: '__cluster_metadata', partitions: [partition] }]
    return Buffer.concat(encodeResponse(Vote, version, correlationId, { errorCode: 0, topics }))
  }
}

function channelTo(network: Network): PeerChannel {
  return new PeerChannel({
    network,
    clock: new VirtualClock(),
    clientId: 'raft-1',
    connectTimeoutMs: 100,
    requestTimeoutMs: 100,
  })
}

async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    assert(error instanceof CallFailedError, String(error))
    return error.failure
  }
  throw new Error('it went well')
}

test('a call goes out in the highest version of both sides, and fetches have a connection of their own', async () => {
  const peer = new GrantingPeer()
  const channel = channelTo(peer)
  const reply = await sendCall(channel.to(2, address, 'vote'), context, vote)
  assert.equal(reply.api === 'vote' && reply.granted, true)
  await sendCall(channel.to(2, address, 'vote'), context, vote)
  assert.deepEqual(peer.connections, [['ApiVersions 3', 'Vote 2', 'Vote 2']])
  await channel
    .to(2, address, 'fetch')
    .send(Vote, 0, { topics: [] })
    .catch(() => {})
  assert.equal(peer.connections.length, 2)
})

test('a peer of before pre-votes gets votes, and no pre-votes', async () => {
  const peer = new GrantingPeer()
  peer.voteVersionMax = 1
  const channel = channelTo(peer)
  assert.equal(
    await failure(sendCall(channel.to(2, address, 'vote'), context, { ...vote, preVote: true })),
    'unsupportedVersion',
  )
  const reply = await sendCall(channel.to(2, address, 'vote'), context, vote)
  assert.equal(reply.api === 'vote' && reply.granted, true)
  assert.deepEqual(peer.connections, [['ApiVersions 3', 'Vote 1']])
})

test('a connection that broke is made anew, and a host that refuses is told from one that is silent', async () => {
  const peer = new GrantingPeer()
  const channel = channelTo(peer)
  await sendCall(channel.to(2, address, 'vote'), context, vote)
  peer.break()
  await sendCall(channel.to(2, address, 'vote'), context, vote)
  assert.equal(peer.connections.length, 2)
  peer.break()
  peer.failure = new Error('cannot connect', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })
  assert.equal(await failure(sendCall(channel.to(2, address, 'vote'), context, vote)), 'refused')
  peer.failure = new Error('no answer')
  assert.equal(await failure(sendCall(channel.to(2, address, 'vote'), context, vote)), 'disconnected')
  channel.close()
  peer.failure = null
  assert.equal(await failure(sendCall(channel.to(2, address, 'vote'), context, vote)), 'disconnected')
})
