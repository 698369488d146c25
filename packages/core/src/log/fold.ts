import { assert, WaystoneError, type Action, type WireError } from '../errors.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { InboxKey } from '../ports/cipher.ts'
import type { Head, Place, RunStatus, RunSummary } from '../ports/log-store.ts'
import { decodeValue, encodeValue, type Value } from '../state/codec.ts'
import { applyDelta, parseDelta } from '../state/delta.ts'
import type {
  ArtifactNote,
  BlobNote,
  Bodies,
  CarriedRecord,
  CheckpointBody,
  EffectAfter,
  LabelNote,
  Gone,
  OnceNote,
  Outcome,
  PauseReason,
  Retention,
  RunIdentity,
  SnapshotNote,
} from './bodies.ts'
import { allowed, newBudget, withSpent, type RunBudget } from './budget.ts'
import { resolveResults } from './delta-refs.ts'
import type { Entry } from './entry.ts'
import { isSealed, openKinds } from './public-body.ts'
import { isSession } from './session-agent.ts'
import { withChanges, type KeyIndex } from './key-index.ts'
import { nameInPath } from './name-in-path.ts'
import { spentBy } from './spent-by.ts'

/** An entry of the open turn, as replay needs it. */
export type TurnRecord = {
  [K in Entry['kind']]: {
    readonly kind: K
    readonly body: Extract<Entry, { kind: K }>['body']
    readonly time: number
    readonly digest: Digest
    /** Who appended it; undefined for a record that a fork has carried along. */
    readonly owner: OwnerId | undefined
    /** Delivered when it is asked for, but replay does not insist on it: it lies after a record that runs again. */
    readonly inert: boolean
  }
}[Entry['kind']]

/** Why a run stands still until somebody acts, and what they can do. */
export interface Pause {
  readonly reason: PauseReason
  readonly error: WireError
  readonly actions: readonly Action[]
  readonly drop?: Digest
}

/**
 * A run as its log tells it up to `head`. Values are immutable and shared between folds; `consumed` is one growing
 * set shared by all folds of one log.
 */
export interface Fold {
  readonly run: RunId
  readonly head: Head
  readonly epoch: number
  readonly term: number
  readonly owner: OwnerId
  readonly place: Place
  readonly identity: RunIdentity
  /** The checkpoint of another run that this one was forked from. */
  readonly from: Bodies['fork']['from'] | undefined
  /** The run whose turn has started this one. A fork of a child has none. */
  readonly parent: RunId | undefined
  /** How many runs are above this one, where its first entry says so. */
  readonly depth: number | undefined
  /** Digest of the newest start, fork or rewind entry: part of every idempotency key. */
  readonly origin: Digest
  readonly started: number
  readonly updated: number
  /** When its owner began to write it, by the clock of whoever wrote that down; not later than what it has done since. */
  readonly writerSince: number
  /** The time of the entry that the open turn follows. */
  readonly turnBegan: number
  readonly state: Value
  /** The number of the open turn, which is the number of commits. */
  readonly turn: number
  readonly records: readonly TurnRecord[]
  /** `waiting` and `moving` are for the host to say; a log alone says running. */
  readonly status: Exclude<RunStatus, 'waiting' | 'moving'>
  /** When the next turn may start. */
  readonly due: number | undefined
  readonly pause: Pause | undefined
  readonly result: Value
  readonly reason: string | undefined
  readonly consumed: Set<string>
  /** Set while the run is on its way back. */
  readonly unwind: Bodies['unwind'] | undefined
  readonly effects: readonly EffectAfter[]
  /** The newest artifact of each name, as its step returned it. */
  readonly artifacts: readonly ArtifactNote[]
  /** The version of Waystone that wrote the newest entry that says so. */
  readonly sdk: string
  /** What that writer runs in, such as `chromium 156`; undefined where it does not say. */
  readonly host: string | undefined
  /** The versions that its application names; undefined where it names none. */
  readonly versions: Readonly<Record<string, string>> | undefined
  /** What was added since the newest snapshot was made: how many entries, and their bytes. */
  readonly since: SinceSnapshot
  /** The snapshots that are kept, by the entry they are of. */
  readonly snapshots: readonly SnapshotNote[]
  /** The effects that this run has started, as far back as it can go. */
  readonly onces: readonly OnceNote[]
  readonly labels: readonly LabelNote[]
  /** What is to be kept of the run, as its newest snapshot says; undefined: all of it. */
  readonly retention: Retention | undefined
  /** What the writer of an encrypted run has let go of, as its newest snapshot says. */
  readonly gone: Gone | undefined
  /** What entries that may still be there need; those of snapshots are not among it. */
  readonly blobs: readonly BlobNote[]
  /** The keyed records of a session: their values are in the entries. */
  readonly keys: KeyIndex
  /** The keys that this run is sealed with, the one of the newest entry last; none for a run that is not encrypted. */
  readonly sealedWith: readonly string[]
  /** For those who write to the inbox of an encrypted run. */
  readonly inbox: InboxKey | undefined
  /** The key that somebody else may have: it was about to be lent, or the owner has changed since. */
  readonly lent: string | undefined
  /** What the run may use and has used; undefined where that is not counted. */
  readonly budget: RunBudget | undefined
}

