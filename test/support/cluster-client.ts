import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { Peer } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'

const network = createNodeNetwork()
const clock = createNodeClock()

/** Sends one request to 'host:port' on a connection of its own, in the newest version unless another one is given. */
export async function askAddress<Q extends Fields, R extends Fields>(
  address: string,
  api: Api<Q, R>,
  request: Encodable<Q>,
  version = api.versions.to,
): Promise<Decoded<R>> {
  const [host = '', port = ''] = address.split(':')
  const timeouts = { connectTimeoutMs: 5000, requestTimeoutMs: 30_000 }
  const peer = await Peer.connect(network, clock, { host, port: Number(port), clientId: 'test', ...timeouts })
  try {
    return await peer.send(api, version, request)
  } finally {
    peer.close()
  }
}

/** Asks again, as fast as answers come, until `isDone` says so; fails after ten seconds. */
export async function until<T>(ask: () => Promise<T>, isDone: (answer: T) => boolean): Promise<T> {
  const deadline = clock.now() + 10_000
  for (;;) {
    const answer = await ask()
    if (isDone(answer)) return answer
    if (clock.now() > deadline) throw new Error(`it does not come about: ${JSON.stringify(answer)}`)
  }
}
