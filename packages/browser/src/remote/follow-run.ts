import {
  frameOf,
  headOfLine,
  limits,
  parseFrame,
  type Follow,
  type FollowOptions,
  type Remote,
  type RunId,
} from '@waystone/core'
import type { EdgeOptions } from './edge-http.ts'

interface FollowRun extends FollowOptions {
  readonly run: RunId
  readonly device: string
  readonly edge: EdgeOptions
  readonly remote: Remote
}

/** Pings keep the lease of an owner and cost the edge no wake-up: the runtime answers them. */
const pingMs = 5_000
/** Between pulls where sockets do not get through. */
const pollMs = 2_000
/** Between attempts to connect. */
const againMsMin = 500
const againMsMax = 15_000

/**
 * Follows a run over a WebSocket, connecting again whenever it is lost; between attempts, and where sockets do not get
 * through, HTTP brings what is new.
 */
export function followRun(options: FollowRun): Follow {
  const { run, device, edge, remote, from, onEvent, onState } = options
  const closed = new AbortController()
  let socket: WebSocket | undefined
  let wait = againMsMin
  let wake: () => void = () => undefined

  const poll = async (): Promise<void> => {
    try {
      const { lines, inbox } = await remote.pull(run, from(), options.as)
      if (closed.signal.aborted) return
      // HTTP gets through where sockets do not: keep it up at the pace of a follower.
      wait = Math.min(wait, pollMs)
      onState(true)
      if (lines[0]) onEvent({ type: 'lines', from: headOfLine(lines[0]).seq, lines })
      if (inbox.length > 0) onEvent({ type: 'inbox' })
    } catch {
      if (!closed.signal.aborted) onState(false)
    }
  }
  const connect = async (): Promise<void> => {
    const url = new URL(`/v1/runs/${run}/live`, edge.url)
    url.protocol = url.protocol.replace('http', 'ws')
    url.searchParams.set('from', String(from()))
    url.searchParams.set('device', device)
    const token = await edge.token?.()
    if (closed.signal.aborted) return
    // A browser cannot set headers on a WebSocket; a subprotocol keeps the token out of addresses and logs.
    const protocols = token === undefined ? ['waystone'] : ['waystone', `token.${toBase64Url(token)}`]
    await listen(new WebSocket(url, protocols))
  }
  const listen = (opening: WebSocket): Promise<void> =>
    new Promise((resolve) => {
      socket = opening
      let pings: ReturnType<typeof setInterval> | undefined
      opening.addEventListener('open', () => {
        wait = againMsMin
        pings = setInterval(() => opening.send('ping'), pingMs)
        opening.send('ping')
        onState(true)
      })
      opening.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
        if (data === 'pong') return
        const event = parseFrame(data)
        if (event) onEvent(event)
      })
      opening.addEventListener('close', () => {
        clearInterval(pings)
        if (socket === opening) socket = undefined
        resolve()
      })
    })
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, wait * (0.75 + Math.random() / 2))
      wait = Math.min(wait * 2, againMsMax)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const again = (): void => {
    wait = againMsMin
    wake()
  }
  const loop = async (): Promise<void> => {
    while (!closed.signal.aborted) {
      await connect().catch(() => undefined)
      if (closed.signal.aborted) return
      await poll()
      await pause()
    }
  }
  // Node has none: there a lost connection is tried again by its own clock.
  const canHear = 'addEventListener' in globalThis
  if (canHear) globalThis.addEventListener('online', again)
  void loop()

  return {
    tell(event) {
      if (socket?.readyState !== WebSocket.OPEN) return
      const frame = frameOf(event)
      // A reader that does not keep up loses live text, never entries: those it pulls.
      if (frame.length <= limits.frameCharsMax && socket.bufferedAmount < limits.frameCharsMax)
        socket.send(frame)
    },
    close() {
      closed.abort()
      if (canHear) globalThis.removeEventListener('online', again)
      socket?.close()
      wake()
    },
  }
}

function toBase64Url(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
