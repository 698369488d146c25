import { frameOf, limits, parseFrame, type OwnerId, type RunId, type WatchEvent } from '@waystone/core'
import type { Report } from '../report.ts'

/** What is remembered of a socket while its object sleeps. */
interface Attached {
  readonly device: string
  readonly since: number
}

/** Tells them from other sockets of the same object, also after it has slept. */
const tag = 'waystone'

/**
 * The followers of a run over WebSockets that let the object hibernate. Pings are answered by the runtime without
 * waking it, and keep the lease of an owner.
 */
export class RunSockets {
  readonly #ctx: DurableObjectState

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))
  }

  /** Takes a socket and sends it these events first. */
  accept(device: string, first: readonly WatchEvent[]): Response {
    const { 0: client, 1: server } = new WebSocketPair()
    this.#ctx.acceptWebSocket(server, [tag])
    server.serializeAttachment({ device, since: Date.now() } satisfies Attached)
    for (const event of first) server.send(frameOf(event))
    return new Response(null, {
      status: 101,
      webSocket: client,
      headers: { 'sec-websocket-protocol': 'waystone' },
    })
  }

  /** True for a socket that `accept` took. */
  has(socket: WebSocket): boolean {
    return this.#ctx.getTags(socket).includes(tag)
  }

  /** Tells every follower but one device. */
  tell(event: WatchEvent, except?: string): void {
    const sockets = this.#ctx.getWebSockets(tag)
    if (sockets.length === 0) return
    const frame = frameOf(event)
    if (frame.length > limits.frameCharsMax) return
    for (const socket of sockets) {
      if (except !== undefined && deviceOf(socket) === except) continue
      try {
        socket.send(frame)
      } catch {
        // A socket that is closing: its device pulls when it comes back.
      }
    }
  }

  /** When a device was last heard of over its sockets, in ms since 1970. */
  lastHeard(device: OwnerId): number | undefined {
    const times = this.#ctx.getWebSockets(tag).flatMap((socket) => {
      const attached = attachedOf(socket)
      if (attached?.device !== device) return []
      return [this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? attached.since]
    })
    return times.length === 0 ? undefined : Math.max(...times)
  }
}

/** What an owner says to its followers. Returns undefined for anything else. */
export function ownerEvent(
  message: unknown,
  run: RunId,
  report: Report,
): Extract<WatchEvent, { type: 'live' | 'stream' }> | undefined {
  try {
    const event = parseFrame(message)
    return event?.type === 'live' || event?.type === 'stream' ? event : undefined
  } catch (error) {
    report({ where: 'frame', run, error })
    return undefined
  }
}

/** The device at the other end of a socket. */
export function deviceOf(socket: WebSocket): string | undefined {
  return attachedOf(socket)?.device
}

function attachedOf(socket: WebSocket): Attached | undefined {
  return socket.deserializeAttachment() as Attached | undefined
}
