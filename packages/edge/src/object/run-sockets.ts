import {
  frameOf,
  limits,
  parseFrame,
  socketProtocols,
  WaystoneError,
  type OwnerId,
  type RunId,
  type WatchEvent,
} from '@waystone/core'
import type { Asking } from '../access/asking.ts'
import { socketCodes } from '../http/sockets.ts'
import type { Report } from '../report.ts'

/** What is remembered of a socket while its object sleeps. */
interface Attached {
  readonly device: string
  readonly since: number
  /** It may speak for the device, and keeps its lease. */
  readonly mayWrite: boolean
  /** A worker hands it on, which never has a client read more than it has said to have read. */
  readonly isShared: boolean
  /** When whoever follows must show a token again, in ms since 1970. */
  readonly until?: number
  readonly link?: string
  readonly subject?: string
}

/** Who wants to follow. */
export interface Follower {
  readonly device: string
  readonly mayWrite: boolean
  readonly isShared: boolean
  readonly asking: Asking
}

/** Sockets of one run. */
const socketsMaxDefault = 500
/**
 * What a client's own socket is sent in all, in characters. It does not say what it has read: nobody's memory grows for who reads nothing, and
 * whoever reads opens another one now and then.
 */
const sentCharsMax = 24_000_000

/** Tells them from other sockets of the same object, also after it has slept. */
const tag = 'waystone'

/**
 * The followers of a run over WebSockets that let the object hibernate. Pings are answered by the runtime without
 * waking it, and keep the lease of an owner.
 */
export class RunSockets {
  readonly #ctx: DurableObjectState
  readonly #socketsMax: number
  /** Since the object woke: what was sent before it slept has been read. */
  readonly #sent = new WeakMap<WebSocket, number>()

  constructor(ctx: DurableObjectState, socketsMax = socketsMaxDefault) {
    this.#ctx = ctx
    this.#socketsMax = socketsMax
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))
  }

  /** Takes a socket and sends it these events first. Throws `limit_exceeded`. */
  accept({ device, mayWrite, isShared, asking }: Follower, first: readonly WatchEvent[]): Response {
    if (this.#open().length >= this.#socketsMax)
      throw new WaystoneError(
        'limit_exceeded',
        `${String(this.#socketsMax)} sockets follow this run, which is the limit`,
        {
          actions: ['retry'],
        },
      )
    const { 0: client, 1: server } = new WebSocketPair()
    this.#ctx.acceptWebSocket(server, [tag])
    const { until, link, subject } = asking
    server.serializeAttachment({
      device,
      since: Date.now(),
      mayWrite,
      isShared,
      ...(until === undefined ? {} : { until }),
      ...(link === undefined ? {} : { link }),
      ...(subject === undefined ? {} : { subject }),
    } satisfies Attached)
    for (const frame of first.map(frameOf)) this.#send(server, frame)
    return new Response(null, {
      status: 101,
      webSocket: client,
      headers: { 'sec-websocket-protocol': socketProtocols.run },
    })
  }

  /** True for a socket that `accept` took. */
  has(socket: WebSocket): boolean {
    return this.#ctx.getTags(socket).includes(tag)
  }

  /** Tells every follower but one device. */
  tell(event: WatchEvent, except?: string): void {
    const sockets = this.#open()
    if (sockets.length === 0) return
    const frame = frameOf(event)
    for (const socket of sockets) {
      if (except === undefined || attachedOf(socket)?.device !== except) this.#send(socket, frame)
    }
  }

  /** Tells one device, over those of its sockets that speak for it. False when there is none. */
  tellDevice(device: OwnerId, event: WatchEvent): boolean {
    const sockets = this.#open().filter((socket) => speakerOf(socket) === device)
    for (const socket of sockets) this.#send(socket, frameOf(event))
    return sockets.length > 0
  }

  #send(socket: WebSocket, frame: string): void {
    if (frame.length > limits.frameCharsMax) return
    const sent = (this.#sent.get(socket) ?? 0) + frame.length
    this.#sent.set(socket, sent)
    try {
      if (sent <= sentCharsMax || attachedOf(socket)?.isShared) socket.send(frame)
      else socket.close(socketCodes.comeAgain, 'this socket has been sent enough: open another one')
    } catch {
      // A socket that is closing: its device pulls when it comes back.
    }
  }

  /** Cuts off who follows by a link. */
  cut(link: string): void {
    for (const socket of this.#ctx.getWebSockets(tag)) {
      if (attachedOf(socket)?.link === link)
        socket.close(socketCodes.notLetInAnyMore, 'this link was taken back')
    }
  }

  /** A device belongs to a subject now: sockets of others do not speak for it. */
  disown(device: string, subject: string | undefined): void {
    for (const socket of this.#ctx.getWebSockets(tag)) {
      const attached = attachedOf(socket)
      if (attached?.device === device && attached.subject !== subject)
        socket.serializeAttachment({ ...attached, mayWrite: false } satisfies Attached)
    }
  }

  /** Cuts off everybody. */
  cutAll(why: string): void {
    for (const socket of this.#ctx.getWebSockets(tag)) socket.close(socketCodes.notLetInAnyMore, why)
  }

  /** Those whose token is still valid; the others are told to come back with a new one. */
  #open(): readonly WebSocket[] {
    const now = Date.now()
    return this.#ctx.getWebSockets(tag).filter((socket) => {
      const until = attachedOf(socket)?.until
      if (until === undefined || until > now) return true
      socket.close(socketCodes.notLetInAnyMore, 'the token has expired')
      return false
    })
  }

  /** When a device was last heard of over its sockets, in ms since 1970. */
  lastHeard(device: OwnerId): number | undefined {
    const times = this.#ctx.getWebSockets(tag).flatMap((socket) => {
      const attached = attachedOf(socket)
      if (attached?.device !== device || !attached.mayWrite) return []
      const heard = this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? attached.since
      return [Math.min(heard, attached.until ?? Infinity)]
    })
    return times.length === 0 ? undefined : Math.max(...times)
  }
}

/** What an owner says to its followers. Returns undefined for anything else. */
export function ownerEvent(
  message: unknown,
  run: RunId,
  report: Report,
): Extract<WatchEvent, { type: 'live' | 'stream' | 'held' }> | undefined {
  try {
    const event = parseFrame(message)
    return event?.type === 'live' || event?.type === 'stream' || event?.type === 'held' ? event : undefined
  } catch (error) {
    report({ where: 'frame', run, error })
    return undefined
  }
}

/** The device that a socket speaks for; undefined for one that only listens, or whose token has expired. */
export function speakerOf(socket: WebSocket): string | undefined {
  const attached = attachedOf(socket)
  const isOver = attached?.until !== undefined && attached.until <= Date.now()
  return attached?.mayWrite && !isOver ? attached.device : undefined
}

function attachedOf(socket: WebSocket): Attached | undefined {
  return socket.deserializeAttachment() as Attached | undefined
}
