import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BufferPool } from '#src/runtime/buffer-pool.js'
import { MemoryBudget } from '#src/runtime/memory-budget.js'
import { Turn } from '#src/runtime/turn.js'
import { Server, type ServerLimits } from '#src/server/server.js'
import { FakeNetwork, type FakeTransport } from '../../support/fake-network.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { TEST_LIMITS } from '../../support/replica-broker.js'
import { VirtualClock } from '../../support/virtual-clock.js'

/** A server with a listener for clients, one for brokers and one for controllers. */
async function setting(limits: Partial<ServerLimits>) {
  const network = new FakeNetwork()
  const server = new Server({
    network,
    clock: new VirtualClock(),
    logger: keepingLogger(),
    turn: new Turn(),
    pool: new BufferPool(),
    budget: new MemoryBudget(1e6),
    frames: { orderOf: () => 'free', onFrame: () => {} },
    limits: { ...TEST_LIMITS, ...limits },
  })
  const open = (name: string, kind: 'broker' | 'controller') =>
    server.listen({ name, kind, host: '', port: 0, backlog: 1 })
  const ports = {
    clients: await open('CLIENTS', 'broker'),
    brokers: await open('BROKERS', 'broker'),
    controllers: await open('CONTROLLERS', 'controller'),
  }
  const dial = (to: keyof typeof ports, count = 1, address?: string): FakeTransport[] =>
    Array.from({ length: count }, () => network.dial(ports[to], address))
  return { server, dial }
}

/** in: let in; waits: accepted, not read; closed. */
function fates(transports: readonly FakeTransport[]): string {
  const fate = ({ isDestroyed, handler }: FakeTransport) => (isDestroyed ? 'closed' : handler === null ? 'waits' : 'in')
  return transports.map(fate).join(' ')
}

test('clients that take all places leave those of the controllers free', async () => {
  const { dial } = await setting({ connectionsMax: 2, connectionsPerIpMax: 3 })
  assert.equal(fates(dial('clients', 3)), 'in in waits')
  assert.equal(fates(dial('controllers', 3)), 'in in waits')
})

test('a broker takes the place of the client that has been silent for the longest time', async () => {
  const { dial } = await setting({ connectionsMax: 3, protectedListener: 'BROKERS' })
  const clients = dial('clients', 4)
  assert.equal(fates(clients), 'in in in waits')
  const brokers = dial('brokers', 2)
  assert.deepEqual([fates(clients), fates(brokers)], ['closed closed in waits', 'in in'])
  // What is closed comes to its end, which leaves no place for who waits.
  await Promise.resolve()
  assert.equal(fates(clients), 'closed closed in waits')
  assert.equal(fates(dial('brokers', 2)), 'in waits')
})

test('a listener has a limit of its own', async () => {
  const { server, dial } = await setting({ connectionsMaxByListener: new Map([['CLIENTS', 1]]) })
  const clients = dial('clients', 3)
  assert.equal(fates([...clients, ...dial('brokers', 2)]), 'in waits waits in in')
  clients[0]!.close(null)
  assert.equal(fates(clients), 'closed in waits')
  server.updateLimits({ ...TEST_LIMITS, connectionsMaxByListener: new Map([['CLIENTS', 2]]) })
  assert.equal(fates(clients), 'closed in in')
})

test('of those that waited no address gets more than its number', async () => {
  const { dial } = await setting({ connectionsMax: 3, connectionsPerIpMax: 2 })
  const first = dial('clients', 2, '10.0.0.1')
  const second = [...dial('clients', 1, '10.0.0.2'), ...dial('clients', 3, '10.0.0.3')]
  assert.equal(fates([...first, ...second]), 'in in in waits waits waits')
  for (const transport of first) transport.close(null)
  assert.equal(fates(second), 'in in in waits')
  second[0]!.close(null)
  assert.equal(fates(second), 'closed in in closed')
})

test('a lower limit closes those that are too many', async () => {
  const { server, dial } = await setting({})
  const clients = dial('clients', 3)
  const controllers = dial('controllers', 1)
  server.updateLimits({ ...TEST_LIMITS, connectionsMax: 1 })
  assert.equal(fates([...clients, ...controllers]), 'closed closed in in')
})

test('too many connections of one address are closed, except where an override allows them', async () => {
  const { dial } = await setting({ connectionsPerIpMax: 2, connectionsPerIpOverrides: new Map([['10.0.0.9', 3]]) })
  const ordinary = dial('clients', 4, '10.0.0.1')
  assert.equal(fates(ordinary), 'in in closed closed')
  assert.equal(fates(dial('clients', 4, '10.0.0.9')), 'in in in closed')
  ordinary[0]!.close(null)
  assert.equal(fates(dial('clients', 1, '10.0.0.1')), 'in')
})
