import { socketProtocols, WaystoneError } from '@waystone/core'
import type { CatalogCalls } from '../catalog/catalog-entry.ts'
import { closingCode, handOn, socketAgeMsMax, socketCodes } from './sockets.ts'

/** The place of a socket among those that its tenant may have. */
export interface SocketPlace {
  /** Call it when the socket has ended. A place that nobody leaves is free again after an hour. */
  leave(): void
}

/** What a place is taken with. */
export interface SocketPlacePorts {
  readonly catalog: Pick<CatalogCalls, 'openSocket' | 'closeSocket'>
  readonly socketsMax: number
  /** Keeps the worker until what is told the catalog has got there. */
  readonly waitUntil: (telling: Promise<void>) => void
  readonly failed: (error: unknown) => void
}

/** Takes a place for one more socket of a tenant. Rejects with `limit_exceeded` when there are as many as there may be. */
export async function takeSocketPlace(ports: SocketPlacePorts): Promise<SocketPlace> {
  const { catalog, socketsMax, waitUntil, failed } = ports
  const id = crypto.randomUUID()
  if (!(await catalog.openSocket(id, socketsMax)))
    throw new WaystoneError(
      'limit_exceeded',
      `${String(socketsMax)} sockets of this tenant are open, which is the limit: close one, or come again`,
      { actions: ['retry'] },
    )
  return { leave: () => waitUntil(catalog.closeSocket(id).catch(failed)) }
}

/** A socket of a run's object as its client gets it, with its place, which it has for an hour at most. */
export function placedSocket(upstream: WebSocket, place: SocketPlace): Response {
  const { 0: client, 1: server } = new WebSocketPair()
  let hasEnded = false
  const end = (code: number, reason: string): void => {
    if (hasEnded) return
    hasEnded = true
    clearTimeout(old)
    place.leave()
    for (const socket of [server, upstream]) socket.close(closingCode(code), reason)
  }
  const old = setTimeout(() => end(socketCodes.comeAgain, 'this socket is old'), socketAgeMsMax)
  for (const [from, to] of [
    [server, upstream],
    [upstream, server],
  ] as const) {
    from.accept()
    from.addEventListener('message', ({ data }) => handOn(to, data))
    from.addEventListener('close', ({ code, reason }) => end(code, reason))
    from.addEventListener('error', () => end(socketCodes.done, ''))
  }
  const headers = { 'sec-websocket-protocol': socketProtocols.run }
  return new Response(null, { status: 101, webSocket: client, headers })
}
