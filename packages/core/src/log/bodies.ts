import type { Action, WireError } from '../errors.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { Json } from '../json.ts'
import type { Budget, Decision } from '../ports/inbox.ts'
import type { Head, Place } from '../ports/log-store.ts'
import type { RunBudget } from './budget.ts'
import type { KeyIndex } from './key-index.ts'

/** What a run is, as its first entry says it. */
export interface RunIdentity {
  readonly agent: string
  readonly version: number
  /** SHA-256 of the agent's configuration. */
  readonly config: Digest
  readonly input: Json
  readonly place: Place
  /** What happens when the owner is gone: `offer` waits for a person, `edge` lets the edge take over. */
  readonly whenGone: 'offer' | 'edge'
  /** How long an owner may be silent before it counts as gone, in ms. */
  readonly leaseMs: number
}

/** An outcome as recorded: a value in encoded form, or an error. */
export type Outcome = { readonly value: Json } | { readonly error: WireError }

/** How a turn ended. */
export type Next =
  | { readonly type: 'next'; readonly due?: number }
  | { readonly type: 'done'; readonly result: Json }
  | { readonly type: 'fail'; readonly reason: string }

/** A `once` effect that lies after the checkpoint a fork starts from. */
export interface EffectAfter {
  readonly path: string
  readonly key: string
  readonly outcome?: Outcome
  /**
   * Of one whose path and key did not fit together when its start was read, since that is damaged: the key that was read, and
   * what keys were made from then. `key` is the one that the path has.
   */
  readonly read?: { readonly key: Digest; readonly origin: Digest }
}

/** A record of an open turn as a fork carries it along: the entry's kind, body and time. */
export interface CarriedRecord {
  readonly kind: EntryKind
  readonly time: number
  readonly digest: Digest
  readonly body: Json
}

/** What entries that make somebody a writer say of it: a nonce, the version of Waystone, and what it runs in and with. */
export interface Written {
  readonly nonce: string
  readonly sdk: string
  /** Such as `chromium 156`; absent where that is not known. */
  readonly host?: string
  /** Of what the application depends on, by names that it gives. */
  readonly versions?: Readonly<Record<string, string>>
}

/** What counts for the budget of a run beside its steps; of a race what its losers have used and not recorded. */
export interface Used {
  /** How long bodies ran since the record before this one, in ms, when that is not `ms`. */
  readonly worked?: number
  /** What the body has reported. */
  readonly cost?: number
}

/** A place in a log to go on from, with nothing before it needed. */
export interface CheckpointBody {
  readonly state: Json
  readonly turn: number
  /** Of the open turn. */
  readonly records: readonly CarriedRecord[]
  /** The `once` effects that lie after it: reaching one of them asks first. */
  readonly effects: readonly EffectAfter[]
}

/** How much of a run's history is kept. What one of them asks for stays, whatever the others say. */
export interface Retention {
  /** The newest turns. */
  readonly turns: number
  /** Entries of the last so many milliseconds. */
  readonly ms: number
  /** Checkpoints with a label. */
  readonly labels: boolean
}

/** What has gone of a run's history where its writer keeps it: who cannot read the run keeps no more of it. */
export interface Gone {
  /** Entries before this one, and what only they needed. */
  readonly before: number
  /** What they needed, and others need still: blobs of artifacts. */
  readonly but: readonly Digest[]
}

/** A snapshot as later entries know it: their digests prove it when what is around it was let go. */
export interface SnapshotNote {
  /** Its entry. */
  readonly entry: Head
  /** The entry that it is of. */
  readonly at: Head
  /** The turn that was open there. */
  readonly turn: number
  /** Of the entry that it is of, in ms since 1970. */
  readonly time: number
  /** All of it, chunks included. */
  readonly bytes: number
  /** What its chunks have about, in characters. */
  readonly chars: number
  /** The label of the checkpoint, for which it is kept. */
  readonly label?: string
  /** The first entry that the keyed records need that were there. */
  readonly oldest?: number
}

/** A keyed value by the entry that put it. */
export interface ValueAt {
  readonly key: string
  readonly seq: number
}

/** What a `put` does to one key: a value in encoded form, what makes it of another one, or that there is none any more. */
export type KeyChange =
  | { readonly key: string; readonly value: Json }
  | { readonly key: string; readonly delta: Json; readonly like: ValueAt }
  | { readonly key: string; readonly gone: true }

