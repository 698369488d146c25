import { assert, isEnded, isSealed, parseLine, type Entry, type Fold } from '@waystone/core'
import type { EdgeRun } from '../object/edge-run.ts'
import { cursorId, hasRoom, type EventCursor } from './event-cursor.ts'
import { endOf, statusEvent, type RunEndEvent, type RunStatusEvent } from './run-status.ts'

/** An entry of the log in short. */
export interface EntryEvent {
  readonly seq: number
  readonly kind: string
  /** When it was sealed, in ms since 1970 at its writer. */
  readonly time: number
  /** The call it is about. */
  readonly path?: string
  /** For the outcome of a stream: how long its text is, in UTF-16 units. */
  readonly chars?: number
}

/** What a plain client hears, each with the id to come back with. */
export type RunEvent = { readonly id: string } & (
  | { readonly event: 'view'; readonly data: RunStatusEvent }
  | { readonly event: 'entry'; readonly data: EntryEvent }
  /** `at` in UTF-16 units: the length of what was told before. */
  | {
      readonly event: 'text'
      readonly data: { readonly stream: string; readonly at: number; readonly text: string }
    }
  /** The text of a stream was taken back: it begins anew. */
  | { readonly event: 'reset'; readonly data: { readonly stream: string } }
  | { readonly event: 'end'; readonly data: RunEndEvent }
)

/** What is read: the log, and the streams beside it. */
export type EventSource = Pick<EdgeRun, 'keeper' | 'changes' | 'streams'>

/** A while without an event is told after this long, in ms. */
const quietMs = 15_000
/** Text of one event at most, in UTF-16 units. */
const textCharsMax = 16_000

/**
 * The events of a run from a cursor on, until it ends or the signal fires. Everything is read from the store when it is
 * asked for, so a slow reader costs no memory. Text comes before the entry that records its stream, entries in order.
 */
export class RunEvents {
  readonly #source: EventSource
  readonly #cursor: EventCursor
  #shown = ''

  /** The cursor is the reader's from here on. */
  constructor(source: EventSource, cursor: EventCursor) {
    this.#source = source
    this.#cursor = cursor
  }

