import { isMark } from '@waystone/core'

/** A WebSocket to the edge as its messages come. */
export interface RawSocket {
  /** Resolves with the subprotocol; rejects when it is not let in. */
  readonly opened: Promise<string>
  /** The code and the reason that it is ended with. */
  readonly closed: Promise<readonly [number, string]>
  /** All messages so far but marks. */
  readonly heard: readonly string[]
  /** Resolves with the first message that fits, of those that came already too. */
  until(fits: (text: string) => boolean): Promise<string>
  send(text: string): void
  close(): void
}

/** How a socket is opened. Marks are given back after a time, as by who reads what comes; or never. */
export interface RawSocketOptions {
  readonly protocols?: readonly string[]
  readonly marksAfterMs?: number
}

/** Opens a WebSocket; `url` may begin with `http`. */
export function openRawSocket(url: string, options: RawSocketOptions = {}): RawSocket {
  const { protocols = [], marksAfterMs = 0 } = options
  const socket = new WebSocket(url.replace(/^http/, 'ws'), [...protocols])
  const heard: string[] = []
  const waiting = new Set<() => void>()
  socket.addEventListener('message', ({ data }) => {
    if (isMark(data)) return void setTimeout(() => socket.send(data), marksAfterMs).unref()
    heard.push(String(data))
    for (const look of waiting) look()
  })
  const opened = new Promise<string>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(socket.protocol))
    socket.addEventListener('error', () => reject(new Error('not let in')))
  })
  // Not everybody waits for it.
  opened.catch(() => undefined)
  return {
    opened,
    closed: new Promise((resolve) =>
      socket.addEventListener('close', ({ code, reason }) => resolve([code, reason])),
    ),
    heard,
    until: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = heard.find(fits)
          if (found !== undefined) resolve(found)
        }
        waiting.add(look)
        look()
      }),
    send: (text) => socket.send(text),
    close: () => socket.close(),
  }
}

/** A token as a subprotocol, since a browser cannot set headers on a WebSocket. */
export function tokenProtocol(token: string): string {
  return `token.${Buffer.from(token).toString('base64url')}`
}
