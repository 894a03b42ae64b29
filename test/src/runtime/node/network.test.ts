import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { createNodeNetwork } from '#src/runtime/node/network.js'
import type { Connection, ConnectionHandler, Listener, Network } from '#src/runtime/ports.js'

/** What one end of a connection was told. */
class Recorder implements ConnectionHandler {
  readonly chunks: Buffer[] = []
  bytes = 0
  drains = 0
  closed: Error | null | undefined
  /** Return false from onData this many times. */
  pauses = 0
  buffers = new Set<Buffer>()
  aim: (() => Buffer | null) | null = null
  readonly #waiting: { readonly until: () => boolean; readonly resolve: () => void }[] = []

  onData(buffer: Buffer, start: number, end: number): boolean {
    this.buffers.add(buffer)
    this.chunks.push(Buffer.from(buffer.subarray(start, end)))
    this.bytes += end - start
    this.#look()
    return this.pauses-- <= 0
  }

  nextBuffer(): Buffer | null {
    return this.aim?.() ?? null
  }

  onDrain(): void {
    this.drains++
    this.#look()
  }

  onClose(error: Error | null): void {
    assert.equal(this.closed, undefined, 'closed twice')
    this.closed = error
    this.#look()
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push({ until: condition, resolve })
      this.#look()
    })
  }

  #look(): void {
    for (const { until, resolve } of this.#waiting) if (until()) resolve()
  }

  get all(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

interface Ends {
  readonly client: net.Socket
  readonly server: Connection
  readonly listener: Listener
  close(): Promise<void>
}

async function accepted(network: Network): Promise<Ends> {
  let accept: (connection: Connection) => void = () => {}
  const arrived = new Promise<Connection>(resolve => {
    accept = resolve
  })
  const listener = await network.listen({ host: '127.0.0.1', port: 0, backlog: 10 }, connection => accept(connection))
  const client = net.connect({ port: listener.port, host: '127.0.0.1', noDelay: true })
  const server = await arrived
  return {
    client,
    server,
    listener,
    close: async () => {
      client.destroy()
      server.destroy()
      await listener.close()
    },
  }
}

for (const sharedBuffer of [true, false]) {
  const how = sharedBuffer ? 'with the shared buffer' : "with the 'data' event"

  test(`bytes arrive in order, ${how}`, async () => {
    const ends = await accepted(createNodeNetwork({ sharedBuffer }))
    const recorder = new Recorder()
    ends.server.start(recorder)
    const sent = Buffer.alloc(3_000_000, 'the quick brown fox ')
    ends.client.write(sent)
    await recorder.until(() => recorder.bytes === sent.length)
    assert.ok(recorder.all.equals(sent))
    if (sharedBuffer) assert.equal(recorder.buffers.size, 1, 'all reads go into one buffer')
    await ends.close()
  })

  test(`nothing is read before start, and onData can stop the reading until resume, ${how}`, async () => {
    const ends = await accepted(createNodeNetwork({ sharedBuffer }))
    const recorder = new Recorder()
    recorder.pauses = 1
    ends.client.write('one')
    ends.server.start(recorder)
    await recorder.until(() => recorder.bytes === 3)
    ends.client.write('two')
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
    assert.equal(recorder.bytes, 3)
    ends.server.resume()
    await recorder.until(() => recorder.bytes === 6)
    assert.equal(recorder.all.toString(), 'onetwo')
    await ends.close()
  })

  test(`chunks are sent in order and done is called once for each write, ${how}`, async () => {
    const ends = await accepted(createNodeNetwork({ sharedBuffer }))
    const recorder = new Recorder()
    ends.server.start(recorder)
    const received: Buffer[] = []
    let bytes = 0
    const big = Buffer.alloc(1_000_000, 7)
    const expected = 5 * (big.length + 6)
    const arrived = new Promise<void>(resolve => {
      ends.client.on('data', chunk => {
        received.push(chunk as Buffer)
        bytes += (chunk as Buffer).length
        if (bytes === expected) resolve()
      })
    })
    const dones: number[] = []
    for (let i = 0; i < 5; i++) ends.server.write([Buffer.from(`head${i}.`), big], () => dones.push(i))
    await arrived
    await recorder.until(() => dones.length === 5)
    assert.deepEqual(dones, [0, 1, 2, 3, 4])
    assert.equal(Buffer.concat(received).subarray(0, 6).toString(), 'head0.')
    assert.equal(ends.server.bytesWaiting, 0)
    await ends.close()
  })

  test(`who asks at once again and again is sent the beginning of its answer first, and all of it, ${how}`, async t => {
    // No time passes: whoever asks again asks at once.
    t.mock.method(performance, 'now', () => 5)
    const ends = await accepted(createNodeNetwork({ sharedBuffer }))
    const write = t.mock.method(net.Socket.prototype, 'write')
    const answer = Buffer.alloc(65_536, 'abcdefg')
    const dones: number[] = []
    const sent: { isQuick: boolean; lengths: number[] }[] = []
    ends.server.start({
      onData: () => {
        const isQuick = ends.server.expectRequest!()
        const number = sent.length
        write.mock.resetCalls()
        ends.server.write([answer], () => dones.push(number))
        const lengths = write.mock.calls.map(call => (call.arguments[0] as Buffer).length)
        sent.push({ isQuick, lengths })
        return true
      },
      onDrain: () => {},
      onClose: () => {},
    })
    const received: Buffer[] = []
    let bytes = 0
    const over = new Promise<void>(resolve => {
      ends.client.on('data', chunk => {
        received.push(chunk as Buffer)
        bytes += (chunk as Buffer).length
        if (bytes === 20 * answer.length) resolve()
        else if (bytes % answer.length === 0) ends.client.write('?')
      })
    })
    ends.client.write('?')
    await over
    assert.equal(sent[7]!.isQuick, false)
    // Only where reads are aimed is it known when a request came.
    assert.equal(sent.at(-1)!.isQuick, sharedBuffer)
    for (const { isQuick, lengths } of sent) assert.deepEqual(lengths, isQuick ? [512, 65_024] : [65_536])
    assert.deepEqual(
      dones,
      Array.from({ length: 20 }, (_, i) => i),
    )
    assert.ok(Buffer.concat(received).equals(Buffer.concat(new Array<Buffer>(20).fill(answer))))
    await ends.close()
  })

  test(`a peer that does not read makes write return false, and drain comes when all is taken, ${how}`, async () => {
    const ends = await accepted(createNodeNetwork({ sharedBuffer }))
    const recorder = new Recorder()
    ends.server.start(recorder)
    ends.client.pause()
    let written = 0
    while (ends.server.write([Buffer.alloc(1_000_000)])) written++
    assert.ok(written < 100)
    assert.ok(ends.server.bytesWaiting > 0)
    assert.equal(recorder.drains, 0)
    ends.client.resume()
    await recorder.until(() => recorder.drains === 1)
    assert.equal(ends.server.bytesWaiting, 0)
    await ends.close()
  })

  test(`the end of the peer closes the connection in order, its reset with an error; done is called all the same, ${how}`, async () => {
    const ends = await accepted(createNodeNetwork({ sharedBuffer }))
    const recorder = new Recorder()
    ends.server.start(recorder)
    ends.client.end()
    await recorder.until(() => recorder.closed !== undefined)
    assert.equal(recorder.closed, null)
    let isDone = false
    ends.server.write([Buffer.from('late')], () => {
      isDone = true
    })
    assert.equal(isDone, true)
    await ends.close()

    const again = await accepted(createNodeNetwork({ sharedBuffer }))
    const other = new Recorder()
    again.server.start(other)
    again.client.on('error', () => {})
    again.client.resetAndDestroy()
    await other.until(() => other.closed !== undefined)
    assert.ok(other.closed instanceof Error)
    await again.close()
  })

  test(`many megabytes in one direction let other connections be read as well, ${how}`, async () => {
    const network = createNodeNetwork({ sharedBuffer })
    const connections: Connection[] = []
    const listener = await network.listen({ host: '127.0.0.1', port: 0, backlog: 10 }, each => connections.push(each))
    const clients = [0, 1].map(() => net.connect({ port: listener.port, host: '127.0.0.1' }))
    while (connections.length < 2) await new Promise(resolve => setImmediate(resolve))
    const recorders = connections.map(connection => {
      const recorder = new Recorder()
      connection.start(recorder)
      return recorder
    })
    const total = 12_000_000
    for (const client of clients) client.write(Buffer.alloc(total, 1))
    for (const recorder of recorders) await recorder.until(() => recorder.bytes === total)
    for (const client of clients) client.destroy()
    await listener.close()
  })
}

test('the rest of a large frame goes straight into the buffer that is asked for', async () => {
  const ends = await accepted(createNodeNetwork())
  const recorder = new Recorder()
  const frame = Buffer.alloc(500_000)
  let filled = 0
  recorder.aim = () => (filled < frame.length ? frame.subarray(filled) : null)
  const onData = recorder.onData.bind(recorder)
  recorder.onData = (buffer, start, end) => {
    if (buffer.buffer === frame.buffer && buffer.byteOffset >= frame.byteOffset) filled += end - start
    return onData(buffer, start, end)
  }
  ends.server.start(recorder)
  const sent = Buffer.alloc(600_000, 'abcdefg')
  ends.client.write(sent)
  await recorder.until(() => recorder.bytes === sent.length)
  assert.ok(recorder.all.equals(sent))
  assert.ok(filled > 200_000, `${filled} bytes went straight into the frame`)
  await ends.close()
})

test('hosts have the address that their connections show', async () => {
  const network = createNodeNetwork()
  const hosts = ['localhost', '10.1.2.3', '0:0:0:0:0:0:0:1', 'FE80::0:1%eth0', '::ffff:10.1.2.3', '2001:DB8:0::0:7']
  const addresses = ['127.0.0.1', '10.1.2.3', '::1', 'fe80::1', '10.1.2.3', '2001:db8::7']
  assert.deepEqual(await Promise.all(hosts.map(host => network.addressOf(host))), addresses)
  await assert.rejects(network.addressOf('nobody.invalid'), /^Error: nobody\.invalid: /)
})

test('an address in use and a name that nobody knows are told with host and port', async () => {
  const network = createNodeNetwork()
  const listener = await network.listen({ host: 'localhost', port: 0, backlog: 10 }, () => {})
  const taken = { host: '127.0.0.1', port: listener.port, backlog: 10 }
  await assert.rejects(
    network.listen(taken, () => {}),
    new RegExp(`cannot listen on 127.0.0.1:${listener.port}: the address is in use`),
  )
  await listener.close()
  const again = await network.listen(taken, () => {})
  await again.close()
  await assert.rejects(
    network.connect({ host: '127.0.0.1', port: listener.port, timeoutMs: 1000 }),
    new RegExp(`cannot connect to 127.0.0.1:${listener.port}: connection refused`),
  )
})

test('a connection that we open reads and writes like one that we accept', async () => {
  const network = createNodeNetwork()
  const server = new Recorder()
  const listener = await network.listen({ host: '127.0.0.1', port: 0, backlog: 10 }, connection => {
    connection.start(server)
    connection.write([Buffer.from('welcome')])
  })
  const connection = await network.connect({ host: '127.0.0.1', port: listener.port, timeoutMs: 1000 })
  assert.equal(connection.remotePort, listener.port)
  const client = new Recorder()
  connection.start(client)
  connection.write([Buffer.from('hello '), Buffer.from('there')])
  await client.until(() => client.bytes === 7)
  await server.until(() => server.bytes === 11)
  assert.equal(client.all.toString(), 'welcome')
  assert.equal(server.all.toString(), 'hello there')
  connection.end()
  await server.until(() => server.closed !== undefined)
  await client.until(() => client.closed !== undefined)
  assert.equal(server.closed, null)
  await listener.close()
})

test('a connection that cannot be accepted is told, and the listener goes on', async context => {
  const made = context.mock.method(net, 'createServer')
  const errors: string[] = []
  const network = createNodeNetwork()
  const connected: Connection[] = []
  const options = {
    host: '127.0.0.1',
    port: 0,
    backlog: 5,
    onAcceptError: (error: Error) => errors.push(error.message),
  }
  const listener = await network.listen(options, connection => {
    connected.push(connection)
    connection.destroy()
  })
  const server = made.mock.calls[0]!.result as net.Server
  server.emit('error', new Error('accept EMFILE'))
  assert.deepEqual(errors, ['accept EMFILE'])
  const peer = net.connect(listener.port, '127.0.0.1')
  await once(peer, 'close')
  assert.equal(connected.length, 1)
  await listener.close()
})
