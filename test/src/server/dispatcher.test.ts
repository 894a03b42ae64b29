import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import { DeleteGroups } from '#protocol/messages/delete-groups.js'
import { Heartbeat } from '#protocol/messages/heartbeat.js'
import { SyncGroup } from '#protocol/messages/sync-group.js'
import { Vote } from '#protocol/messages/vote.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { handler, type RequestContext } from '#src/handlers/handler.js'
import { rawHandler } from '#src/handlers/raw-handler.js'
import { BufferPool } from '#src/runtime/buffer-pool.js'
import { MemoryBudget } from '#src/runtime/memory-budget.js'
import { Turn } from '#src/runtime/turn.js'
import type { AnyHandler } from '#src/server/api-table.js'
import { Dispatcher } from '#src/server/dispatcher.js'
import { Server } from '#src/server/server.js'
import { FakeNetwork } from '../../support/fake-network.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { TEST_LIMITS } from '../../support/replica-broker.js'
import { VirtualClock } from '../../support/virtual-clock.js'
import { WireClient } from '../../support/wire-client.js'

const HEARTBEAT = { groupId: 'g', generationId: 1, memberId: 'm' }

const NO_BYTES = Buffer.alloc(0)

interface Services {
  readonly answer: (context: RequestContext) => { errorCode: number } | Promise<{ errorCode: number }>
}

const heartbeat = handler(Heartbeat, ({ answer }: Services, _request, context) => answer(context))
const apiVersions = handler(ApiVersions, () => ({
  errorCode: 0,
  apiKeys: [{ apiKey: 12, minVersion: 0, maxVersion: 4 }],
}))

async function setting(
  broker: readonly AnyHandler<Services>[],
  answer: Services['answer'] = () => ({ errorCode: 0 }),
  kind: 'broker' | 'controller' = 'broker',
) {
  const network = new FakeNetwork()
  const clock = new VirtualClock()
  const turn = new Turn()
  const logger = keepingLogger()
  const budget = new MemoryBudget(1e9)
  const written: number[] = []
  const dispatcher = new Dispatcher<Services>({
    broker,
    controller: [apiVersions],
    services: { answer },
    clock,
    turn,
    logger,
    unstableVersions: false,
    writeGathered: () => written.push(1),
  })
  const options = { network, clock, logger, turn, pool: new BufferPool(), budget, frames: dispatcher }
  const server = new Server({ ...options, limits: TEST_LIMITS })
  const port = await server.listen({ name: 'L', kind, host: '', port: 0, backlog: 1 })
  const client = new WireClient(network.dial(port))
  return { client, clock, dispatcher, logger, server, budget, written }
}

test('a request is decoded, handled and answered in its own version, with what is known of the request', async () => {
  const contexts: RequestContext[] = []
  const { client } = await setting([heartbeat], context => {
    contexts.push(context)
    return { errorCode: 27 }
  })
  for (let version = 0; version <= 4; version++) {
    assert.equal(client.ask(Heartbeat, version, HEARTBEAT).errorCode, 27)
  }
  client.clientId = null
  client.ask(Heartbeat, 4, HEARTBEAT)
  assert.deepEqual(
    contexts.map(({ apiVersion, correlationId, clientId }) => [apiVersion, correlationId, clientId]),
    [...[0, 1, 2, 3, 4].map(version => [version, version, 'test']), [4, 5, null]],
  )
  assert.equal(contexts[0]!.listenerName, 'L')
  assert.equal(contexts[0]!.listenerKind, 'broker')
  assert.equal(contexts[0]!.clientAddress, '127.0.0.1')
})

test('gathered records are written before any other request looks at the logs', async () => {
  const { client, written } = await setting([heartbeat])
  client.ask(Heartbeat, 4, HEARTBEAT)
  assert.equal(written.length, 1)
})