/** A `once` effect that was started, however often. */
export interface OnceNote extends EffectAfter {
  /** Of the newest entry that starts it. */
  readonly seq: number
  /** Entries name an effect by one of these as its `start`, and after a way back by its key. */
  readonly starts: readonly Digest[]
  readonly undone?: true
}

/** A named blob that people see. */
export interface ArtifactNote {
  readonly name: string
  readonly type: string
  readonly hash: string
  readonly bytes: number
  /** The size of its parts, when it is stored in parts. */
  readonly part?: number
}

/** The blobs that an entry needs. */
export interface BlobNote {
  readonly seq: number
  readonly hashes: readonly Digest[]
  /** Its artifact's bytes are among them: a state may hold on to these. */
  readonly artifact?: true
}

/** A checkpoint with a name. */
export interface LabelNote {
  readonly label: string
  readonly at: Head
}

/** Text of a stream by its position, in the chain through the outcome of its step. */
export interface StreamDigest {
  readonly stream: string
  readonly chars: number
  readonly digest: Digest
}

/**
 * The body of each kind of entry. A kind's meaning never changes; a new meaning is a new kind. Kinds that make somebody a
 * writer carry a nonce: without it two hosts could seal the same bytes in the same millisecond, and since an append of
 * what the log has already is accepted, both would believe that they are the one writer.
 */
