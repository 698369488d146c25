import { edgeClient } from '@waystone/browser'
import { parseLine, parseOwnerId, parseRunId } from '@waystone/core'

/** What is known of an entry. */
export interface LogEntry {
  readonly seq: number
  readonly kind: string
  readonly owner: string
  readonly time: number
}

/** The entries of a run as they come to the edge, followed without any delay. */
export interface EntryLog {
  last(): number
  /** Resolves when an owner has added to a turn after a claim behind `after`: with the entries around that claim. */
  works(
    owner: string,
    after: number,
    msMax: number,
  ): Promise<{ source: LogEntry; claim: LogEntry; first: LogEntry }>
  close(): void
}

/** Follows a run at an edge. */
export function followLog(url: string, token: string, run: string): EntryLog {
  const entries: LogEntry[] = []
  let heard = Promise.withResolvers<void>()
  const me = parseOwnerId('the-benchmark')
  const { remote } = edgeClient({ url, token: () => token }, me)
  const follow = remote.follow(parseRunId(run), {
    as: me,
    from: () => entries.length,
    onEvent(event) {
      if (event.type !== 'lines') return
      for (const { seq, kind, owner, time } of event.lines.map((line) => parseLine(line)))
        if (seq === entries.length) entries.push({ seq, kind, owner, time })
      heard.resolve()
      heard = Promise.withResolvers()
    },
    onState: () => undefined,
  })
  const find = (owner: string, after: number) => {
    const claim = entries.find(
      ({ seq, kind, owner: its }) => seq > after && kind === 'claim' && its === owner,
    )
    const from = after < 0 ? entries[0] : claim
    const source = from && (entries[from.seq - 1] ?? from)
    const first = entries.find(
      ({ seq, kind, owner: its }) =>
        from && seq > from.seq && its === owner && (kind === 'step' || kind === 'turn' || kind === 'commit'),
    )
    return from && source && first && { source, claim: from, first }
  }
  return {
    last: () => entries.length - 1,
    async works(owner, after, msMax) {
      const deadline = Date.now() + msMax
      for (;;) {
        const found = find(owner, after)
        if (found) return found
        const late = AbortSignal.timeout(Math.max(1, deadline - Date.now()))
        await Promise.race([
          heard.promise,
          new Promise((_, reject) =>
            late.addEventListener('abort', () => reject(new Error(`${run} does not go on at ${owner}`))),
          ),
        ])
      }
    },
    close: () => follow.close(),
  }
}