test('an answer that comes later is sent when it comes, and to nobody when the client is gone', async () => {
  let finish: (answer: { errorCode: number }) => void = () => {}
  const later = (): Promise<{ errorCode: number }> =>
    new Promise(resolve => {
      finish = resolve
    })
  const { client, clock, budget } = await setting([heartbeat], later)
  client.send(Heartbeat, 4, HEARTBEAT)
  assert.equal(client.receiveFrame(), null)
  finish({ errorCode: 5 })
  await clock.settle()
  assert.equal(client.receive(Heartbeat, 4).errorCode, 5)
  client.send(Heartbeat, 4, HEARTBEAT)
  client.transport.close(null)
  finish({ errorCode: 6 })
  await clock.settle()
  assert.equal(client.receiveFrame(), null)
  assert.equal(budget.used, 0)
})

test('an ApiError becomes the code of the response, anything else UNKNOWN_SERVER_ERROR and a line in the log', async () => {
  const failures: [unknown, number][] = [
    [new ApiError(ErrorCode.NOT_COORDINATOR), ErrorCode.NOT_COORDINATOR],
    [new Error('a bug'), ErrorCode.UNKNOWN_SERVER_ERROR],
  ]
  for (const [error, code] of failures) {
    for (const fail of [
      () => {
        throw error
      },
      () => Promise.reject(error),
    ]) {
      const { client, clock, logger, dispatcher } = await setting([heartbeat], fail)
      client.send(Heartbeat, 4, HEARTBEAT)
      await clock.settle()
      assert.equal(client.receive(Heartbeat, 4).errorCode, code)
      assert.equal(logger.lines.length, error instanceof ApiError ? 0 : 1)
      assert.equal(dispatcher.counters('broker')[0]!.errors, 1)
    }
  }
})

test('a response that cannot be encoded becomes UNKNOWN_SERVER_ERROR and a line in the log', async () => {
  const tooLong = handler(SyncGroup, () => ({ errorCode: 0, protocolName: 'x'.repeat(40_000), assignment: NO_BYTES }))
  const { client, logger } = await setting([tooLong as never])
  const response = client.ask(SyncGroup, 5, { groupId: 'g', generationId: 1, memberId: 'm', assignments: [] })
  assert.equal(response.errorCode, ErrorCode.UNKNOWN_SERVER_ERROR)
  assert.equal(logger.lines.length, 1)
})

test('an answer that cannot even say that there is none ends the connection, and nothing else', async () => {
  for (const isLater of [false, true]) {
    const broken = handler(DeleteGroups, (_: unknown, { groupsNames }) => {
      ;(groupsNames as string[])[0] = 'x'.repeat(40_000)
      const error = new Error('a bug')
      if (isLater) return Promise.reject(error)
      throw error
    })
    const { client, clock, logger } = await setting([broken as never])
    client.send(DeleteGroups, 2, { groupsNames: ['g'] })
    await clock.settle()
    assert.equal(client.transport.isDestroyed, true)
    assert.equal(client.receiveFrame(), null)
    assert.equal(logger.lines.length, 3)
  }
})

test('what was asked before a request without an answer is answered, also when both came at once', async () => {
  const broken = handler(DeleteGroups, (_: unknown, { groupsNames }) => {
    ;(groupsNames as string[])[0] = 'x'.repeat(40_000)
    throw new Error('a bug')
  })
  const { client, clock } = await setting([heartbeat, broken as never])
  const both = [client.frame(Heartbeat, 4, HEARTBEAT), client.frame(DeleteGroups, 2, { groupsNames: ['g'] })]
  client.transport.feed(Buffer.concat(both))
  await clock.settle()
  assert.notEqual(client.receiveFrame(), null)
  assert.equal(client.transport.isDestroyed, true)
})

