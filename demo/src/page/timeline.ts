import type { Entry, LiveCall, Place, RunHandle } from '@waystone/core'

/** One line of the timeline: an entry of the log, or a call under way. */
export interface Row {
  readonly key: string
  /** The entry it stands for; undefined for a call under way. */
  readonly seq: number | undefined
  readonly kind: string
  readonly name: string
  readonly detail: string | undefined
  readonly ms: number | undefined
  readonly bytes: number | undefined
  readonly place: Place
  readonly time: number
  readonly look: 'step' | 'once' | 'ask' | 'owner' | 'commit' | 'bad' | 'plain'
  /** Set while it runs or waits. */
  readonly live: 'runs' | 'waits' | undefined
}

/** The rows of one turn. */
export interface TurnRows {
  readonly turn: number
  readonly rows: readonly Row[]
}

/** Where the entries that are shown begin. */
export interface Began {
  readonly turn: number
  readonly place: Place
}

/** A run from its first entry on. */
export const fromTheStart: Began = { turn: 0, place: 'browser' }

/** Where the entries of a handle begin. */
export function beganOf(handle: Pick<RunHandle, 'entries' | 'checkpoints'>): Began {
  const [entry] = handle.entries()
  if (entry === undefined || entry.seq === 0) return fromTheStart
  const [checkpoint] = handle.checkpoints()
  if (checkpoint === undefined) return fromTheStart
  // After a commit the next turn is open.
  return { turn: checkpoint.turn - (entry.kind === 'commit' ? 1 : 0), place: checkpoint.place }
}

/** The newest turns of a run's timeline, so many at most, with what is under way at its end. */
export function timelineOf(
  entries: readonly Entry[],
  calls: readonly LiveCall[],
  open: number,
  began: Began,
  turnsMax = Infinity,
): readonly TurnRows[] {
  const turns: Row[][] = [[]]
  const from = startOfNewest(entries, turnsMax)
  let { place, turn: first } = from === 0 ? began : beganAt(entries, from, began)
  for (const entry of entries.slice(from)) {
    if (entry.kind === 'fork') first = entry.body.turn
    place = placeOf(entry) ?? place
    const row = rowOf(entry, place)
    if (row !== undefined) turns.at(-1)?.push(row)
    if (isBetween(entry)) turns.push([])
  }
  const rows = turns.map((list, index) => ({ turn: first + index, rows: list }))
  const last = rows.at(-1)
  if (last !== undefined && last.turn === open) {
    // A question that waits has an entry of its own already.
    const shown = calls.filter(({ waits }) => waits?.for !== 'answer')
    last.rows.push(...shown.map((call) => liveRow(call, place)))
  }
  return rows.filter(({ rows: list }) => list.length > 0)
}

/** Where the newest turns begin, so many at most: 0 when these are all. */
export function startOfNewest(entries: readonly Entry[], turnsMax: number): number {
  let turns = 0
  for (let at = entries.length; at > 0; at -= 1) {
    if (isBetween(entries[at - 1])) turns += 1
    if (turns === turnsMax) return at
  }
  return 0
}

/** Where entries from there on begin: behind one that ends a turn. */
function beganAt(entries: readonly Entry[], from: number, began: Began): Began {
  const before = entries[from - 1]
  const turn = before?.kind === 'commit' ? before.body.turn + 1 : began.turn
  for (let at = from - 1; at >= 0; at -= 1) {
    const place = placeOf(entries[at])
    if (place !== undefined) return { turn, place }
  }
  return { turn, place: began.place }
}

/** True for an entry that another turn follows. */
function isBetween(entry: Entry | undefined): boolean {
  return entry?.kind === 'commit' && entry.body.next.type === 'next'
}

/** Where the run is from this entry on, if it says so. */
function placeOf(entry: Entry | undefined): Place | undefined {
  switch (entry?.kind) {
    case 'start':
    case 'fork':
    case 'open':
    case 'claim':
      return entry.body.place
    default:
      return undefined
  }
}

