import { connect, createServer, type Socket } from 'node:net'

/** What has gone over a wire. */
export interface WireCounts {
  /** HTTP requests, without those that became WebSockets. */
  readonly requests: number
  /** Bytes with all headers, to the server and back. */
  readonly sent: number
  readonly received: number
}

/** A wire that counts what a client really sends. */
export interface Wire {
  /** Without a slash at its end. */
  readonly url: string
  counts(): WireCounts
  close(): Promise<void>
}

/** Starts a wire on 127.0.0.1 to a server that speaks HTTP/1.1. What WebSockets carry is not counted. */
export async function startWire(target: string): Promise<Wire> {
  const { hostname, port } = new URL(target)
  const counts = { requests: 0, sent: 0, received: 0 }
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    let live = false
    const onward = connect({ port: Number(port), host: hostname, noDelay: true })
    client.on('data', (part) => {
      // A request begins a part of its own: a client sends it when it has the answer to the one before.
      const [, path] = /^[A-Z]+ (\S+) HTTP\/1\.1\r\n/.exec(part.toString('latin1')) ?? []
      live ||= path?.includes('/live') ?? false
      if (live) return
      if (path !== undefined) counts.requests += 1
      counts.sent += part.byteLength
    })
    onward.on('data', (part) => {
      if (!live) counts.received += part.byteLength
    })
    client.pipe(onward).pipe(client)
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the wire has no address')
  return {
    url: `http://127.0.0.1:${String(address.port)}`,
    counts: () => ({ ...counts }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** What has gone over a wire while something was done. */
export async function counted(wire: Wire, work: () => Promise<unknown>): Promise<WireCounts> {
  const before = wire.counts()
  await work()
  const after = wire.counts()
  return {
    requests: after.requests - before.requests,
    sent: after.sent - before.sent,
    received: after.received - before.received,
  }
}