/** Entries and their bytes. */
export interface SinceSnapshot {
  readonly entries: number
  readonly bytes: number
}

/** True when nothing can be appended to a run any more. */
export function isEnded({ status }: { readonly status: RunStatus }): boolean {
  return status === 'done' || status === 'failed' || status === 'cancelled'
}

/** True for a kind of entries that may come after the end of a run: they add nothing to what it did. */
export function mayFollowEnd(kind: string): boolean {
  return kind === 'claim' || kind === 'open' || kind === 'snapshot'
}

/** What a list shows of a run. */
export function summaryOf(fold: Fold, live?: 'waiting'): RunSummary {
  return {
    run: fold.run,
    agent: fold.identity.agent,
    status: fold.status === 'running' && live ? live : fold.status,
    owner: fold.owner,
    place: fold.place,
    started: fold.started,
    updated: fold.updated,
  }
}

/**
 * Adds one entry to a fold; undefined stands for the empty log. Throws `log_damaged` when it does not follow. `state` is
 * what a commit makes of the state, for those who know it because they made its delta: it is not applied then.
 */
export function foldEntry(fold: Fold | undefined, entry: Entry, state?: Value): Fold {
  if (fold === undefined) return firstFold(entry)
  checkFollows(fold, entry)
  const next: Fold = {
    ...fold,
    head: { seq: entry.seq, digest: entry.digest },
    epoch: entry.epoch,
    term: entry.term,
    owner: entry.owner,
    updated: entry.time,
    sealedWith: withKey(fold.sealedWith, entry),
    inbox: inboxOf(entry) ?? fold.inbox,
    blobs: withBlobs(fold.blobs, entry),
    since: { entries: fold.since.entries + 1, bytes: fold.since.bytes + entry.size },
    budget: withSpentBy(fold.budget, entry),
  }
  switch (entry.kind) {
    case 'start':
    case 'fork':
      throw damaged(fold.run, `entry ${String(entry.seq)} starts a run that has started`)
    case 'open':
    case 'claim': {
      // Whatever a claim says, which anybody at the edge can write: what is new gets a key that nobody had before.
      const isLent = entry.kind === 'claim' || entry.body.reason === 'lending'
      const lent = isLent ? fold.sealedWith.at(-1) : fold.lent
      const { place, sdk, host, versions } = entry.body
      return { ...next, place, sdk, host, versions, writerSince: entry.time, lent }
    }
    case 'snapshot':
      return {
        ...next,
        updated: fold.updated,
        snapshots: withSnapshot(entry),
        retention: entry.body.retention,
        gone: entry.body.gone,
        since: sinceSnapshot(fold, entry),
      }
    case 'turn':
      return next
    case 'refuse':
      fold.consumed.add(entry.body.id)
      return { ...next, unwind: fold.unwind?.id === entry.body.id ? undefined : fold.unwind }
    case 'decide':
      fold.consumed.add(entry.body.id)
      return withRecord({ ...next, status: 'running', pause: undefined }, entry)
    case 'interrupt':
      fold.consumed.add(entry.body.id)
      return withRecord(next, entry)
    case 'receive':
      fold.consumed.add(entry.body.id)
      return withRecord(next, entry)
    case 'answer':
      if (entry.body.answer.status === 'answered') fold.consumed.add(entry.body.answer.id)
      return withRecord(next, entry)
    case 'drain':
      for (const { id } of entry.body.items) fold.consumed.add(id)
      return withRecord(next, entry)
    case 'step':
      return withRecord({ ...next, artifacts: withArtifact(fold.artifacts, entry) }, entry)
    case 'label': {
      const label = { label: entry.body.label, at: next.head }
      const labelled = { ...next, labels: [...fold.labels, label] }
      // Nothing of a session is replayed: it has no turn that a label could be a call of.
      return isSession(fold) ? labelled : withRecord(labelled, entry)
    }
    case 'once.start':
      return withRecord({ ...next, onces: withStart(fold.onces, entry) }, entry)
    case 'once': {
      const { start, outcome } = entry.body
      return withRecord(
        { ...next, onces: withNote(fold.onces, start, { outcome: smallOutcome(outcome) }) },
        entry,
      )
    }
    case 'race':
    case 'spawn':
    case 'join':
    case 'ask':
    case 'sleep':
    case 'wake':
      return withRecord(next, entry)
    case 'commit':
      return afterCommit(next, entry, state)
    case 'put':
      return { ...next, keys: afterPut(fold, entry) }
    case 'pause':
      return {
        ...next,
        status: 'paused',
        pause: entry.body,
        effects: [...fold.effects, ...(entry.body.effects ?? [])],
      }
    case 'retry':
      fold.consumed.add(entry.body.id)
      return {
        ...next,
        status: 'running',
        pause: undefined,
        records: withoutDropped(fold.records, entry.body.drop),
        budget: entry.body.budget ? allowed(fold.budget, entry.body.budget) : fold.budget,
      }
    case 'unwind':
      fold.consumed.add(entry.body.id)
      return { ...next, status: 'running', pause: undefined, due: undefined, unwind: entry.body }
    case 'undo':
      return { ...next, onces: withNote(fold.onces, entry.body.start, { undone: true }) }
    case 'rewind':
      return {
        ...next,
        ...atCheckpoint(entry.body),
        identity: { ...fold.identity, version: entry.body.version },
        origin: entry.digest,
        turnBegan: entry.time,
        unwind: undefined,
        blobs: withArtifactsOf(next.blobs, entry),
        keys: entry.body.keys ?? [],
      }
    case 'edit':
      return {
        ...next,
        state: state ?? applyDelta(fold.state, parseDelta(entry.body.delta)),
        turnBegan: entry.time,
      }
    case 'migrate':
      return {
        ...next,
        identity: { ...fold.identity, version: entry.body.to, config: entry.body.config },
        state: state ?? applyDelta(fold.state, parseDelta(entry.body.delta)),
        turnBegan: entry.time,
      }
    case 'cancel':
      fold.consumed.add(entry.body.id)
      return {
        ...next,
        unwind: undefined,
        status: 'cancelled',
        pause: undefined,
        due: undefined,
        reason: entry.body.reason,
      }
    default:
      // A kind of a later Waystone: a host that does not own the run stores and forwards it.
      return next
  }
}

