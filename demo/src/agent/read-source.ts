import type { FetchText, Source } from './types.ts'

/** What is kept of one source, in characters. */
const sourceCharsMax = 200_000

/** A source as it was read. */
export interface ReadSource {
  readonly text: string
  /** Media type, or the file's name: says how to cut it. */
  readonly type: string
  readonly note?: string
}

/** Reads a source; a long one is cut, and the note says so. */
export async function readSource(
  source: Source,
  fetchText: FetchText,
  signal: AbortSignal,
): Promise<ReadSource> {
  const { text, type } = source.kind === 'file' ? source : await fetchText(source.url, signal)
  // A name says more than the media type of servers that call everything plain text.
  const name = source.kind === 'file' ? source.name : (source.url.split(/[?#]/, 1)[0] ?? '')
  const kind = /\.(md|mdx|markdown|html?)$/i.exec(name)?.[0] ?? type
  if (text.length <= sourceCharsMax) return { text, type: kind }
  const read = `only the first ${String(sourceCharsMax / 1_000)},000 of ${text.length.toLocaleString('en')} characters were read`
  return { text: text.slice(0, sourceCharsMax), type: kind, note: read }
}
