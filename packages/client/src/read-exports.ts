import { fromWire, WaystoneError } from '@waystone/core'

/** A part of the export of several runs. */
export type ExportPart =
  /** A line of the export of one run, without its line end: to be kept in a file of that run. */
  | { readonly type: 'line'; readonly run: string; readonly line: string }
  /** A run that could not be exported, or not to its end: what came of it before is not all. */
  | { readonly type: 'failed'; readonly run: string; readonly error: WaystoneError }
  /** All has come; `next` is there when there are more runs: the `after` of the next call. */
  | { readonly type: 'end'; readonly runs: number; readonly next?: string }

/**
 * Reads what `/v1/export` gives, line by line, so that no more than one is in memory. Rejects with `unreachable` when it
 * broke off: go on `after` the last run that came whole, which is the one before the last.
 *
 * ```ts
 * const stream = await edge.get('/v1/export', { params: { query: { limit: 100 } } })
 * // A run begins with a line of kind `export`: begin a new file there.
 * for await (const part of readExports(stream)) if (part.type === 'line') await write(part.run, part.line)
 * ```
 */
export async function* readExports(stream: ReadableStream<Uint8Array>): AsyncGenerator<ExportPart, void> {
  let run = ''
  for await (const line of linesOf(stream)) {
    if (line === '') continue
    const about = headOf(line)
    if (about.kind === 'export') run = about.run
    if (about.kind === 'end') {
      const { runs, next } = about
      yield { type: 'end', runs, ...(next === undefined ? {} : { next }) }
      return
    }
    if (about.kind === 'failed') yield { type: 'failed', run: about.run, error: fromWire(about.error) }
    else yield { type: 'line', run, line }
  }
  throw new WaystoneError('unreachable', `an export broke off in run "${run}"`, { actions: ['retry'] })
}

type Line =
  | { readonly kind: 'export'; readonly run: string }
  | { readonly kind: 'failed'; readonly run: string; readonly error: unknown }
  | { readonly kind: 'end'; readonly runs: number; readonly next?: string }
  | { readonly kind: 'entry' }

/** What a line is. Entries come from devices, of any kind: what makes them entries is that they have a place in a log. */
function headOf(line: string): Line {
  if (!line.startsWith('{"kind":')) return { kind: 'entry' }
  const about = JSON.parse(line) as Line & { readonly seq?: unknown }
  return about.seq === undefined ? about : { kind: 'entry' }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const reader = stream.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      rest += decoder.decode(value, { stream: true })
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
