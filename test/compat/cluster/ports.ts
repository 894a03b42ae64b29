import { createServer, type Server } from 'node:net'

/** Below the ports that systems hand out for outgoing connections, which would come and go under nodes that restart. */
const FIRST = 12_000
const LAST = 30_000

/** The first of so many ports in a row that nobody listens on now; a multiple of ten. */
export async function freeBlock(count: number): Promise<number> {
  while (true) {
    const first = 10 * Math.floor((FIRST + Math.random() * (LAST - FIRST)) / 10)
    const servers = await Promise.all(Array.from({ length: count }, (_, i) => listen(first + i)))
    await Promise.all(servers.map(server => server && new Promise(resolve => server.close(resolve))))
    if (!servers.includes(undefined)) return first
  }
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, () => resolve(server))
  })
}
