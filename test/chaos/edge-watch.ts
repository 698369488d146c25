import { headers, parseFrame, parseLine, splitLines } from '@waystone/core'
import { poll } from '../harness/poll.ts'
import { tokenProtocol } from '../harness/raw-socket.ts'

/** An entry as the edge has acknowledged it. */
export interface EdgeEntry {
  readonly run: string
  readonly seq: number
  readonly digest: string
  readonly kind: string
  readonly owner: string
  /** When it was heard here, in ms since 1970. */
  readonly heard: number
  readonly line: Uint8Array
}

/** Follows runs at the edge as any device may: what it hears has left the edge, and so was acknowledged by it. */
export interface EdgeWatch {
  /** All that was heard of a run so far, by sequence number. */
  heard(run: string): ReadonlyMap<number, EdgeEntry>
  follow(run: string): void
  /** Resolves with the first entry that fits, among those that were heard already too. Rejects after a minute. */
  until(run: string, fits: (entry: EdgeEntry) => boolean): Promise<EdgeEntry>
  /** The whole log of a run as the edge has it now. */
  pull(run: string): Promise<readonly EdgeEntry[]>
  /** Entries that came with another digest than before at their place. */
  readonly changed: readonly EdgeEntry[]
  close(): void
}

const againMs = 100
const device = 'the-witness'

/** Watches the edge at a url; goes on when that was killed and is there again. */
export function watchEdge(url: string, token: string): EdgeWatch {
  const runs = new Map<string, Map<number, EdgeEntry>>()
  const changed: EdgeEntry[] = []
  const listeners = new Set<(entry: EdgeEntry) => void>()
  let closed = false
  const sockets = new Set<WebSocket>()

  const mapOf = (run: string): Map<number, EdgeEntry> => {
    const known = runs.get(run) ?? new Map<number, EdgeEntry>()
    runs.set(run, known)
    return known
  }
  const entryOf = (run: string, line: Uint8Array): EdgeEntry => {
    const { seq, digest, kind, owner } = parseLine(line)
    return { run, seq, digest, kind, owner, heard: Date.now(), line }
  }
  const take = (entry: EdgeEntry): void => {
    const known = mapOf(entry.run)
    const before = known.get(entry.seq)
    if (before && before.digest !== entry.digest) changed.push(entry)
    if (before) return
    known.set(entry.seq, entry)
    for (const hear of listeners) hear(entry)
  }
  const connect = (run: string): void => {
    if (closed) return
    const live = new URL(`/v1/runs/${run}/live`, url.replace('http', 'ws'))
    live.searchParams.set('from', String(Math.max(-1, ...mapOf(run).keys()) + 1))
    live.searchParams.set('device', device)
    const socket = new WebSocket(live, ['waystone', tokenProtocol(token)])
    sockets.add(socket)
    socket.addEventListener('message', ({ data }) => {
      const event = data === 'pong' ? undefined : parseFrame(data)
      if (event?.type === 'lines') for (const line of event.lines) take(entryOf(run, line))
    })
    socket.addEventListener('error', () => undefined)
    socket.addEventListener('close', () => {
      sockets.delete(socket)
      setTimeout(() => connect(run), againMs).unref()
    })
  }

  return {
    heard: mapOf,
    follow(run) {
      if (!runs.has(run)) connect(run)
    },
    until(run, fits) {
      const known = [...mapOf(run).values()].find(fits)
      if (known) return Promise.resolve(known)
      const found = Promise.withResolvers<EdgeEntry>()
      const hear = (entry: EdgeEntry): void => {
        if (entry.run === run && fits(entry)) found.resolve(entry)
      }
      const timer = setTimeout(
        () => found.reject(new Error(`no such entry of run ${run} came to the edge within a minute`)),
        60_000,
      )
      listeners.add(hear)
      return found.promise.finally(() => {
        listeners.delete(hear)
        clearTimeout(timer)
      })
    },
    async pull(run) {
      const entries: EdgeEntry[] = []
      for (;;) {
        const response = await poll(
          () =>
            fetch(`${url}/v1/runs/${run}/entries?from=${String(entries.length)}`, {
              headers: { authorization: `Bearer ${token}`, [headers.device]: device },
            }).catch(() => undefined),
          { timeoutMs: 60_000, message: () => `the edge does not answer at ${url}` },
        )
        if (!response.ok) throw new Error(`the edge refused to tell of run ${run}: ${await response.text()}`)
        const lines = splitLines(new Uint8Array(await response.arrayBuffer()))
        if (lines.length === 0) return entries
        entries.push(...lines.map((line) => entryOf(run, line)))
      }
    },
    changed,
    close() {
      closed = true
      for (const socket of sockets) socket.close()
    },
  }
}
