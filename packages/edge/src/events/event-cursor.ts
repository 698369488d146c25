import { WaystoneError } from '@waystone/core'

/** How far a reader has the text of one stream. */
export interface StreamCursor {
  /** How often its text had been taken back by then; see `StreamExtent`. */
  readonly cuts: number
  /** In UTF-16 units. */
  readonly at: number
}

/** How far a reader has a run: all that a server needs to go on where another one stopped. */
export interface EventCursor {
  /** The last entry it was told; -1 for none. */
  seq: number
  /** It was told the end. */
  ended: boolean
  /** The streams of the open turn that it has begun and may not have to their end. */
  readonly streams: Map<string, StreamCursor>
}

/** An id is also a header of a request, so it has to stay short. In characters. */
const idCharsMax = 4_000

/** A cursor as the id of an event: `seq`, then `;stream=cuts.at` for each stream, then `;end`. */
export function cursorId({ seq, ended, streams }: EventCursor): string {
  const texts = [...streams].map(([stream, { cuts, at }]) => streamId(stream, { cuts, at }))
  return [String(seq), ...texts, ...(ended ? ['end'] : [])].join(';')
}

/** A cursor from the id that a client sends back. The inverse of `cursorId`. Throws `request_refused`. */
export function parseCursor(id: string): EventCursor {
  const [first = '', ...rest] = id.split(';')
  const ended = rest.at(-1) === 'end'
  const streams = (ended ? rest.slice(0, -1) : rest).map((part): [string, StreamCursor] => {
    const match = /^([^=]+)=(\d{1,15})\.(\d{1,15})$/.exec(part)
    if (match === null) throw refused(id)
    return [decoded(match[1] as string, id), { cuts: Number(match[2]), at: Number(match[3]) }]
  })
  if (!/^(-1|\d{1,15})$/.test(first)) throw refused(id)
  return { seq: Number(first), ended, streams: new Map(streams) }
}

/** True when the id stays short with one stream more. */
export function hasRoom(cursor: EventCursor, stream: string): boolean {
  const digits = 15
  return cursorId(cursor).length + encodeURIComponent(stream).length + 2 * digits < idCharsMax
}

function streamId(stream: string, { cuts, at }: StreamCursor): string {
  return `${encodeURIComponent(stream)}=${String(cuts)}.${String(at)}`
}

function decoded(text: string, id: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refused(id)
  }
}

function refused(id: string): WaystoneError {
  return new WaystoneError(
    'request_refused',
    `expected the id of an event of this run in \`last-event-id\`, found "${id.slice(0, 80)}"`,
  )
}