  /** `undefined` stands for a while without events. */
  async *read(
    signal: AbortSignal,
    isOver: () => boolean = () => false,
  ): AsyncGenerator<RunEvent | undefined> {
    const { keeper, changes } = this.#source
    const { log } = keeper
    while (!signal.aborted && !isOver()) {
      const { count } = changes
      yield* this.#view()
      yield* this.#entries()
      yield* this.#openTexts()
      const fold = log.mustFold()
      if (this.#cursor.seq < fold.head.seq) continue
      if (isEnded(fold)) {
        // The last entries may have come while others were told.
        yield* this.#view()
        this.#cursor.ended = true
        yield this.#event({ event: 'end', data: endOf(fold) })
        return
      }
      if (!(await changes.after(count, quietMs, signal))) yield undefined
    }
  }

  #event<const E extends object>(event: E): E & { readonly id: string } {
    return { ...event, id: cursorId(this.#cursor) }
  }

  *#view(): Generator<RunEvent> {
    const data = statusEvent(this.#source.keeper.log.mustFold(), this.#source.keeper.live)
    const shown = JSON.stringify(data)
    if (shown === this.#shown) return
    this.#shown = shown
    yield this.#event({ event: 'view', data })
  }

  async *#entries(): AsyncGenerator<RunEvent> {
    const { log } = this.#source.keeper
    for (;;) {
      // The store may be a moment ahead of the fold, which says what of the streams is recorded.
      const count = log.mustFold().head.seq - this.#cursor.seq
      const lines = count > 0 ? (await log.lines(this.#cursor.seq + 1)).slice(0, count) : []
      if (lines.length === 0) return
      for (const line of lines) yield* this.#entry(line)
    }
  }

  async *#entry(line: Uint8Array): AsyncGenerator<RunEvent> {
    const entry = await this.#resolved(line)
    const step = entry.kind === 'step' ? entry.body : undefined
    const stream = step?.stream
    if (stream) yield* this.#text(stream.stream)
    if (entry.kind === 'commit' || entry.kind === 'cancel') yield* this.#lastTexts()
    this.#cursor.seq = entry.seq
    // A step that failed may be run again, and its stream goes on then.
    if (stream && 'value' in step.outcome) this.#closed(stream.stream, stream.chars)
    const { seq, kind, time, body } = entry
    const path = 'path' in body ? { path: body.path } : {}
    const chars = stream ? { chars: stream.chars } : {}
    yield this.#event({ event: 'entry', data: { seq, kind, time, ...path, ...chars } })
  }

  /** An entry with its body, which may be a blob. */
  async #resolved(line: Uint8Array): Promise<Entry> {
    const stored = parseLine(line)
    // Of what is sealed only what stands in the open is told.
    if (stored.key !== undefined) return { ...stored, body: stored.body ?? {} } as unknown as Entry
    if (stored.bodyBlob === undefined) return stored as unknown as Entry
    const [entry] = await this.#source.keeper.log.entries(stored.seq, stored.seq)
    assert(entry !== undefined, `entry ${String(stored.seq)} was there, and is gone`)
    return entry
  }

  /** The text of streams whose outcome is not recorded, or came before the end of their text. */
  async *#openTexts(): AsyncGenerator<RunEvent> {
    const { keeper, streams } = this.#source
    const { log } = keeper
    const fold = log.mustFold()
    if (fold.head.seq !== this.#cursor.seq || isSealed(fold)) return
    const recorded = recordedIn(fold)
    const begun = this.#cursor.streams
    for (const stream of new Set([...begun.keys(), ...streams.names()])) {
      if (!begun.has(stream) && (recorded.has(stream) || !hasRoom(this.#cursor, stream))) continue
      yield* this.#text(stream)
      const chars = recorded.get(stream)
      if (chars !== undefined) this.#closed(stream, chars)
    }
  }

  /** A turn is over: what its streams had is told, then they are forgotten. */
  async *#lastTexts(): AsyncGenerator<RunEvent> {
    for (const stream of [...this.#cursor.streams.keys()]) yield* this.#text(stream)
    this.#cursor.streams.clear()
  }

  async *#text(stream: string): AsyncGenerator<RunEvent> {
    const { streams: store } = this.#source
    const { streams } = this.#cursor
    for (;;) {
      const { cuts, length } = store.extent(stream)
      // Its turn is over and its text forgotten, which takes nothing back.
      if (length === 0 && !store.isOpen(stream)) return
      const told = streams.get(stream)
      if (told && (told.cuts !== cuts || told.at > length)) {
        streams.set(stream, { cuts, at: 0 })
        yield this.#event({ event: 'reset', data: { stream } })
        continue
      }
      const at = told?.at ?? 0
      const text = store.page(stream, at, textCharsMax)
      if (text === '') return
      streams.set(stream, { cuts, at: at + text.length })
      yield this.#event({ event: 'text', data: { stream, at, text } })
    }
  }

  /** The outcome of a stream is known: nothing more comes once all was told. */
  #closed(stream: string, chars: number): void {
    const { streams: store } = this.#source
    const { streams } = this.#cursor
    if ((streams.get(stream)?.at ?? 0) >= chars || !store.isOpen(stream)) streams.delete(stream)
    else if (!streams.has(stream)) streams.set(stream, { cuts: store.extent(stream).cuts, at: 0 })
  }
}

/** The streams of the open turn whose value is recorded, with their length. */
function recordedIn(fold: Fold): ReadonlyMap<string, number> {
  return new Map(
    fold.records.flatMap((record) =>
      record.kind === 'step' && record.body.stream && 'value' in record.body.outcome
        ? [[record.body.stream.stream, record.body.stream.chars] as const]
        : [],
    ),
  )
}
