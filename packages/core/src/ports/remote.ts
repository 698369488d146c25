import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { InboxItem } from './inbox.ts'
import type { Append, Head, Place } from './log-store.ts'
import type { WatchEvent } from './watch.ts'

/** The answer to a push. */
export type Pushed =
  | { readonly ok: true; readonly head: Head }
  /** The log at the edge does not end at the base: pull, compare, set aside. */
  | { readonly ok: false; readonly code: 'head_moved'; readonly head: Head | undefined }
  /** Entries name blobs that are not there: put them and push again. */
  | { readonly ok: false; readonly code: 'blob_missing'; readonly hashes: readonly string[] }

/** A page of a log and where it ends. */
export interface Pulled {
  readonly head: Head | undefined
  readonly lines: readonly Uint8Array[]
  /** Items for the owner of the run; empty for anybody else. */
  readonly inbox: readonly InboxItem[]
}

/** What a claim swaps: it succeeds only at exactly this head and epoch. */
export interface Claim {
  readonly base: Head
  readonly epoch: number
  readonly owner: OwnerId
  readonly place: Place
  readonly reason: 'moved' | 'expired' | 'forced'
  readonly proof?: Proof
  /** Of an encrypted run that is to go on at the edge: its keys, sealed for the edge. */
  readonly lent?: string
  /** The owner's last entries, which the edge may not have yet: stored before anything else, as by `push`. */
  readonly tail?: Tail
}

/** What whoever takes a run over has replayed without effects: up to which head, and with what code. */
export interface Proof {
  readonly head: Head
  readonly version: number
  readonly rules: number
  /** Calls that its replay has made and that have no outcome there: some of them, or none, where the edge cannot read the run. */
  readonly open?: readonly OpenCall[]
}

/** A call whose outcome may come without that another replay is needed. */
export interface OpenCall {
  readonly path: string
  readonly family: 'step' | 'once'
  readonly input?: Digest
}

/** A device that goes on with a run as soon as its owner stands still. */
export interface Successor {
  readonly owner: OwnerId
  readonly place: Place
  readonly proof: Proof
}

/** Entries and the one that they follow. */
export type Tail = Pick<Append, 'base' | 'lines'>

/** Where a run stands still, and its entries from the one on that was asked for, as far as they fit into an answer. */
export interface Held {
  readonly head: Head
  readonly lines: readonly Uint8Array[]
}

/** The edge, seen from a device. Every method rejects with `unreachable` when no answer came: then nothing is known. */
export interface Remote {
  /** Sends entries; retry-safe as `LogStore.append` is. */
  push(run: RunId, append: Tail): Promise<Pushed>
  /**
   * Entries from a sequence number on, one page; `as` is the asking device. Without a number, or where the log there
   * begins later, what comes after the entry that its newest snapshot is of, that snapshot with it: what is needed to
   * begin a log here. Without a snapshot, all of it.
   */
  pull(run: RunId, from: number | undefined, as: OwnerId): Promise<Pulled>
  /** Asks for ownership; resolves with the claim's line, rejects with `move_refused` or `head_moved`. */
  claim(run: RunId, claim: Claim): Promise<readonly Uint8Array[]>
  /**
   * Asks the owner to start nothing for a while; resolves once running steps have ended, with the head and the entries from a
   * sequence number on. With a successor the owner gives the run away there, when the successor's proof allows it: the last of
   * those entries is its claim then. A device is asked for a successor only. An edge of an earlier version knows none, and sends
   * no entries.
   */
  hold(run: RunId, ms: number, from?: number, successor?: Successor): Promise<Held>
  /** Why the run cannot go on at the edge, in words; empty when it can. */
  blockers(run: RunId): Promise<readonly string[]>
  /** The public key that keys are lent to; undefined for an edge that borrows none. */
  lendingKey?(run: RunId): Promise<Uint8Array | undefined>
  /** Puts an item into the run's inbox. */
  send(run: RunId, item: InboxItem): Promise<void>
  /**
   * Hears the run live from a sequence number on until `close`. `state` tells of the connection; `tell` sends events
   * of a run that this device owns to whoever follows it.
   */
  follow(run: RunId, options: FollowOptions): Follow
}

/** How to follow a run. */
export interface FollowOptions {
  readonly as: OwnerId
  /** The next sequence number that the follower has not seen, asked for again at every connection. */
  readonly from: () => number
  readonly onEvent: (event: WatchEvent) => void
  readonly onState: (online: boolean) => void
}

/** A live connection. */
export interface Follow {
  tell(event: WatchEvent): void
  close(): void
}
