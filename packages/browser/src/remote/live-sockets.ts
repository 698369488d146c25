import {
  bearerOf,
  isMark,
  limits,
  parseSubscriptionText,
  parseSubscriptionWord,
  socketProtocols,
  subscriptionsMax,
  subscriptionTextOf,
  type RunId,
} from '@waystone/core'
import type { EdgeOptions } from './edge-http.ts'

/** Pings keep the lease of an owner and cost the edge no wake-up: the runtime answers them. */
const pingMs = 5_000
/** A socket on which so many pings in a row bring nothing back is dead, whatever the system says of it. */
const silentPingsMax = 3

/** A socket that has not opened by then, or has no token, is given up, in ms: browsers wait for minutes where something takes it and says nothing. */
const openMsMax = 20_000

/** Who wants to hear of a run. */
export interface Subscriber {
  readonly run: RunId
  /** The next entry that is not here; asked when the run is followed. */
  readonly from: () => number
  readonly onOpen: () => void
  readonly onFrame: (frame: string) => void
  /** Aborted when nothing is to be heard any more. */
  readonly signal: AbortSignal
}

/** A run that is followed, or is about to be. */
export interface Subscription {
  /** Resolves when nothing more is heard. */
  readonly closed: Promise<void>
  /** Says a frame, unless the connection does not keep up. */
  tell(frame: string): void
  close(): void
}

/** Sockets to the edge: one for all runs that are followed, or one for each at an edge that knows no other. */
export class LiveSockets {
  readonly #edge: EdgeOptions
  readonly #device: string
  readonly #openMs: number
  /** The newest socket, when it is open; undefined when it did not open. */
  #newest: Promise<LiveSocket | undefined> | undefined

  constructor(edge: EdgeOptions, device: string, openMs = openMsMax) {
    this.#edge = edge
    this.#device = device
    this.#openMs = openMs
  }

  /** Follows a run, on the socket that is there or is being opened, if that takes it. Undefined when none could be opened; rejects when there is no token for it. */
  async subscribe(subscriber: Subscriber): Promise<Subscription | undefined> {
    const token = await bearerOf(this.#edge.token, AbortSignal.timeout(this.#openMs))
    for (let newest = this.#newest; newest !== undefined; newest = this.#newest) {
      const socket = await newest
      if (socket === undefined || subscriber.signal.aborted) return undefined
      const subscription = socket.join(subscriber, token)
      if (subscription) return subscription
      // At such an edge nobody has to wait for anybody.
      if (!socket.isShared) break
      if (this.#newest === newest) this.#newest = undefined
    }
    const opening = this.#open(subscriber, token)
    this.#newest = opening
    const socket = await opening
    if (socket === undefined && this.#newest === opening) this.#newest = undefined
    return socket?.first
  }

  async #open(subscriber: Subscriber, token: string | undefined): Promise<LiveSocket | undefined> {
    const url = new URL(`/v1/runs/${subscriber.run}/live`, this.#edge.url)
    url.protocol = url.protocol.replace('http', 'ws')
    url.searchParams.set('from', String(subscriber.from()))
    url.searchParams.set('device', this.#device)
    // A browser cannot set headers on a WebSocket; a subprotocol keeps the token out of addresses and logs.
    const tokens = token === undefined ? [] : [`token.${toBase64Url(token)}`]
    const protocols = [socketProtocols.runs, socketProtocols.run, ...tokens]
    const socket = new LiveSocket(new WebSocket(url, protocols), subscriber, this.#openMs)
    return (await socket.opened) ? socket : undefined
  }
}

/** One socket. It ends with the last run that is followed on it. */
class LiveSocket {
  /** Resolves with false when it could not be opened. */
  readonly opened: Promise<boolean>
  /** The subscription that it was opened for. */
  readonly first: Subscription
  readonly #socket: WebSocket
  readonly #subscriptions = new Map<number, { readonly subscriber: Subscriber; readonly ended: () => void }>()
  #next = 0
  /** Pings since something was heard. */
  #silent = 0

  constructor(socket: WebSocket, subscriber: Subscriber, openMs: number) {
    this.#socket = socket
    this.first = this.#add(subscriber)
    let pings: ReturnType<typeof setInterval> | undefined
    socket.addEventListener('message', ({ data }: MessageEvent<unknown>) => this.#heard(data))
    this.opened = new Promise((resolve) => {
      const opening = setTimeout(() => {
        resolve(false)
        socket.close()
      }, openMs)
      socket.addEventListener('open', () => {
        clearTimeout(opening)
        resolve(true)
        pings = setInterval(() => this.#ping(), pingMs)
        this.#ping()
        if (!this.isShared) subscriber.onOpen()
      })
      socket.addEventListener('close', () => {
        clearTimeout(opening)
        resolve(false)
        clearInterval(pings)
        this.#endAll()
      })
    })
  }

  get isShared(): boolean {
    return this.#socket.protocol === socketProtocols.runs
  }

  /** Follows one more run; undefined when this socket takes none. */
  join(subscriber: Subscriber, token: string | undefined): Subscription | undefined {
    const isFull = this.#subscriptions.size >= subscriptionsMax
    if (!this.isShared || isFull || this.#socket.readyState !== WebSocket.OPEN) return undefined
    const { run, from } = subscriber
    const word = { say: 'follow', run, from: from(), ...(token === undefined ? {} : { token }) } as const
    this.#socket.send(subscriptionTextOf(this.#next, word))
    return this.#add(subscriber)
  }

  #add(subscriber: Subscriber): Subscription {
    const number = this.#next
    this.#next += 1
    return {
      closed: new Promise((ended) => this.#subscriptions.set(number, { subscriber, ended })),
      tell: (frame) => this.#tell(number, frame),
      close: () => this.#leave(number),
    }
  }

  #heard(message: unknown): void {
    this.#silent = 0
    if (message === 'pong' || typeof message !== 'string') return
    if (!this.isShared) return this.#subscriptions.get(0)?.subscriber.onFrame(message)
    if (isMark(message)) return this.#socket.send(message)
    const { subscription, text } = parseSubscriptionText(message) ?? {}
    if (subscription === undefined || text === undefined) return
    const subscriber = this.#subscriptions.get(subscription)?.subscriber
    const word = parseSubscriptionWord(text)
    if (word === undefined) subscriber?.onFrame(text)
    else if (word.say === 'open') subscriber?.onOpen()
    else if (word.say === 'closed') this.#end(subscription)
  }

  #ping(): void {
    this.#silent += 1
    if (this.#silent > silentPingsMax) return this.#endAll()
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send('ping')
  }

  #tell(number: number, frame: string): void {
    const { readyState, bufferedAmount } = this.#socket
    if (readyState !== WebSocket.OPEN || !this.#subscriptions.has(number)) return
    // A reader that does not keep up loses live text, never entries: those it pulls.
    if (frame.length > limits.frameCharsMax || bufferedAmount >= limits.frameCharsMax) return
    this.#socket.send(this.isShared ? subscriptionTextOf(number, frame) : frame)
  }

  #leave(number: number): void {
    if (!this.#subscriptions.has(number)) return
    if (this.isShared && this.#socket.readyState === WebSocket.OPEN)
      this.#socket.send(subscriptionTextOf(number, { say: 'leave' }))
    this.#end(number)
  }

  #end(number: number): void {
    this.#subscriptions.get(number)?.ended()
    this.#subscriptions.delete(number)
    if (this.#subscriptions.size === 0) this.#socket.close()
  }

  #endAll(): void {
    for (const number of [...this.#subscriptions.keys()]) this.#end(number)
  }
}

function toBase64Url(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
