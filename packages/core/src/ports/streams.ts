import type { RunId } from '../ids.ts'

/** Text of a stream from a position on. */
export interface StreamText {
  /** The position of the first character, in UTF-16 units. */
  readonly at: number
  readonly text: string
}

/**
 * The side log of streams: the partial output of a step that has no outcome yet. A stream is named by the path of its
 * step and its reset count; its position counts UTF-16 units.
 */
export interface Streams {
  /** Adds text at `at`, which is the length so far; text that is there already is not added twice. */
  append(run: RunId, stream: string, chunk: StreamText): Promise<void>
  /** All text from a position on. */
  read(run: RunId, stream: string, from: number): Promise<StreamText>
  /** Forgets the text of these streams. */
  remove(run: RunId, streams: readonly string[]): Promise<void>
}
