import type { Digest } from '../ids.ts'
import type { Json } from '../json.ts'
import type { Bodies, EntryKind, Outcome, RunIdentity, SnapshotNote } from './bodies.ts'
import type { WatchEvent } from '../ports/watch.ts'
import type { Fold } from './fold.ts'

/**
 * What stands in the open of a sealed entry: enough to keep its run in order without a key, and nothing that an agent or a
 * person has said. It has the form of a whole body, with nothing where something secret was. What a later version adds to
 * a body is secret unless it is named here.
 */
export function publicBody<K extends EntryKind>(kind: K, body: Bodies[K]): Bodies[K] {
  return shown[kind](body)
}

/** Kinds of which nothing is secret: they are not sealed, and the edge writes them without a key. */
export const openKinds: ReadonlySet<string> = new Set<EntryKind>(['open', 'claim'])

const nothing = null
const gone: Outcome = { value: { $: 'undefined' } }
const noDigest = '0'.repeat(64) as Digest

const shown: { readonly [K in EntryKind]: (body: Bodies[K]) => Bodies[K] } = {
  start: (body) => ({
    ...identityOf(body),
    ...writtenOf(body),
    state: nothing,
    ...(body.parent === undefined ? {} : { parent: body.parent }),
    ...(body.depth === undefined ? {} : { depth: body.depth }),
  }),
  fork: (body) => ({
    ...identityOf(body),
    ...writtenOf(body),
    state: nothing,
    turn: body.turn,
    records: [],
    effects: [],
    from: body.from,
    ...(body.sealedWith ? { sealedWith: body.sealedWith } : {}),
  }),
  open: (body) => body,
  claim: (body) => body,
  turn: ({ turn, rules, version }) => ({ turn, rules, version, config: noDigest }),
  step: ({ attempts, ms }) => ({ path: '', attempts, ms, outcome: gone }),
  'once.start': ({ timeoutMs, place }) => ({ path: '', key: '', timeoutMs, place }),
  once: ({ start, ms, how }) => ({ path: '', start, ms, outcome: gone, how }),
  ask: ({ due }) => ({ path: '', input: noDigest, question: nothing, ...(due === undefined ? {} : { due }) }),
  answer: ({ ask, answer }) => ({
    path: '',
    ask,
    answer:
      answer.status === 'expired'
        ? answer
        : { status: 'answered', id: answer.id, value: nothing, by: answer.by },
  }),
  receive: ({ id, by }) => ({ path: '', name: '', id, value: nothing, by }),
  drain: ({ items }) => ({
    path: '',
    name: '',
    items: items.map(({ id, by }) => ({ id, value: nothing, by })),
  }),
  sleep: ({ due }) => ({ path: '', due }),
  wake: () => ({ path: '' }),
  spawn: ({ child, agent, attempts, due }) => ({
    path: '',
    child,
    agent,
    given: nothing,
    attempts,
    ...(due === undefined ? {} : { due }),
  }),
  join: ({ child }) => ({ path: '', child, outcome: gone }),
  race: () => ({ path: '', winner: '', losers: [] }),
  label: () => ({ path: '', label: '' }),
  refuse: ({ id, type }) => ({ id, type, reason: '' }),
  decide: ({ id, by, start }) => ({ id, by, start, decision: { type: 'failed', message: '' } }),
  interrupt: ({ id, by }) => ({ id, by }),
  commit: ({ turn, rules, version, next, by }) => ({
    turn,
    rules,
    version,
    delta: [],
    next: next.type === 'next' ? next : endOf(next.type),
    ...(by === undefined ? {} : { by }),
  }),
  put: ({ by }) => ({ by, changes: [] }),
  pause: ({ reason, error, actions, drop }) => ({
    reason,
    error: { code: error.code, message: '' },
    actions,
    ...(drop === undefined ? {} : { drop }),
  }),
  retry: ({ id, by, drop }) => ({ id, by, ...(drop === undefined ? {} : { drop }) }),
  cancel: ({ id, by }) => ({ id, by, reason: '' }),
  unwind: ({ id, by, to, undo, goal }) => ({ id, by, to, undo, goal }),
  undo: ({ start }) => ({ path: '', start, outcome: gone }),
  rewind: ({ turn, version, id, by, to }) => ({
    state: nothing,
    turn,
    records: [],
    effects: [],
    version,
    id,
    by,
    to,
  }),
  snapshot: ({ at, turn, time, bytes, chars, label, kept, gone }) => ({
    at,
    turn,
    time,
    bytes,
    chars,
    ...unworded(label),
    kept: kept.map(unnamed),
    fold: nothing,
    ...(gone === undefined ? {} : { gone }),
  }),
  edit: ({ by }) => ({ by, delta: [] }),
  migrate: ({ from, to }) => ({ from, to, config: noDigest, delta: [] }),
}

function unnamed({ entry, at, turn, time, bytes, chars, label }: SnapshotNote): SnapshotNote {
  return { entry, at, turn, time, bytes, chars, ...unworded(label) }
}

/** That there is a label is told, which it is not. */
function unworded(label: string | undefined): Pick<SnapshotNote, 'label'> {
  return label === undefined ? {} : { label: '' }
}

/** True for an encrypted run. */
export function isSealed(fold: Pick<Fold, 'sealedWith'> | undefined): boolean {
  return fold !== undefined && fold.sealedWith.length > 0
}

/** What those are told of a run who may have no key: of an encrypted one that something goes on; undefined for nothing. */
export function shownEvent(fold: Fold | undefined, event: WatchEvent): WatchEvent | undefined {
  if (!isSealed(fold)) return event
  if (event.type === 'stream') return undefined
  return event.type === 'live' ? { type: 'live', live: { phase: event.live.phase, calls: [] } } : event
}

/** A run as whoever looks on by leave of the edge sees it, whom nobody gave a key. */
export function shownFold(fold: Fold): Fold {
  return isSealed(fold) ? publicFold(fold) : fold
}

/** A run as those see it who have no key, for the open part of its snapshots. */
export function publicFold(fold: Fold): Fold {
  return {
    ...fold,
    ...(isOpened(fold) ? {} : { host: undefined, versions: undefined }),
    identity: identityOf(fold.identity),
    state: null,
    result: undefined,
    reason: fold.reason === undefined ? undefined : '',
    records: fold.records.map((record) => ({
      ...record,
      body: publicBody(record.kind, record.body as never),
    })) as unknown as Fold['records'],
    pause: fold.pause && publicBody('pause', fold.pause),
    unwind: fold.unwind && publicBody('unwind', fold.unwind),
    effects: [],
    artifacts: [],
    onces: [],
    labels: fold.labels.map(({ at }) => ({ label: '', at })),
    keys: [],
    budget: undefined,
  }
}

/** True once an entry has said in the open who writes: what the first one says of that is sealed in it. */
function isOpened({ epoch, term }: Fold): boolean {
  return epoch > 0 || term > 1
}

function identityOf({ agent, version, place, whenGone, leaseMs }: RunIdentity): RunIdentity {
  return { agent, version, config: noDigest, input: nothing, place, whenGone, leaseMs }
}

function writtenOf({ nonce, sdk }: Bodies['start'] | Bodies['fork']) {
  return { nonce, sdk }
}

function endOf(type: 'done' | 'fail'): Bodies['commit']['next'] {
  return type === 'done' ? { type, result: (gone as { readonly value: Json }).value } : { type, reason: '' }
}
