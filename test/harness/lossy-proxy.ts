import {
  createServer,
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { connect, type Socket } from 'node:net'
import { Transform, type Duplex } from 'node:stream'

/** What becomes of a message: it arrives, it is lost on its way, or it arrives and its answer is lost. */
export type Fate = 'pass' | 'lose request' | 'lose answer'

/** A request on its way. Header names are in lower case. */
interface Asked {
  readonly path: string
  readonly headers: IncomingHttpHeaders
}

/** A network between a page and the edge that a test can break. */
export interface LossyProxy {
  /** Without a slash at its end. */
  readonly url: string
  /** Ends every connection and lets nothing through until `mend`. */
  cut(): void
  mend(): void
  /** Decides about every HTTP request from now on; the number counts from 1 since this call. */
  decide(fate: (number: number, request: { readonly method: string; readonly path: string }) => Fate): void
  /** How long everything that is sent from now on takes, each way, in ms. At first 0. */
  delay(ms: number): void
  /** Takes every WebSocket from now on and says nothing on it. */
  swallow(): void
  /** Takes a subprotocol out of what is offered for every WebSocket from now on, as an edge does that does not know it. */
  forget(protocol: string): void
  /** Changes every HTTP request from now on, into what an edge of another version makes of it. */
  translate(change: (request: Asked) => Asked): void
  /** How many WebSockets were opened so far, and how many of them are open. */
  webSockets(): { readonly opened: number; readonly open: number }
  close(): Promise<void>
}

/** Starts a proxy on 127.0.0.1 in front of a server; `target` is asked anew, so that the server may come back elsewhere. */
export async function startLossyProxy(target: () => string): Promise<LossyProxy> {
  const sockets = new Set<Duplex>()
  let isCut = false
  let number = 0
  let fateOf: Parameters<LossyProxy['decide']>[0] = () => 'pass'
  let translated = (request: Asked): Asked => request
  let delayMs = 0
  let forgotten: string | undefined
  let opened = 0
  let isSwallowing = false
  const later = (work: () => void): void => {
    if (delayMs === 0) work()
    else setTimeout(work, delayMs)
  }
  const onItsWay = (): Transform => delayed(() => delayMs)

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (isCut) return void request.socket.destroy()
    number += 1
    const fate = fateOf(number, { method: request.method ?? '', path: request.url ?? '' })
    if (fate === 'lose request') return void request.socket.destroy()
    const body = request.pipe(onItsWay())
    later(() => {
      const { path, headers } = translated({ path: request.url ?? '/', headers: request.headers })
      const onward = forward(new URL(path, target()), { method: request.method, headers })
      onward.on('response', (answer) => {
        if (fate === 'lose answer' || isCut) {
          answer.resume()
          answer.on('end', () => request.socket.destroy())
          return
        }
        const answered = answer.pipe(onItsWay())
        later(() => {
          response.writeHead(answer.statusCode ?? 502, answer.headers)
          answered.pipe(response)
        })
      })
      onward.on('error', () => request.socket.destroy())
      body.pipe(onward)
    })
  }
  const server = createServer(handle)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isCut) return void socket.destroy()
    socket.on('error', () => socket.destroy())
    if (isSwallowing) return void sockets.add(socket)
    later(() => joinSockets(request, socket, head))
  })
  const joinSockets = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (isCut || socket.destroyed) return void socket.destroy()
    const { hostname, port } = new URL(target())
    const onward: Socket = connect(Number(port), hostname, () => {
      const lines = [`${request.method ?? 'GET'} ${request.url ?? '/'} HTTP/1.1`]
      for (let at = 0; at < request.rawHeaders.length; at += 2) {
        const [name = '', value = ''] = request.rawHeaders.slice(at, at + 2)
        const isOffer = name.toLowerCase() === 'sec-websocket-protocol'
        lines.push(`${name}: ${isOffer ? without(value, forgotten) : value}`)
      }
      onward.write(`${lines.join('\r\n')}\r\n\r\n`)
      onward.write(head)
      onward.pipe(onItsWay()).pipe(socket)
      socket.pipe(onItsWay()).pipe(onward)
    })
    opened += 1
    // Small frames go at once, as browsers and servers send them.
    onward.setNoDelay(true)
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        later(() => other.destroy())
      })
    }
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the proxy has no address')
  const endAll = (): void => {
    server.closeAllConnections()
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${String(address.port)}`,
    cut() {
      isCut = true
      endAll()
    },
    mend() {
      isCut = false
    },
    decide(fate) {
      number = 0
      fateOf = fate
    },
    delay(ms) {
      delayMs = ms
    },
    forget(protocol) {
      forgotten = protocol
    },
    swallow() {
      isSwallowing = true
    },
    translate(change) {
      translated = change
    },
    webSockets: () => ({ opened, open: sockets.size / 2 }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        endAll()
      }),
  }
}

/** A list with commas without one of its parts. */
function without(list: string, one: string | undefined): string {
  const parts = list.split(',').map((part) => part.trim())
  return parts.filter((part) => part !== one).join(', ')
}

/** Hands on what it gets, in order, each part so many ms after it came. */
function delayed(ms: () => number): Transform {
  const waiting: (() => void)[] = []
  const inOrder = (work: () => void): void => {
    if (ms() === 0 && waiting.length === 0) return work()
    waiting.push(work)
    setTimeout(() => waiting.shift()?.(), ms())
  }
  return new Transform({
    transform(part, _, taken) {
      inOrder(() => this.push(part))
      taken()
    },
    flush: (ended) => inOrder(ended),
  })
}
