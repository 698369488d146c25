import {
  isMark,
  limits,
  parseSubscriptionText,
  parseSubscriptionWord,
  socketProtocols,
  subscriptionsMax,
  subscriptionTextOf,
  type SubscriptionWord,
} from '@waystone/core'
import { handOn, socketAgeMsMax, socketCodes } from './sockets.ts'
import type { SocketPlace } from './tenant-sockets.ts'

/** What a device says to follow a run. */
export type FollowWord = Extract<SubscriptionWord, { say: 'follow' }>

/** Asks the object of a run for a socket, as a request of its own would. */
export type AskToFollow = (word: FollowWord) => Promise<Response>

/** Each is a sub-request, of which an invocation may make few (1,000 on the free plan of Workers, 2026). */
const followsMax = 400
/** Objects are not pinged more often, in ms. */
const pingMsMin = 1_000
/** Runs that are asked at a time, so that one that is slow does not hold up all others. */
const askedAtOnce = 3
/** How much is sent until a reader has to say that it has read it, in characters. */
const markChars = 1_000_000
/** How much may be unread when a run is asked, which then says what it has so far at once: a page of lines, and text. */
const unreadToAskMax = 2 * markChars
/** How much may be unread: room for what the runs say that are asked at a time. */
const unreadCharsMax = 12 * markChars
/** What may be on its way to an object that has not answered a ping since, in characters. */
const unansweredCharsMax = 2 * limits.frameCharsMax

/**
 * One socket for many runs. It keeps nothing: each subscription is a socket of the object of a run, which sleeps while
 * nothing happens, and what is said on it is handed on. `first` is that of subscription 0.
 */
export function runsSocket(first: WebSocket, ask: AskToFollow, place?: SocketPlace): Response {
  const { 0: client, 1: server } = new WebSocketPair()
  new RunsSocket(server, ask, place).begin(first)
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { 'sec-websocket-protocol': socketProtocols.runs },
  })
}

/** The socket of a run's object. */
interface Upstream {
  readonly socket: WebSocket
  /** Called when what the object says first is through, or it says no more. */
  readonly greeted: () => void
  /** Characters that it was sent since it answered a ping. */
  unanswered: number
}

class RunsSocket {
  readonly #socket: WebSocket
  readonly #ask: AskToFollow
  readonly #place: SocketPlace | undefined
  readonly #old = setTimeout(() => this.#end(socketCodes.comeAgain, 'this socket is old'), socketAgeMsMax)
  /** Undefined while its run is asked. */
  readonly #subscriptions = new Map<number, Upstream | undefined>()
  /** The highest number so far. */
  #newest = 0
  #follows = 0
  readonly #asking = Array.from({ length: askedAtOnce }, () => Promise.resolve())
  /** Marks that have not come back, with the characters since the one before. */
  readonly #marks: { readonly mark: string; readonly chars: number }[] = []
  #unmarked = 0
  #unread = 0
  #changed = Promise.withResolvers<void>()
  #pinged = 0
  #ended = false

  constructor(socket: WebSocket, ask: AskToFollow, place: SocketPlace | undefined) {
    this.#socket = socket
    this.#ask = ask
    this.#place = place
  }

  begin(first: WebSocket): void {
    this.#socket.accept()
    this.#socket.addEventListener('message', ({ data }) => this.#heard(data))
    this.#socket.addEventListener('close', () => this.#end(socketCodes.done, ''))
    this.#socket.addEventListener('error', () => this.#end(socketCodes.done, ''))
    void this.#join(0, first)
  }