/** Adds entries to a fold, one after the other; undefined stands for the empty log. `state` as in `foldEntry`. */
export function foldEntries(
  fold: Fold | undefined,
  entries: readonly Entry[],
  state?: Value,
): Fold | undefined {
  return entries.reduce((at, entry) => foldEntry(at, entry, state), fold)
}

function inboxOf({ key, inbox }: Entry): InboxKey | undefined {
  return key === undefined || inbox === undefined ? undefined : { key, publicKey: inbox }
}

function withKey(known: readonly string[], { key }: Entry): readonly string[] {
  if (key === undefined || key === known.at(-1)) return known
  return [...known.filter((one) => one !== key), key]
}

function firstFold(entry: Entry): Fold {
  if ((entry.kind !== 'start' && entry.kind !== 'fork') || entry.seq !== 0) {
    throw damaged(
      entry.run,
      `expected it to begin with a start or fork entry, found entry ${String(entry.seq)} "${entry.kind}"`,
    )
  }
  const { agent, version, config, input, place, whenGone, leaseMs } = entry.body
  return {
    run: entry.run,
    head: { seq: 0, digest: entry.digest },
    epoch: entry.epoch,
    term: entry.term,
    owner: entry.owner,
    place,
    identity: { agent, version, config, input, place, whenGone, leaseMs },
    from: entry.kind === 'fork' ? entry.body.from : undefined,
    parent: entry.kind === 'start' ? entry.body.parent : undefined,
    depth: entry.kind === 'start' ? entry.body.depth : undefined,
    origin: entry.digest,
    started: entry.time,
    updated: entry.time,
    writerSince: entry.time,
    turnBegan: entry.time,
    ...atCheckpoint(entry.kind === 'fork' ? entry.body : { ...atStart, state: entry.body.state }),
    result: undefined,
    reason: undefined,
    consumed: new Set(),
    unwind: undefined,
    artifacts: entry.kind === 'fork' ? (entry.body.artifacts ?? []) : [],
    sdk: entry.body.sdk,
    host: entry.body.host,
    versions: entry.body.versions,
    since: { entries: 1, bytes: entry.size },
    snapshots: [],
    onces: [],
    labels: [],
    retention: undefined,
    gone: undefined,
    blobs: withBlobs([], entry),
    keys: [],
    sealedWith: withKey(entry.kind === 'fork' ? (entry.body.sealedWith ?? []) : [], entry),
    lent: undefined,
    inbox: inboxOf(entry),
    budget: entry.kind === 'fork' ? entry.body.budget : entry.body.budget && newBudget(entry.body.budget),
  }
}

