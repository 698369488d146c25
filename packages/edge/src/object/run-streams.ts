import {
  isEnded,
  limits,
  turnOfStream,
  type DueTime,
  type Fold,
  type RunId,
  type Streams,
  type StreamText,
} from '@waystone/core'
import type { SqlStreams, StreamExtent } from '../store/sql-streams.ts'

/** Text of the last turn of a run that has ended is kept this long, for readers that come back. In ms. */
const keepMs = 10 * 60_000

/** What a stream weighs beside its text, in characters: there are only so many, too. */
const streamChars = 1_000

/** What the streams of a run need beside their store. */
export interface StreamsPorts {
  readonly store: SqlStreams
  readonly fold: () => Fold | undefined
  /** When `forget` is to be called. */
  readonly forget: DueTime
}

/**
 * The streams of a run at the edge. A turn's text outlives its commit by one turn, since a reader that pulls it by a
 * cursor comes after: the last words of a stream, its outcome and the commit are often one moment.
 */
export class RunStreams implements Streams {
  readonly #ports: StreamsPorts
  /** How long streams are, once devices tell text; undefined when some were forgotten since. */
  #lengths: Map<string, number> | undefined
  /** What they weigh together. */
  #chars = 0

  constructor(ports: StreamsPorts) {
    this.#ports = ports
  }

  /** False for text of a device that is too much, alone or with what is here. */
  hasRoomFor(stream: string, { at, text }: StreamText): boolean {
    const length = at + text.length
    const lengths = (this.#lengths ??= this.#weigh())
    const others = this.#chars - weightOf(lengths.get(stream))
    if (length > limits.streamCharsMax || others + weightOf(length) > limits.liveTextCharsMax) return false
    lengths.set(stream, length)
    this.#chars = others + weightOf(length)
    return true
  }

  #weigh(): Map<string, number> {
    const { store } = this.#ports
    const lengths = new Map(store.names().map((stream) => [stream, store.extent(stream).length]))
    this.#chars = [...lengths.values()].reduce((sum, length) => sum + weightOf(length), 0)
    return lengths
  }

  append(run: RunId, stream: string, chunk: StreamText): Promise<void> {
    return this.#ports.store.append(run, stream, chunk)
  }

  read(run: RunId, stream: string, from: number): Promise<StreamText> {
    return this.#ports.store.read(run, stream, from)
  }

  /** A reset takes text back at once; the text of a turn that was committed goes with `settle`. */
  remove(run: RunId, streams: readonly string[]): Promise<void> {
    this.#lengths = undefined
    return this.#ports.store.remove(
      run,
      streams.filter((stream) => this.isOpen(stream)),
    )
  }

  /** The streams of the open turn that have text. */
  names(): readonly string[] {
    return this.#ports.store.names().filter((stream) => this.isOpen(stream))
  }

  /** Where a stream stands, for readers with a cursor. */
  extent(stream: string): StreamExtent {
    return this.#ports.store.extent(stream)
  }

  /** Some text from a position on, at most `charsMax` UTF-16 units; empty at the end. */
  page(stream: string, from: number, charsMax: number): string {
    return this.#ports.store.page(stream, from, charsMax)
  }

  /** True for a stream of the open turn, or of a later one whose entries are still on their way. */
  isOpen(stream: string): boolean {
    const fold = this.#ports.fold()
    return fold !== undefined && !isEnded(fold) && turnOfStream(stream) >= fold.turn
  }

  /** Forgets what is older than the turn that was committed last. */
  async settle(): Promise<void> {
    const { store, fold: foldNow, forget } = this.#ports
    const fold = foldNow()
    const names = store.names()
    if (fold === undefined || names.length === 0) return
    const kept = names.filter((stream) => turnOfStream(stream) >= fold.turn - 1)
    this.#lengths = undefined
    store.forget(names.filter((stream) => !kept.includes(stream)))
    if (isEnded(fold) && kept.length > 0) await forget.set(Date.now() + keepMs)
  }

  /** Forgets all streams but those of the open turn. */
  forget(): void {
    const { store } = this.#ports
    this.#lengths = undefined
    store.forget(store.names().filter((stream) => !this.isOpen(stream)))
  }
}

function weightOf(length: number | undefined): number {
  return length === undefined ? 0 : streamChars + length
}
