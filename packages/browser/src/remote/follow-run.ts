import {
  frameOf,
  headOfLine,
  parseFrame,
  unlessAborted,
  type Follow,
  type FollowOptions,
  type Remote,
  type RunId,
} from '@waystone/core'
import type { LiveSockets, Subscription } from './live-sockets.ts'

interface FollowRun extends FollowOptions {
  readonly run: RunId
  readonly sockets: LiveSockets
  readonly remote: Remote
}

/** Between pulls where sockets do not get through. */
const pollMs = 2_000
/** Something in between may take a socket and say nothing: after so many ms, and again after as many, HTTP is asked meanwhile. */
const slowMs = 5_000
/** Between attempts to connect. */
const againMsMin = 500
const againMsMax = 15_000

/**
 * Follows a run over a WebSocket, connecting again whenever it is lost; between attempts, and where sockets do not get
 * through, HTTP brings what is new.
 */
export function followRun(options: FollowRun): Follow {
  const { run, sockets, remote, from, onEvent, onState } = options
  const closed = new AbortController()
  let subscription: Subscription | undefined
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
  const connect = () => {
    const began = performance.now()
    const opening = sockets.subscribe({
      run,
      from,
      signal: closed.signal,
      onOpen() {
        if (!closed.signal.aborted) onState(true)
      },
      onFrame(frame) {
        const event = closed.signal.aborted ? undefined : parseFrame(frame)
        if (event) onEvent(event)
      },
    })
    const ended = opening.then(async (opened) => {
      subscription = opened
      if (opened === undefined) return
      if (closed.signal.aborted) opened.close()
      await opened.closed
      // One that is cut off again and again is not asked for ever faster.
      if (performance.now() - began > pollMs) wait = againMsMin
    })
    return { opening, ended: ended.catch(() => undefined) }
  }
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
      const { opening, ended } = connect()
      while (!(await isSettled(opening, slowMs)) && !closed.signal.aborted) await poll()
      await ended
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
    tell: (event) => subscription?.tell(frameOf(event)),
    close() {
      closed.abort()
      if (canHear) globalThis.removeEventListener('online', again)
      subscription?.close()
      wake()
    },
  }
}

/** True once a promise is settled; false when it is not after `ms`. */
function isSettled(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = promise.catch(() => undefined)
  return unlessAborted(settled, AbortSignal.timeout(ms)).then(
    () => true,
    () => false,
  )
}