const atStart = { turn: 0, records: [], effects: [] } as const

function atCheckpoint({ state, turn, records, effects }: CheckpointBody) {
  return {
    state: decodeValue(state),
    turn,
    records: records.map(carriedRecord),
    effects,
    status: 'running',
    due: undefined,
    pause: undefined,
  } as const
}

function afterCommit(fold: Fold, entry: Extract<Entry, { kind: 'commit' }>, state?: Value): Fold {
  const { delta, next, turn } = entry.body
  if (turn !== fold.turn)
    throw damaged(
      fold.run,
      `entry ${String(entry.seq)} commits turn ${String(turn)}, expected ${String(fold.turn)}`,
    )
  const committed = {
    ...fold,
    state: state ?? applyDelta(fold.state, parseDelta(resolveResults(delta, fold.records))),
    turn: turn + 1,
    turnBegan: entry.time,
    records: [],
    due: next.type === 'next' ? next.due : undefined,
  }
  if (next.type === 'done') return { ...committed, status: 'done', result: decodeValue(next.result) }
  if (next.type === 'fail') return { ...committed, status: 'failed', reason: next.reason }
  return committed
}

function withSpentBy(budget: RunBudget | undefined, entry: Entry): RunBudget | undefined {
  const spent = budget && spentBy(entry)
  return spent ? withSpent(budget, spent) : budget
}

function afterPut({ run, keys }: Fold, { seq, body }: Extract<Entry, { kind: 'put' }>): KeyIndex {
  const after = withChanges(keys, body.changes, seq)
  if (after) return after
  throw damaged(run, `entry ${String(seq)} puts a value like one that is not there`)
}

function withBlobs(
  notes: readonly BlobNote[],
  { kind, seq, blobs, bodyBlob, encBlob }: Entry,
): readonly BlobNote[] {
  if (blobs === undefined || kind === 'snapshot') return notes
  const artifact =
    (kind === 'step' || kind === 'fork') && blobs.some((hash) => hash !== bodyBlob && hash !== encBlob)
  return [...notes, { seq, hashes: blobs, ...(artifact ? { artifact } : {}) }]
}

/** All in which a checkpoint may name a blob, as JSON. */
export function namesIn(fold: Fold): unknown {
  const { state, result, identity, artifacts, records, effects, onces, unwind } = fold
  return [encodeValue(state), encodeValue(result), identity, artifacts, records, effects, onces, unwind]
}

/** Those of the notes whose artifacts JSON names, in which a checkpoint is: it needs them. */
export function artifactNotesIn(notes: readonly BlobNote[], checkpoint: unknown): readonly BlobNote[] {
  const artifacts = notes.filter(({ artifact }) => artifact)
  const text = artifacts.length === 0 ? '' : JSON.stringify(checkpoint)
  return artifacts.filter(({ hashes }) => hashes.some((hash) => text.includes(hash)))
}

/** The blobs of those artifacts of a run that JSON names, in which a checkpoint is: it needs them, too. */
export function artifactsIn({ blobs }: Pick<Fold, 'blobs'>, checkpoint: unknown): readonly Digest[] {
  return [...new Set(artifactNotesIn(blobs, checkpoint).flatMap(({ hashes }) => hashes))]
}

/** A checkpoint that a run is back at has artifacts of entries that may go before it does. */
function withArtifactsOf(
  notes: readonly BlobNote[],
  { seq, body }: Extract<Entry, { kind: 'rewind' }>,
): readonly BlobNote[] {
  const hashes = artifactsIn({ blobs: notes }, body)
  return hashes.length === 0 ? notes : [...notes, { seq, hashes, artifact: true }]
}

/** After a snapshot: what came while it was written still counts, at its share. */
function sinceSnapshot({ since, head }: Fold, { body }: Extract<Entry, { kind: 'snapshot' }>): SinceSnapshot {
  const entries = head.seq - body.at.seq
  // One of an earlier checkpoint, for its label.
  if (entries >= since.entries) return since
  return { entries, bytes: Math.round((since.bytes * entries) / since.entries) }
}