export interface Bodies {
  /** The first entry of a run. */
  start: RunIdentity &
    Written & {
      readonly state: Json
      /** Absent in runs from before there were budgets: these count nothing. */
      readonly budget?: Budget
      /** The run whose turn has started this one. */
      readonly parent?: RunId
      /** How many runs there are above it; absent in those from before that was counted. */
      readonly depth?: number
    }
  /** The first entry of a fork: all that the source's entries would have told. */
  fork: RunIdentity &
    CheckpointBody &
    Written & {
      readonly from: { readonly run: RunId; readonly seq: number; readonly digest: Digest }
      readonly artifacts?: readonly ArtifactNote[]
      /** The keys that what it has of its source may be sealed with. */
      readonly sealedWith?: readonly string[]
      readonly budget?: RunBudget
    }
  /** This host opened the log for writing: the term is one higher from here on. */
  open: {
    readonly reason: 'opened' | 'stolen' | 'move_abandoned' | 'lending'
    readonly place: Place
  } & Written
  /** The only record of a change of owner; written by the run's authority. */
  claim: {
    readonly reason: 'moved' | 'expired' | 'forced'
    readonly place: Place
    readonly from: OwnerId
    /** Of an encrypted run: the newest key that was given to the edge with it, and until when, in ms since 1970. */
    readonly lent?: { readonly key: string; readonly until: number }
  } & Written
  /** Before the first record of a turn. */
  turn: { readonly turn: number; readonly rules: number; readonly version: number; readonly config: Digest }
  step: {
    readonly path: string
    readonly input?: Digest
    readonly attempts: number
    readonly ms: number
    readonly outcome: Outcome
    readonly stream?: StreamDigest
  } & Used
  'once.start': {
    readonly path: string
    readonly input?: Digest
    readonly key: string
    readonly timeoutMs: number
    readonly place: Place
    /** It was not waited for until the edge has this entry: the agent says `once: 'go'`. */
    readonly unsynced?: true
  }
  once: {
    readonly path: string
    readonly start: Digest
    readonly ms: number
    readonly outcome: Outcome
    readonly how: OnceHow
  } & Used
  ask: { readonly path: string; readonly input: Digest; readonly question: Json; readonly due?: number }
  answer: {
    readonly path: string
    readonly ask: Digest
    readonly answer:
      | { readonly status: 'answered'; readonly id: string; readonly value: Json; readonly by: string }
      | { readonly status: 'expired' }
  }
  receive: {
    readonly path: string
    readonly name: string
    readonly id: string
    readonly value: Json
    readonly by: string
  }
  /** All messages of a name that waited then. */
  drain: {
    readonly path: string
    readonly name: string
    readonly items: readonly { readonly id: string; readonly value: Json; readonly by: string }[]
  }
  sleep: { readonly path: string; readonly due: number }
  wake: { readonly path: string }
  /** A run of another agent was started. */
  spawn: {
    readonly path: string
    readonly input?: Digest
    readonly child: RunId
    readonly agent: string
    /** Its input, in encoded form. */
    readonly given: Json
    readonly attempts: number
    readonly due?: number
    /** Where it is to run, when its parent has said so. */
    readonly at?: 'edge' | 'browser'
    /** Why it could not be started. */
    readonly error?: WireError
  }
  join: { readonly path: string; readonly child: RunId; readonly outcome: Outcome }
  /** A race was decided; what its losers had under way has ended. */
  race: { readonly path: string; readonly winner: string; readonly losers: readonly string[] } & Used
  /** A milestone: names the checkpoint at this entry. */
  label: { readonly path: string; readonly label: string }
  /** An inbox item that could not be used: consumed, so that it is looked at once. */
  refuse: { readonly id: string; readonly type: string; readonly reason: string }
  /** A person decided about a `once` whose outcome is unknown. */
  decide: { readonly id: string; readonly by: string; readonly start: Digest; readonly decision: Decision }
  interrupt: { readonly id: string; readonly by: string }
  /** The end of a turn: what changed in the state, and what comes next. */
  commit: {
    readonly turn: number
    readonly rules: number
    readonly version: number
    readonly delta: Json
    readonly next: Next
    /** Of a session: who of several writers of this log, so that no two entries are the same. */
    readonly by?: string
  }
  /** Keyed records of a session: all of these changes or none, in this order. `by` as in a commit. */
  put: { readonly by: string; readonly changes: readonly KeyChange[] }
  pause: {
    readonly reason: PauseReason
    readonly error: WireError
    readonly actions: readonly Action[]
    /** The failed record that a retry runs again. */
    readonly drop?: Digest
    /** Effects that entries had started which are no more: reaching one of them asks first. */
    readonly effects?: readonly EffectAfter[]
  }
  /**
   * A person lets a paused run go on; the failed record named in `drop` runs again. With `budget` the run may use so much
   * from here on.
   */
  retry: { readonly id: string; readonly by: string; readonly drop?: Digest; readonly budget?: Budget }
  cancel: { readonly id: string; readonly by: string; readonly reason: string }
  /** The run is to go back: effects after entry `to` (-1: all) are undone if so asked, then it rewinds or is cancelled. */
  unwind: {
    readonly id: string
    readonly by: string
    readonly to: number
    readonly undo: boolean
    readonly goal: 'rewind' | 'cancel'
    readonly reason?: string
    /** The state to go on with, when it was edited. */
    readonly state?: Json
  }
  /** What the registered `undo` of a `once` gave. */
  undo: { readonly path: string; readonly start: Digest; readonly outcome: Outcome } & Used
  /** The run is back at a checkpoint: all that the entries before it would have told. */
  rewind: CheckpointBody & {
    /** The version of the state. */
    readonly version: number
    readonly id: string
    readonly by: string
    readonly to: { readonly seq: number; readonly digest: Digest }
    /** The keyed records as they were there. */
    readonly keys?: KeyIndex
  }
  /**
   * All that the entries up to `at` tell, packed, so that reading can begin there. It changes nothing. `at` is an earlier
   * entry, since writing the chunks takes its time.
   */
  snapshot: Omit<SnapshotNote, 'entry'> & {
    readonly fold: Json
    /** The others that are kept, by the entry they are of. */
    readonly kept: readonly SnapshotNote[]
    /** What the writer wants kept of the run, for those who have no code that says so; absent: all of it. */
    readonly retention?: Retention
    /** Of an encrypted run: what the writer has let go of. */
    readonly gone?: Gone
  }
  /** A person changed the state, between two turns. */
  edit: { readonly by: string; readonly delta: Json }
  /** The state was brought from one version of the agent to another, between two turns. */
  migrate: {
    readonly from: number
    readonly to: number
    readonly config: Digest
    readonly delta: Json
  }
}

/** How the outcome of a `once` became known. */
export type OnceHow = 'ran' | 'verified' | 'decided' | 'assumed'

export type PauseReason =
  'error' | 'divergence' | 'outcome' | 'set aside' | 'interrupted' | 'imported' | 'budget'

export type EntryKind = keyof Bodies

/** An entry to be written, before it has a place in the log. */
export type EntryDraft = {
  [K in EntryKind]: {
    readonly kind: K
    readonly body: Bodies[K]
    readonly blobs?: readonly Digest[]
    /** What stands in the open when the entry is sealed; absent: what `publicBody` says. */
    readonly shown?: Bodies[K]
  }
}[EntryKind]
