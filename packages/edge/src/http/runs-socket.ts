import {
  subscriptionTextOf,
  limits,
  parseSubscriptionText,
  parseSubscriptionWord,
  parseReadText,
  socketProtocols,
  unreadCharsMax,
  type SubscriptionWord,
} from '@waystone/core'

/** Asks for the socket of a run, from an entry on, as whoever opened the shared one. */
export type FollowRun = (run: string, from: number) => Promise<Response>

/** Runs that one socket follows at a time. */
const subscriptionsMax = 200
/** Each is a sub-request of the one invocation that a socket is: the next socket has its own. */
const followsMax = 1_000

/** Codes that a socket is closed with (RFC 6455, and the registry of IANA). */
const codes = { done: 1000, tooBig: 1009, notLetIn: 1008, comeAgain: 1013 } as const

/** True when who opens a socket can speak with many runs on it. */
export function takesRuns(request: Request): boolean {
  const offered = request.headers.get('sec-websocket-protocol')?.split(',') ?? []
  return offered.some((one) => one.trim() === socketProtocols.runs)
}

/**
 * One socket of a device for all its runs. It keeps nothing: each subscription is a socket of the object of a run, which
 * sleeps while nothing happens, and what is said on it is handed on. `first` is that of subscription 0.
 */
export function runsSocket(first: WebSocket, followRun: FollowRun): Response {
  const { 0: client, 1: server } = new WebSocketPair()
  new RunsSocket(server, followRun).begin(first)
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { 'sec-websocket-protocol': socketProtocols.runs },
  })
}

class RunsSocket {
  readonly #socket: WebSocket
  readonly #followRun: FollowRun
  /** Undefined while its run is asked. */
  readonly #subscriptions = new Map<number, WebSocket | undefined>()
  #follows = 0
  /** What was sent and the reader has not said to have read, in characters. */
  #unread = 0
  #read = Promise.withResolvers<void>()
  #ended = false

  constructor(socket: WebSocket, followRun: FollowRun) {
    this.#socket = socket
    this.#followRun = followRun
  }

  begin(first: WebSocket): void {
    this.#socket.accept()
    this.#socket.addEventListener('message', ({ data }) => this.#heard(data))
    this.#socket.addEventListener('close', () => this.#end(codes.done, ''))
    this.#socket.addEventListener('error', () => this.#end(codes.done, ''))
    this.#subscriptions.set(0, undefined)
    this.#join(0, first)
  }

  #heard(message: unknown): void {
    if (typeof message === 'string' && message.length > limits.frameCharsMax)
      return this.#end(codes.tooBig, 'a message is too large')
    if (message === 'ping') return this.#ping()
    const read = parseReadText(message)
    if (read !== undefined) return this.#wasRead(read)
    const { subscription, text } = parseSubscriptionText(message) ?? {}
    if (subscription === undefined || text === undefined) return
    const word = parseSubscriptionWord(text)
    if (word?.say === 'follow') void this.#follow(subscription, word)
    else if (word?.say === 'leave') this.#leave(subscription)
    else if (word === undefined) handOn(this.#subscriptions.get(subscription), text)
  }

  /** The objects are pinged too, which does not wake them, and keeps the leases of the device. */
  #ping(): void {
    this.#send('pong')
    for (const socket of this.#subscriptions.values()) handOn(socket, 'ping')
  }

  #wasRead(chars: number): void {
    this.#unread = Math.max(0, this.#unread - chars)
    this.#read.resolve()
    this.#read = Promise.withResolvers()
  }

  async #follow(
    subscription: number,
    { run, from }: Extract<SubscriptionWord, { say: 'follow' }>,
  ): Promise<void> {
    if (this.#subscriptions.has(subscription)) return
    if (this.#subscriptions.size >= subscriptionsMax) return this.#say(subscription, 'closed')
    if (this.#follows >= followsMax) return this.#end(codes.comeAgain, 'open another socket')
    this.#follows += 1
    this.#subscriptions.set(subscription, undefined)
    // What a run is behind comes at once when it is followed: no more of that than the reader keeps up with.
    while (this.#unread > unreadCharsMax / 2 && this.#isWanted(subscription)) await this.#read.promise
    if (!this.#isWanted(subscription)) return
    const { status, webSocket } = await this.#followRun(run, from)
    // Sockets of an expired token are closed by their objects: who asks with it again needs another one.
    if (status === 401) return this.#end(codes.notLetIn, 'the token has expired')
    if (webSocket && this.#isWanted(subscription)) return this.#join(subscription, webSocket)
    webSocket?.accept()
    webSocket?.close(codes.done)
    this.#closed(subscription)
  }

  #isWanted(subscription: number): boolean {
    return !this.#ended && this.#subscriptions.has(subscription)
  }

  #join(subscription: number, socket: WebSocket): void {
    const isCurrent = (): boolean => this.#subscriptions.get(subscription) === socket
    this.#subscriptions.set(subscription, socket)
    this.#say(subscription, 'open')
    socket.accept()
    socket.addEventListener('message', ({ data }) => {
      if (data !== 'pong' && isCurrent()) this.#send(subscriptionTextOf(subscription, String(data)))
    })
    socket.addEventListener('close', ({ code, reason }) => {
      socket.close(codes.done)
      if (!isCurrent()) return
      if (code === codes.notLetIn) this.#end(code, reason)
      else this.#closed(subscription)
    })
    socket.addEventListener('error', () => {
      if (isCurrent()) this.#closed(subscription)
    })
  }

  #leave(subscription: number): void {
    const socket = this.#subscriptions.get(subscription)
    this.#subscriptions.delete(subscription)
    socket?.close(codes.done)
    // Its `follow` may wait to be read.
    this.#wasRead(0)
  }

  #closed(subscription: number): void {
    if (this.#subscriptions.delete(subscription)) this.#say(subscription, 'closed')
  }

  #say(subscription: number, say: 'open' | 'closed'): void {
    this.#send(subscriptionTextOf(subscription, { say }))
  }

  #send(text: string): void {
    if (this.#ended) return
    this.#unread += text.length
    // It pulls what it missed when it comes back: nobody's memory grows for a reader who does not read.
    if (this.#unread > unreadCharsMax) return this.#end(codes.comeAgain, 'too much is unread')
    handOn(this.#socket, text)
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return
    this.#ended = true
    const sockets = [...this.#subscriptions.values()]
    this.#subscriptions.clear()
    this.#wasRead(0)
    this.#socket.close(code, reason)
    for (const socket of sockets) socket?.close(codes.done)
  }
}

/** What does not get to a socket that is closing is nothing lost: it carries what can be asked for again. */
function handOn(socket: WebSocket | undefined, text: string): void {
  try {
    socket?.send(text)
  } catch {
    // Its `close` comes.
  }
}
