import type { WireError } from '../errors.ts'
import type { Digest, RunId } from '../ids.ts'
import type { Head } from './log-store.ts'
import type { Successor } from './remote.ts'

/** A call of the open turn that is under way or waits. */
export interface LiveCall {
  readonly path: string
  readonly kind: string
  /** Milliseconds since 1970 at its host. */
  readonly since: number
  /** What it waits for; absent while its body runs. */
  readonly waits?: Wait
  /** How often the body was tried. */
  readonly attempt?: number
}

/** What a call, and so a run, waits for. */
export type Wait =
  | { readonly for: 'answer'; readonly ask: Digest; readonly due?: number }
  | { readonly for: 'message'; readonly name: string }
  | { readonly for: 'time'; readonly due: number }
  | { readonly for: 'place'; readonly need: string; readonly at?: string; readonly due?: number }
  | { readonly for: 'child'; readonly run: RunId; readonly due?: number }
  | { readonly for: 'network' }

/** What the host of a run tells beside its log. Nothing of it is durable. */
export interface Live {
  readonly phase: 'idle' | 'catching up' | 'running' | 'waiting' | 'moving'
  readonly calls: readonly LiveCall[]
  /** Set while a turn stands still: what replay expected next, and what it found. */
  readonly standing?: { readonly expected: string; readonly found: string; readonly path?: string }
  /** Set once a turn has made so many calls that it had better end: all are replayed after a crash, and there is a limit. */
  readonly long?: { readonly calls: number; readonly max: number }
}

/** How far the edge has a run. */
export interface SyncState {
  readonly online: boolean
  /** The last entry that the edge acknowledged. */
  readonly synced: Head | undefined
  /** Why the last attempt to reach the edge failed, when it was more than a lost network. */
  readonly error?: WireError
}

/** What a watcher of a run hears: one union for the page, other tabs and other devices. */
export type WatchEvent =
  /** Stored entries in order; `from` is the sequence number of the first. */
  | { readonly type: 'lines'; readonly from: number; readonly lines: readonly Uint8Array[] }
  /** The log was replaced from here on: drop what you hold after `keep` and expect `lines` from there. */
  | { readonly type: 'replaced'; readonly keep: number }
  | { readonly type: 'stream'; readonly stream: string; readonly at: number; readonly text: string }
  | { readonly type: 'live'; readonly live: Live }
  | { readonly type: 'sync'; readonly sync: SyncState }
  /** The inbox has something new for its owner. */
  | { readonly type: 'inbox' }
  /** For its owner alone: a device would go on with the run. Steps under way may take `ms` to end. */
  | { readonly type: 'wanted'; readonly by: Successor; readonly ms: number }
  /** From its owner, for the edge alone: it stands still at this head for a while, so that the run can be claimed there. */
  | { readonly type: 'held'; readonly head: Head }