test('a failure after a place for the answer was taken ends the connection all the same', async () => {
  const broken = rawHandler<Services>(Heartbeat, 'free', (_, { channel }) => {
    channel.replies.defer('free', 1000)
    throw new Error('a bug')
  })
  const { client } = await setting([broken])
  client.send(Heartbeat, 4, HEARTBEAT)
  assert.equal(client.transport.isDestroyed, true)
})

test('an API that nobody serves here, a version out of range and an API of the other kind end the connection', async () => {
  const bad: ((client: WireClient) => void)[] = [
    client => client.send(SyncGroup, 5, { groupId: 'g', generationId: 1, memberId: 'm', assignments: [] }),
    client => client.transport.feed(Buffer.from('0000000e7fff00000000000000047465737400', 'hex').subarray(0, 18)),
    client => {
      const frame = client.frame(Heartbeat, 4, HEARTBEAT)
      frame.writeInt16BE(5, 6)
      client.transport.feed(frame)
    },
    client => {
      const frame = client.frame(Heartbeat, 4, HEARTBEAT)
      frame.writeInt16BE(-1, 6)
      client.transport.feed(frame)
    },
    client => {
      const frame = client.frame(Heartbeat, 4, HEARTBEAT)
      frame.writeInt16BE(-1, 4)
      client.transport.feed(frame)
    },
  ]
  for (const send of bad) {
    const { client, server, clock } = await setting([heartbeat, apiVersions])
    send(client)
    assert.equal(client.transport.isDestroyed, true)
    assert.equal(client.receiveFrame(), null)
    await clock.settle()
    assert.equal(server.counters.open, 0)
  }
  const { client } = await setting([heartbeat, apiVersions], undefined, 'controller')
  client.ask(ApiVersions, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' })
  client.send(Heartbeat, 4, HEARTBEAT)
  assert.equal(client.transport.isDestroyed, true)
})

test('ApiVersions of a version that nobody knows is answered with version 0 and its own range, whatever follows the header', async () => {
  const { client } = await setting([apiVersions])
  const frame = client.frame(ApiVersions, 3, { clientSoftwareName: 'a', clientSoftwareVersion: '1' })
  frame.writeInt16BE(99, 6)
  client.transport.feed(frame)
  const response = client.receive(ApiVersions, 0)
  assert.equal(response.errorCode, ErrorCode.UNSUPPORTED_VERSION)
  assert.deepEqual(response.apiKeys, [{ apiKey: 18, minVersion: 0, maxVersion: 5 }])
  assert.equal(client.ask(ApiVersions, 0, {}).errorCode, 0)
})

test('what cannot be read ends the connection: garbage, cut bodies, counts that lie', async () => {
  const whole = new WireClient(null as never).frame(Heartbeat, 4, HEARTBEAT)
  const bodies: Buffer[] = [
    Buffer.alloc(0),
    Buffer.alloc(9),
    whole.subarray(4, whole.length - 1),
    // A client id longer than the request.
    Buffer.from('000c0004000000017fff61', 'hex'),
    Buffer.from('000c000400000001fffe61', 'hex'),
    // Tagged fields of the header that go past its end.
    Buffer.from('000c000400000001ffff05', 'hex'),
    Buffer.from('000c000400000001ffff01ffffffff7f', 'hex'),
    // Bytes that are no UTF-8, and as text would be longer than texts may be: as a client id, as a group id.
    Buffer.concat([Buffer.from('000c0000000000014e20', 'hex'), Buffer.alloc(20_000, 0xff), Buffer.alloc(8)]),
    Buffer.concat([Buffer.from('000c000000000001ffff4e20', 'hex'), Buffer.alloc(20_000, 0xff), Buffer.alloc(8)]),
  ]
  for (const body of bodies) {
    const { client, logger } = await setting([heartbeat])
    const size = Buffer.alloc(4)
    size.writeInt32BE(body.length)
    client.transport.feed(Buffer.concat([size, body]))
    assert.equal(client.transport.isDestroyed, true, body.toString('hex', 0, 100))
    assert.equal(logger.lines.length, 1)
    assert.equal(logger.lines[0]!.level, 'info')
  }
})

test('bytes behind a request are passed over, since real clients send some', async () => {
  const { client } = await setting([heartbeat])
  const whole = client.frame(Heartbeat, 4, HEARTBEAT)
  const body = Buffer.concat([whole.subarray(4), Buffer.alloc(3)])
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  client.transport.feed(Buffer.concat([size, body]))
  assert.equal(client.transport.isDestroyed, false)
})

test('an array that announces more elements than a request may have ends the connection', async () => {
  const { client } = await setting([handler(SyncGroup, () => ({ errorCode: 0, assignment: NO_BYTES })) as never])
  const head = Buffer.from('000e000000000001ffff0001670000000100016d001e8480', 'hex')
  const body = Buffer.concat([head, Buffer.alloc(2_000_000 * 6)])
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  client.transport.feed(Buffer.concat([size, body]))
  assert.equal(client.transport.isDestroyed, true)
})

test('byte fields stay what they were, however long the handler keeps them', async () => {
  let kept: readonly { readonly assignment: Uint8Array }[] = []
  const syncGroup = handler(SyncGroup, async (_services: Services, request) => {
    kept = request.assignments
    await Promise.resolve()
    return { errorCode: 0, assignment: NO_BYTES }
  })
  const { client, clock, budget } = await setting([syncGroup])
  const assignment = Buffer.from('an assignment')
  client.send(SyncGroup, 5, {
    groupId: 'g',
    generationId: 1,
    memberId: 'm',
    assignments: [{ memberId: 'm', assignment }],
  })
  client.transport.feed(
    client
      .frame(SyncGroup, 5, { groupId: 'x'.repeat(200), generationId: 2, memberId: 'm', assignments: [] })
      .subarray(0, 100),
  )
  assert.equal(Buffer.from(kept[0]!.assignment).toString(), 'an assignment')
  assert.ok(budget.used > 0, 'what is kept is accounted for')
  await clock.settle()
  assert.equal(client.receive(SyncGroup, 5).errorCode, 0)
})

test('a raw handler that finds that the request cannot be read ends the connection; one that fails does too, with an error in the log', async () => {
  for (const [error, level] of [
    [new ProtocolError('cut'), 'info'],
    [new Error('a bug'), 'error'],
  ] as const) {
    const raw = rawHandler<Services>(Heartbeat, 'free', () => {
      throw error
    })
    const { client, logger } = await setting([raw])
    client.send(Heartbeat, 4, HEARTBEAT)
    assert.equal(client.transport.isDestroyed, true)
    assert.equal(logger.lines[0]!.level, level)
  }
})

test('requests, bytes and times are counted', async () => {
  const answers: ((answer: { errorCode: number }) => void)[] = []
  let isLater = false
  const { client, clock, dispatcher } = await setting([heartbeat], () =>
    isLater ? new Promise(resolve => answers.push(resolve)) : { errorCode: 0 },
  )
  client.ask(Heartbeat, 4, HEARTBEAT)
  isLater = true
  client.send(Heartbeat, 4, HEARTBEAT)
  await clock.advance(50)
  answers[0]!({ errorCode: 0 })
  await clock.settle()
  const [counters] = dispatcher.counters('broker')
  assert.equal(counters!.requests, 2)
  assert.equal(counters!.responses, 2)
  assert.equal(counters!.errors, 0)
  assert.equal(counters!.timeMsMax, 50)
  assert.ok(counters!.requestBytes > 0 && counters!.responseBytes > 0)
})

test('a table with an API twice, or one of the other kind of listener, is refused', async () => {
  await assert.rejects(setting([heartbeat, heartbeat]), /listed twice/)
  await assert.rejects(
    setting([handler(Vote, () => ({ errorCode: 0, topics: [] })) as never]),
    /not an API of a broker/,
  )
})
