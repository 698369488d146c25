import {
  subscriptionTextOf,
  limits,
  parseSubscriptionText,
  readCharsMax,
  readTextOf,
  socketProtocols,
  type RunId,
} from '@waystone/core'
import type { EdgeOptions } from './edge-http.ts'

/** Pings keep the lease of an owner and cost the edge no wake-up: the runtime answers them. */
const pingMs = 5_000

/** A run to be heard. */
export interface Hearing {
  readonly run: RunId
  /** The next entry that is not here; asked when it is followed. */
  readonly from: () => number
  readonly onOpen: () => void
  readonly onFrame: (frame: string) => void
}

/** A run that is followed, or is about to be. */
export interface Heard {
  /** Resolves when nothing more is heard. */
  readonly closed: Promise<void>
  /** Says a frame, unless the connection does not keep up. */
  tell(frame: string): void
  close(): void
}

/** The live connections of a device: one socket for all the runs it follows, or one for each at an edge that knows no other. */
export class LiveSockets {
  readonly #edge: EdgeOptions
  readonly #device: string
  /** The newest socket, when it is open; undefined when it did not open. */
  #newest: Promise<LiveSocket | undefined> | undefined

  constructor(edge: EdgeOptions, device: string) {
    this.#edge = edge
    this.#device = device
  }

  /** Follows a run, on the socket that is there or is being opened, if that takes it. Undefined when none could be opened. */
  async hear(hearing: Hearing): Promise<Heard | undefined> {
    for (let newest = this.#newest; newest !== undefined; newest = this.#newest) {
      const heard = (await newest)?.join(hearing)
      if (heard) return heard
      if (this.#newest === newest) this.#newest = undefined
    }
    this.#newest = this.#open(hearing)
    return (await this.#newest)?.first
  }

  async #open(hearing: Hearing): Promise<LiveSocket | undefined> {
    try {
      const url = new URL(`/v1/runs/${hearing.run}/live`, this.#edge.url)
      url.protocol = url.protocol.replace('http', 'ws')
      url.searchParams.set('device', this.#device)
      const token = await this.#edge.token?.()
      url.searchParams.set('from', String(hearing.from()))
      // A browser cannot set headers on a WebSocket; a subprotocol keeps the token out of addresses and logs.
      const tokens = token === undefined ? [] : [`token.${toBase64Url(token)}`]
      const protocols = [socketProtocols.runs, socketProtocols.run, ...tokens]
      const socket = new LiveSocket(new WebSocket(url, protocols), hearing)
      return (await socket.opened) ? socket : undefined
    } catch {
      return undefined
    }
  }
}

/** One socket. It ends with the last run that is heard on it. */
class LiveSocket {
  /** Resolves with false when it could not be opened. */
  readonly opened: Promise<boolean>
  /** The run that it was opened for. */
  readonly first: Heard
  readonly #socket: WebSocket
  readonly #subscriptions = new Map<number, { readonly hearing: Hearing; readonly end: () => void }>()
  #next = 0
  /** Characters that the edge does not know of to be read. */
  #read = 0

  constructor(socket: WebSocket, hearing: Hearing) {
    this.#socket = socket
    this.first = this.#add(hearing)
    let pings: ReturnType<typeof setInterval> | undefined
    socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => this.#heard(data))
    socket.addEventListener('close', () => {
      clearInterval(pings)
      for (const subscription of [...this.#subscriptions.keys()]) this.#end(subscription)
    })
    this.opened = new Promise((resolve) => {
      socket.addEventListener('open', () => {
        pings = setInterval(() => this.#ping(), pingMs)
        this.#ping()
        hearing.onOpen()
        resolve(true)
      })
      socket.addEventListener('close', () => resolve(false))
    })
  }

  get #isShared(): boolean {
    return this.#socket.protocol === socketProtocols.runs
  }

  /** Follows one more run; undefined when this socket takes none. */
  join(hearing: Hearing): Heard | undefined {
    if (!this.#isShared || this.#socket.readyState !== WebSocket.OPEN) return undefined
    const subscription = this.#next
    const heard = this.#add(hearing)
    this.#socket.send(
      subscriptionTextOf(subscription, { say: 'follow', run: hearing.run, from: hearing.from() }),
    )
    return heard
  }

  #add(hearing: Hearing): Heard {
    const subscription = this.#next
    this.#next += 1
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#subscriptions.set(subscription, { hearing, end: resolve })
    return {
      closed: promise,
      tell: (frame) => this.#tell(subscription, frame),
      close: () => this.#leave(subscription),
    }
  }

  #heard(message: unknown): void {
    if (typeof message !== 'string') return
    this.#read += message.length
    if (this.#read > readCharsMax) this.#sayRead()
    if (message === 'pong') return
    if (!this.#isShared) return this.#subscriptions.get(0)?.hearing.onFrame(message)
    const { subscription, text } = parseSubscriptionText(message) ?? {}
    if (subscription === undefined || text === undefined) return
    if (text === 'closed') return this.#end(subscription)
    const hearing = this.#subscriptions.get(subscription)?.hearing
    if (text !== 'open') hearing?.onFrame(text)
    // It was open when its socket was.
    else if (subscription > 0) hearing?.onOpen()
  }

  #ping(): void {
    this.#sayRead()
    this.#socket.send('ping')
  }

  #sayRead(): void {
    if (this.#isShared && this.#read > 0) this.#socket.send(readTextOf(this.#read))
    this.#read = 0
  }

  #tell(subscription: number, frame: string): void {
    const { readyState, bufferedAmount } = this.#socket
    if (readyState !== WebSocket.OPEN || !this.#subscriptions.has(subscription)) return
    // A reader that does not keep up loses live text, never entries: those it pulls.
    if (frame.length > limits.frameCharsMax || bufferedAmount >= limits.frameCharsMax) return
    this.#socket.send(this.#isShared ? subscriptionTextOf(subscription, frame) : frame)
  }

  #leave(subscription: number): void {
    if (!this.#subscriptions.has(subscription)) return
    if (this.#isShared && this.#socket.readyState === WebSocket.OPEN)
      this.#socket.send(subscriptionTextOf(subscription, { say: 'leave' }))
    this.#end(subscription)
  }

  #end(subscription: number): void {
    this.#subscriptions.get(subscription)?.end()
    this.#subscriptions.delete(subscription)
    if (this.#subscriptions.size === 0) this.#socket.close()
  }
}

function toBase64Url(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
