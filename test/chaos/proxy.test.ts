import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { freePort } from '../support/spawned-broker.js'
import { ProxyNetwork, partyOf } from './proxy.js'

/** The head of a request, and three bytes of a body. */
function request(clientId: string | null): Buffer {
  const id = Buffer.from(clientId ?? '')
  const bytes = Buffer.alloc(14 + id.length + 3)
  bytes.writeInt32BE(bytes.length - 4, 0)
  bytes.writeInt16BE(clientId === null ? -1 : id.length, 12)
  id.copy(bytes, 14)
  return bytes
}

/** A node that sends everything back, behind a door, and how to knock. */
async function scene() {
  const host = '127.0.0.1'
  const echo = createServer(socket => socket.on('error', () => {}).pipe(socket))
  echo.listen(0, host)
  await once(echo, 'listening')
  const port = await freePort()
  const network = new ProxyNetwork()
  network.addDoor({ host, node: 1, port, target: (echo.address() as AddressInfo).port })
  const knock = () => connect({ host, port }).on('error', () => {})
  const close = () => {
    network.close()
    echo.close()
  }
  return { network, knock, close }
}

async function read(socket: Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const [chunk] of chunksOf(socket)) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= bytes) break
  }
  return Buffer.concat(chunks)
}

async function* chunksOf(socket: Socket): AsyncGenerator<[Buffer]> {
  for (;;) yield (await once(socket, 'data')) as [Buffer]
}

test('nodes are known by their client ids, everybody else is a client', () => {
  assert.equal(partyOf(request('broker-2-fetcher-0')), 2)
  assert.equal(partyOf(request('raft-client-3')), 3)
  assert.equal(partyOf(request('lifecycle-1')), 1)
  assert.equal(partyOf(request('rdkafka')), 'clients')
  assert.equal(partyOf(request('producer-1')), 'clients')
  assert.equal(partyOf(request(null)), 'clients')
  assert.equal(partyOf(request('raft-client-3').subarray(0, 16)), undefined)
})

test('bytes go both ways through an open door, and a shut one refuses', async () => {
  const { network, knock, close } = await scene()
  await network.open(1)
  const socket = knock()
  socket.write(request('a'))
  assert.deepEqual(await read(socket, 18), request('a'))
  network.shut(1)
  const [error] = await once(connect({ host: '127.0.0.1', port: socket.remotePort! }), 'error')
  assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  socket.destroy()
  close()
})

test('what is sent on a cut way arrives when it is healed; others are not touched', async () => {
  const { network, knock, close } = await scene()
  await network.open(1)
  network.set(2, 1, { isCut: true })
  const [cut, open] = [knock(), knock()]
  let arrived = 0
  cut.on('data', bytes => (arrived += bytes.length))
  cut.write(request('raft-client-2'))
  open.write(request('raft-client-3'))
  assert.equal((await read(open, 30)).length, 30)
  assert.equal(arrived, 0)
  network.heal()
  await once(cut, 'data')
  assert.equal(arrived, 30)
  cut.destroy()
  open.destroy()
  close()
})

test('a way that is cut one way only holds back the answers', async () => {
  const { network, knock, close } = await scene()
  await network.open(1)
  network.set(1, 'clients', { isCut: true })
  const [client, node] = [knock(), knock()]
  let arrived = 0
  client.on('data', bytes => (arrived += bytes.length))
  client.write(request('a'))
  node.write(request('raft-client-2'))
  await read(node, 30)
  assert.equal(arrived, 0)
  network.heal()
  await once(client, 'data')
  client.destroy()
  node.destroy()
  close()
})

test('reset breaks the connections that are meant', async () => {
  const { network, knock, close } = await scene()
  await network.open(1)
  const [first, second] = [knock(), knock()]
  first.write(request('raft-client-2'))
  second.write(request('a'))
  await Promise.all([read(first, 30), read(second, 18)])
  const closed = new Promise(resolve => first.once('close', resolve))
  assert.equal(
    network.reset(from => from === 2),
    1,
  )
  await closed
  second.write('more')
  assert.equal((await read(second, 4)).toString(), 'more')
  second.destroy()
  close()
})

test('a delayed way delivers later, in order', async () => {
  const { network, knock, close } = await scene()
  await network.open(1)
  network.set('clients', 1, { delayMs: 30 })
  const socket = knock()
  const begun = performance.now()
  socket.write(request('a'))
  setImmediate(() => socket.write('more'))
  assert.equal((await read(socket, 22)).toString('latin1', 18), 'more')
  assert.ok(performance.now() - begun >= 29)
  socket.destroy()
  close()
})