/** The snapshots that are kept beside this one, by the entry they are of. */
function withSnapshot(entry: Extract<Entry, { kind: 'snapshot' }>): readonly SnapshotNote[] {
  const { fold: _, retention: __, gone: ___, kept, ...note } = entry.body
  const all = [...kept, { ...note, entry: { seq: entry.seq, digest: entry.digest } }]
  return all.sort((a, b) => a.at.seq - b.at.seq)
}

/** One note for each key, however often its effect was started. */
function withStart(
  onces: readonly OnceNote[],
  { seq, digest, body }: Extract<Entry, { kind: 'once.start' }>,
): readonly OnceNote[] {
  const { path, key } = body
  const before = onces.find((once) => once.key === key)
  const { undone: _, ...known } = before ?? { path, key, starts: [] }
  return [...onces.filter((once) => once !== before), { ...known, seq, starts: [...known.starts, digest] }]
}

function withNote(
  onces: readonly OnceNote[],
  start: Digest,
  note: Partial<Pick<OnceNote, 'outcome' | 'undone'>>,
): readonly OnceNote[] {
  return onces.map((once) =>
    once.starts.includes(start) || once.key === start ? { ...once, ...note } : once,
  )
}

/** What a person is shown of an outcome; a large value is in its entry. */
function smallOutcome(outcome: Outcome): Outcome {
  return JSON.stringify(outcome).length <= 2_000 ? outcome : { value: { $: 'undefined' } }
}

function withArtifact(
  artifacts: readonly ArtifactNote[],
  { body, blobs }: Extract<Entry, { kind: 'step' }>,
): readonly ArtifactNote[] {
  const value = blobs && 'value' in body.outcome ? (body.outcome.value as Partial<ArtifactNote> | null) : null
  if (typeof value?.hash !== 'string' || typeof value.name !== 'string') return artifacts
  return [...artifacts.filter(({ name }) => name !== value.name), value as ArtifactNote]
}

function withRecord(fold: Fold, entry: Entry): Fold {
  const { kind, body, time, digest, owner } = entry
  const record = { kind, body, time, digest, owner, inert: false } as TurnRecord
  // A turn may have 20,000 of them: this copies several times faster than spreading does.
  return { ...fold, records: fold.records.concat(record) }
}

/** The beginnings of the paths in which nothing goes on after this record: those of a race's losers. */
export function lostScopes(record: TurnRecord): readonly string[] {
  if (record.kind !== 'race') return []
  const { path, losers } = record.body
  return losers.map((loser) => `${path}/${nameInPath(loser)}/`)
}

function withoutDropped(records: readonly TurnRecord[], drop: Digest | undefined): readonly TurnRecord[] {
  const at = drop === undefined ? -1 : records.findIndex((record) => record.digest === drop)
  if (at < 0) return records
  return [...records.slice(0, at), ...records.slice(at + 1).map((record) => ({ ...record, inert: true }))]
}

function carriedRecord(record: CarriedRecord): TurnRecord {
  return { ...record, owner: undefined, inert: false } as unknown as TurnRecord
}

function checkFollows(fold: Fold, entry: Entry): void {
  assert(entry.run === fold.run, `an entry of run ${entry.run} was folded into run ${fold.run}`)
  if (entry.seq !== fold.head.seq + 1 || entry.prev !== fold.head.digest) {
    throw damaged(
      fold.run,
      `expected entry ${String(fold.head.seq + 1)} after ${fold.head.digest}, found entry ${String(entry.seq)}`,
    )
  }
  const claims = entry.kind === 'claim'
  const opens = entry.kind === 'open'
  if (entry.epoch !== fold.epoch + (claims ? 1 : 0) || (!claims && entry.owner !== fold.owner)) {
    throw damaged(fold.run, `entry ${String(entry.seq)} changes the owner without a claim`)
  }
  if (entry.term !== fold.term + (opens ? 1 : 0))
    throw damaged(fold.run, `entry ${String(entry.seq)} changes the term without opening`)
  if (isSealed(fold) && entry.key === undefined && !openKinds.has(entry.kind))
    throw damaged(fold.run, `entry ${String(entry.seq)} is not sealed, as all of this run is`)
  if (entry.key !== undefined && fold.sealedWith.slice(0, -1).includes(entry.key))
    throw damaged(fold.run, `entry ${String(entry.seq)} goes back to key ${entry.key}, which was given up`)
  if (isEnded(fold) && !mayFollowEnd(entry.kind))
    throw damaged(fold.run, `entry ${String(entry.seq)} follows the end of the run`)
}

function damaged(run: RunId, why: string): WaystoneError {
  return new WaystoneError('log_damaged', `the log of run ${run} is damaged: ${why}`, {
    run,
    actions: ['reload'],
  })
}
