import {
  isEnded,
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

  constructor(ports: StreamsPorts) {
    this.#ports = ports
  }

  append(run: RunId, stream: string, chunk: StreamText): Promise<void> {
    return this.#ports.store.append(run, stream, chunk)
  }

  read(run: RunId, stream: string, from: number): Promise<StreamText> {
    return this.#ports.store.read(run, stream, from)
  }

  /** A reset takes text back at once; the text of a turn that was committed goes with `settle`. */
  remove(run: RunId, streams: readonly string[]): Promise<void> {
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
    store.forget(names.filter((stream) => !kept.includes(stream)))
    if (isEnded(fold) && kept.length > 0) await forget.set(Date.now() + keepMs)
  }

  /** Forgets all streams but those of the open turn. */
  forget(): void {
    const { store } = this.#ports
    store.forget(store.names().filter((stream) => !this.isOpen(stream)))
  }
}
