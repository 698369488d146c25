import type { Entry, RunStatus, RunView, Wait } from '@waystone/core'

/** What a run is doing, in words, and how it should look. */
export interface StatusLine {
  readonly text: string
  readonly tone: 'works' | 'waits' | 'stopped' | 'done'
}

type AnyView = Pick<
  RunView,
  'status' | 'live' | 'place' | 'owner' | 'pause' | 'reason' | 'turn' | 'asks' | 'due'
>

/** The status line of a run. `device` is this browser. */
export function statusLine(view: AnyView, entries: readonly Entry[], device: string): StatusLine {
  switch (view.status) {
    case 'done':
      return { text: 'Published', tone: 'done' }
    case 'failed':
      return { text: `Failed: ${view.reason ?? 'no reason was given'}`, tone: 'stopped' }
    case 'cancelled':
      return { text: 'Cancelled', tone: 'stopped' }
    case 'paused':
      return { text: pausedText(view), tone: 'stopped' }
    case 'moving':
      return { text: 'Moving', tone: 'works' }
    case 'waiting':
      return { text: waitText(view, device), tone: 'waits' }
    case 'running':
      return { text: workText(view, entries, device), tone: 'works' }
  }
}

/** True for a pause that a person asked for, whether the turn or a step of it was told. */
export function isInterrupted({ reason, error }: NonNullable<AnyView['pause']>): boolean {
  return reason === 'interrupted' || error.code === 'interrupted'
}

function pausedText({ pause }: AnyView): string {
  if (pause !== undefined && isInterrupted(pause)) return 'Interrupted'
  switch (pause?.reason) {
    case 'outcome':
      return 'Nobody knows yet whether the brief was published'
    case 'set aside':
      return 'Paused: some entries were set aside'
    case 'budget':
      return 'Paused: it has used its budget'
    case 'divergence':
      return 'Paused: its turn does not fit the code'
    case undefined:
      return 'Paused'
    default:
      return 'Paused: something went wrong'
  }
}

function waitText({ live, asks, due }: AnyView, device: string): string {
  const waits = live.calls.flatMap(({ waits }) => waits ?? [])
  const first = waits.find((wait) => wait.for !== 'answer') ?? waits[0]
  if (first !== undefined) return waitFor(first)
  if (asks.length > 0) return 'Waiting for your answer'
  if (due !== undefined) return 'Waiting for its time'
  return device === '' ? 'Waiting' : 'Waiting to go on'
}

function waitFor(wait: Wait): string {
  switch (wait.for) {
    case 'answer':
      return 'Waiting for your answer'
    case 'message':
      return 'Waiting for a message'
    case 'time':
      return `Waiting until ${new Date(wait.due).toLocaleTimeString()}`
    case 'place':
      return wait.at === 'edge'
        ? `Waiting for the edge: ${wait.need} is only there`
        : `Waiting for a place that has ${wait.need}`
    case 'child':
      return 'Waiting for a run that it started'
    case 'network':
      return 'Waiting for the edge to confirm'
  }
}

function workText({ live, turn, owner, place }: AnyView, entries: readonly Entry[], device: string): string {
  if (live.standing) return `Standing still: expected ${live.standing.expected}, found ${live.standing.found}`
  if (live.phase === 'catching up') return 'Picking up where it was'
  if (live.phase === 'idle' && owner !== device)
    return place === 'edge' ? 'Running at the edge' : 'Running on another device'
  const names = live.calls.map(({ path }) => path.split('/'))
  if (names.some((name) => name[1] === 'read')) {
    const [done, all] = readProgress(entries, turn)
    return all === 0
      ? 'Reading the sources'
      : `Reading ${String(Math.min(done + 1, all))} of ${String(all)} sources`
  }
  const last = names.at(-1)?.[1]
  const known: Readonly<Record<string, string>> = {
    sources: 'Listing the sources',
    passages: 'Cutting the sources into passages',
    rank: 'Looking for passages that answer',
    draft: 'Writing the draft',
    approve: 'Asking you',
    publish: 'Publishing',
    'brief.md': 'Filing the brief',
  }
  if (last !== undefined) return known[last] ?? `Running ${last}`
  return live.phase === 'idle' ? 'Ready to go on' : 'Working'
}

/** Sources read in this turn, and how many there are. */
export function readProgress(entries: readonly Entry[], turn: number): readonly [done: number, all: number] {
  let done = 0
  let all = 0
  for (const entry of entries) {
    if (entry.kind !== 'step') continue
    const [number, scope] = entry.body.path.split('/')
    if (number !== String(turn)) continue
    if (scope === 'read') done += 1
    if (scope === 'sources' && 'value' in entry.body.outcome && Array.isArray(entry.body.outcome.value))
      all = entry.body.outcome.value.length
  }
  return [done, all]
}

/** Where a run is, for people. */
export function ownerName(
  { owner, place }: Pick<RunView, 'owner' | 'place'>,
  device: string,
): 'The edge' | 'This browser' | 'Another device' {
  if (place === 'edge') return 'The edge'
  return owner === device ? 'This browser' : 'Another device'
}

/** A status in one word, for lists. */
export function statusWord(status: RunStatus): string {
  return {
    running: 'Running',
    waiting: 'Waiting',
    paused: 'Paused',
    moving: 'Moving',
    done: 'Done',
    failed: 'Failed',
    cancelled: 'Cancelled',
  }[status]
}

/** Milliseconds as people say them. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${String(Math.round(ms))} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`
  const minutes = Math.round(ms / 60_000)
  return minutes < 120 ? `${String(minutes)} min` : `${String(Math.round(minutes / 60))} h`
}

/** Bytes as people say them. */
export function byteSize(bytes: number): string {
  if (bytes < 1_000) return `${String(bytes)} B`
  return bytes < 1_000_000
    ? `${(bytes / 1_000).toFixed(bytes < 10_000 ? 1 : 0)} KB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** How long ago something was. */
export function ago(time: number, now: number): string {
  const ms = now - time
  return ms < 45_000 ? 'just now' : `${duration(ms)} ago`
}