function rowOf(entry: Entry, place: Place): Row | undefined {
  const row = (
    name: string,
    look: Row['look'],
    more: { detail?: string | undefined; ms?: number } = {},
  ): Row => ({
    key: entry.digest,
    seq: entry.seq,
    kind: entry.kind,
    name,
    detail: more.detail,
    ms: more.ms,
    bytes: entryBytes(entry),
    place,
    time: entry.time,
    look,
    live: undefined,
  })
  switch (entry.kind) {
    case 'start':
      return row('Run started', 'plain')
    case 'fork':
      return row('Forked', 'plain', { detail: `from entry ${String(entry.body.from.seq)} of another run` })
    case 'open':
      return row(entry.body.place === 'edge' ? 'Opened at the edge' : 'Opened again', 'owner', {
        detail: `term ${String(entry.term)}`,
      })
    case 'claim':
      return row(claimName(entry.body), 'owner', { detail: `epoch ${String(entry.epoch)}` })
    case 'turn':
    case 'snapshot':
    case 'put':
      return undefined
    case 'edit':
      return row('State edited', 'plain', { detail: `by ${entry.body.by}` })
    case 'step': {
      const failed = 'error' in entry.body.outcome
      const tries = entry.body.attempts > 1 ? `${String(entry.body.attempts)} tries` : undefined
      const detail = 'error' in entry.body.outcome ? entry.body.outcome.error.message : tries
      return row(pathName(entry.body.path), failed ? 'bad' : 'step', { ms: entry.body.ms, detail })
    }
    case 'once.start':
      return row(`${pathName(entry.body.path)}: started`, 'once', {
        detail: `key ${entry.body.key.slice(0, 8)}…`,
      })
    case 'once':
      return row(
        `${pathName(entry.body.path)}: ${'error' in entry.body.outcome ? 'failed' : 'done'}`,
        'once',
        { ms: entry.body.ms, detail: howKnown(entry.body.how) },
      )
    case 'ask':
      return row(pathName(entry.body.path), 'ask', { detail: 'asked' })
    case 'answer':
      return row(pathName(entry.body.path), 'ask', { detail: answerWords(entry.body.answer) })
    case 'commit':
      return row(`Turn ${String(entry.body.turn + 1)} committed`, 'commit', {
        detail: entry.body.next.type === 'done' ? 'the run is done' : undefined,
      })
    case 'pause':
      return row('Paused', 'bad', { detail: entry.body.error.message })
    case 'cancel':
      return row('Cancelled', 'bad', { detail: entry.body.reason })
    case 'retry':
      return row('Tried again', 'plain')
    case 'decide':
      return row('Decided', 'plain', { detail: entry.body.decision.type })
    case 'interrupt':
      return row('Interrupted', 'plain')
    case 'refuse':
      return row('Refused', 'plain', { detail: entry.body.reason })
    case 'receive':
      return row(`Received ${entry.body.name}`, 'ask')
    case 'drain':
      return row(`Received all of ${entry.body.name}`, 'ask', { detail: String(entry.body.items.length) })
    case 'race':
      return row(pathName(entry.body.path), 'step', { detail: `won by ${entry.body.winner}` })
    case 'label':
      return row(`Milestone: ${entry.body.label}`, 'commit')
    case 'spawn':
      return row(`${pathName(entry.body.path)}: started`, 'step', { detail: entry.body.agent })
    case 'join':
      return row(pathName(entry.body.path), 'error' in entry.body.outcome ? 'bad' : 'step')
    case 'unwind':
      return row(entry.body.goal === 'cancel' ? 'Cancelling' : 'Going back', 'plain', {
        detail: entry.body.undo ? 'taking its effects back first' : undefined,
      })
    case 'undo':
      return row(`${pathName(entry.body.path)}: taken back`, 'once')
    case 'rewind':
      return row('Back at an earlier point', 'owner', { detail: `entry ${String(entry.body.to.seq)}` })
    case 'migrate':
      return row(`Brought to version ${String(entry.body.to)}`, 'plain')
    case 'sleep':
    case 'wake':
      return row(pathName(entry.body.path), 'plain')
  }
}

function liveRow(call: LiveCall, place: Place): Row {
  const looks: Readonly<Record<string, Row['look']>> = { once: 'once', ask: 'ask' }
  return {
    key: `live ${call.path}`,
    seq: undefined,
    kind: call.kind,
    name: pathName(call.path),
    detail: call.waits === undefined && (call.attempt ?? 1) > 1 ? `try ${String(call.attempt)}` : undefined,
    ms: undefined,
    bytes: undefined,
    place,
    time: call.since,
    look: looks[call.kind] ?? 'step',
    live: call.waits === undefined ? 'runs' : 'waits',
  }
}

/** The names of a path without the number of its turn: `read 1 idb`. */
function pathName(path: string): string {
  const [, ...names] = path.split('/').map((name) => name.replaceAll('%2F', '/').replaceAll('%25', '%'))
  if (names[0] === 'read' && names[1] !== undefined) return `read ${names[1].replace(/^\d+ /, '')}`
  return names.join(' › ')
}

function claimName({ reason, place }: Extract<Entry, { kind: 'claim' }>['body']): string {
  const where = place === 'edge' ? 'to the edge' : 'to a browser'
  if (reason === 'moved') return `Moved ${where}`
  return reason === 'expired' ? 'Taken over: its owner was gone' : `Taken ${where} by force`
}

function howKnown(how: Extract<Entry, { kind: 'once' }>['body']['how']): string | undefined {
  return {
    ran: undefined,
    verified: 'the ledger was asked',
    decided: 'decided by a person',
    assumed: 'assumed',
  }[how]
}

function answerWords(answer: Extract<Entry, { kind: 'answer' }>['body']['answer']): string {
  if (answer.status === 'expired') return 'nobody answered'
  const { value } = answer
  return typeof value === 'object' && value !== null && 'approved' in value && value['approved'] === true
    ? 'approved'
    : 'sent back'
}

const sizes = new WeakMap<Entry, number>()
const encoder = new TextEncoder()

/** The stored bytes of an entry: its line, and its body when that is a blob. */
export function entryBytes(entry: Entry): number {
  const known = sizes.get(entry)
  if (known !== undefined) return known
  const { digest: _, ...line } = entry
  const bytes = encoder.encode(JSON.stringify(line)).byteLength
  sizes.set(entry, bytes)
  return bytes
}