  #heard(message: unknown): void {
    if (message === 'ping') return this.#ping()
    if (isMark(message)) return this.#wasRead(message)
    const { subscription, text } = parseSubscriptionText(message) ?? {}
    if (subscription === undefined || text === undefined) return
    const word = parseSubscriptionWord(text)
    if (word === undefined) this.#tell(subscription, text)
    else if (word.say === 'follow') this.#follow(subscription, word)
    else if (word.say === 'leave') this.#drop(subscription)
  }

  /** Objects are pinged too, which does not wake them, and keeps the leases of the device. */
  #ping(): void {
    const now = Date.now()
    this.#send('pong')
    if (now - this.#pinged < pingMsMin) return
    this.#pinged = now
    for (const upstream of this.#subscriptions.values()) handOn(upstream?.socket, 'ping')
  }

  /** A reader that does not keep up loses live text, never entries: so does an object. */
  #tell(subscription: number, frame: string): void {
    const upstream = this.#subscriptions.get(subscription)
    if (!upstream || frame.length > limits.frameCharsMax || upstream.unanswered > unansweredCharsMax) return
    upstream.unanswered += frame.length
    handOn(upstream.socket, frame)
  }

  #follow(subscription: number, word: FollowWord): void {
    if (subscription <= this.#newest) return
    this.#newest = subscription
    if (this.#subscriptions.size >= subscriptionsMax) return this.#say(subscription, 'closed')
    this.#follows += 1
    if (this.#follows > followsMax) return this.#end(socketCodes.comeAgain, 'this socket has followed enough')
    this.#subscriptions.set(subscription, undefined)
    const lane = subscription % askedAtOnce
    const before = this.#asking[lane] ?? Promise.resolve()
    this.#asking[lane] = before
      .then(() => this.#open(subscription, word))
      .catch(() => this.#closed(subscription))
  }

  /** Resolves when what the run has to say first is on its way. */
  async #open(subscription: number, word: FollowWord): Promise<void> {
    const isWanted = (): boolean => this.#subscriptions.has(subscription)
    // What a run is behind comes at once when it is followed: no more of that than the reader keeps up with.
    while (isWanted() && this.#unread > unreadToAskMax) await this.#changed.promise
    if (!isWanted()) return
    const { webSocket, body } = await this.#ask(word)
    if (webSocket && isWanted()) return this.#join(subscription, webSocket)
    webSocket?.accept()
    webSocket?.close(socketCodes.done)
    await body?.cancel()
    this.#closed(subscription)
  }

  #join(subscription: number, socket: WebSocket): Promise<void> {
    return new Promise((greeted) => {
      const upstream: Upstream = { socket, greeted, unanswered: 0 }
      const isCurrent = (): boolean => this.#subscriptions.get(subscription) === upstream
      const ended = (): void => {
        if (isCurrent()) this.#closed(subscription)
      }
      this.#subscriptions.set(subscription, upstream)
      this.#say(subscription, 'open')
      socket.accept()
      socket.addEventListener('message', ({ data }) => {
        if (data === 'pong') {
          upstream.unanswered = 0
          greeted()
        } else if (isCurrent()) this.#handBack(subscription, String(data))
      })
      socket.addEventListener('close', ended)
      socket.addEventListener('error', ended)
      // Its answer comes after what the object has said by then.
      handOn(socket, 'ping')
    })
  }

  #handBack(subscription: number, frame: string): void {
    if (this.#unread <= unreadCharsMax) return this.#send(subscriptionTextOf(subscription, frame))
    // It pulls what it has missed: nobody's memory grows for a reader who does not read.
    this.#closed(subscription)
    if (this.#subscriptions.size === 0) this.#end(socketCodes.comeAgain, 'too much is unread')
  }

  #wasRead(mark: string): void {
    const at = this.#marks.findIndex((one) => one.mark === mark)
    for (const { chars } of this.#marks.splice(0, at + 1)) this.#unread -= chars
    this.#change()
  }

  #closed(subscription: number): void {
    if (!this.#subscriptions.has(subscription)) return
    this.#drop(subscription)
    this.#say(subscription, 'closed')
  }

  #drop(subscription: number): void {
    const upstream = this.#subscriptions.get(subscription)
    this.#subscriptions.delete(subscription)
    upstream?.socket.close(socketCodes.done)
    upstream?.greeted()
    this.#change()
  }

  /** Wakes those that wait for room, or are not wanted any more. */
  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  #say(subscription: number, say: 'open' | 'closed'): void {
    this.#send(subscriptionTextOf(subscription, { say }))
  }

  #send(text: string): void {
    if (this.#ended) return
    // Words and pongs add up, too, for who asks and reads nothing at all.
    if (this.#unread > 2 * unreadCharsMax) return this.#end(socketCodes.comeAgain, 'too much is unread')
    handOn(this.#socket, text)
    this.#unread += text.length
    this.#unmarked += text.length
    if (this.#unmarked < markChars) return
    // Nobody guesses it who has not read what was sent before it.
    const mark = `mark ${crypto.randomUUID()}`
    this.#marks.push({ mark, chars: this.#unmarked })
    this.#unmarked = 0
    handOn(this.#socket, mark)
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#old)
    this.#place?.leave()
    for (const subscription of [...this.#subscriptions.keys()]) this.#drop(subscription)
    this.#socket.close(code, reason)
  }
}
