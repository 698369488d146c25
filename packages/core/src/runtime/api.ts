import type { BudgetOption } from '../engine/budget-of.ts'
import type { Digest, OwnerId, RunId } from '../ids.ts'
import type { InboxContent } from '../ports/inbox.ts'
import type { Head, Place, RunSummary } from '../ports/log-store.ts'
import type { SetAside } from '../ports/tails.ts'
import type { StreamText } from '../ports/streams.ts'
import type { WatchEvent } from '../ports/watch.ts'
import type { Json } from '../json.ts'
import type { ForkChanges, GonePolicy } from './first-entry.ts'

/** Where a run can be moved: to the edge, or to the device that asks. */
export type MoveTarget = 'edge' | 'here'

/** How to move a run. */
export interface MoveOptions {
  /** How long steps under way may take to end before they are given up and run again at the target. Default 2,000. */
  readonly drainMs?: number
  /**
   * Takes a run from an owner that is not there; what it has not synced will be set aside. An open turn that the code here cannot
   * replay pauses the run then, where it is refused otherwise.
   */
  readonly force?: boolean
}

/** How to start a run. */
export interface StartOptions extends Partial<GonePolicy> {
  /** What the run may use until it pauses; limits that are not named are the agent's. */
  readonly budget?: BudgetOption
  /** Chosen by the caller: starting twice with one id starts one run. */
  readonly id?: string
  /** The id was made just now, so that nobody else can have it and the edge need not be asked. */
  readonly generated?: boolean
}

/** A fork as it is asked for; values in encoded form. */
export interface ForkRequest extends ForkChanges {
  readonly seq: number
  readonly id?: string
  /** Another agent than the source's. */
  readonly agent?: string
}

/**
 * What hosts offer, in data that can be cloned, so that a page may hold a host of its own or one in a worker. A watcher
 * is named by the number it was given.
 */
export interface RuntimeApi {
  info(): Promise<{ readonly device: OwnerId; readonly place: Place; readonly edge: boolean }>
  /** `input` in encoded form. */
  start(agent: string, input: Json, options: StartOptions): Promise<RunId>
  runs(): Promise<readonly RunSummary[]>
  watchRuns(listener: () => void): Promise<number>
  /** `seen`: an entry that the edge is known to have had; an edge that does not have it has gone back. */
  watch(run: RunId, listener: (event: WatchEvent) => void, seen?: Head): Promise<number>
  unwatch(watcher: number): Promise<void>
  /** One page of the log from a sequence number on. */
  lines(run: RunId, from: number): Promise<readonly Uint8Array[]>
  /** The line of the newest snapshot of an entry before `before`, to begin reading after that entry; undefined for none. */
  snapshot(run: RunId, before: number): Promise<Uint8Array | undefined>
  blob(run: RunId, hash: Digest): Promise<Uint8Array | undefined>
  /** Those of the blobs that are neither here nor at the edge. */
  missing(run: RunId, hashes: readonly Digest[]): Promise<readonly Digest[]>
  stream(run: RunId, stream: string): Promise<StreamText>
  /** Puts something into the inbox of a run, wherever its owner is. */
  send(
    run: RunId,
    content: InboxContent,
    options: { readonly id?: string; readonly by?: string },
  ): Promise<void>
  move(run: RunId, to: MoveTarget, options: MoveOptions): Promise<void>
  /** Why a run cannot go on at a place, in words; empty when it can. The edge speaks of what it has of the run. */
  blockers(run: RunId, to: MoveTarget): Promise<readonly string[]>
  /** A new run from the checkpoint after entry `seq`; the source stays as it is. */
  fork(run: RunId, options: ForkRequest): Promise<RunId>
  /** Keeps a blob for a run that is about to be imported. Rejects with `request_refused` when it has another hash. */
  putBlob(run: RunId, hash: Digest, bytes: Uint8Array): Promise<void>
  /** Drops blobs that were put for an import that was refused; none where there is a run by now. */
  dropBlobs(run: RunId, hashes: readonly Digest[]): Promise<void>
  /** Makes a run from the lines of an export, whose blobs were put for it. */
  importRun(run: RunId, lines: readonly string[]): Promise<RunId>
  setAside(run: RunId): Promise<readonly SetAside[]>
  /** A new run from the end of what was set aside under a name; what was set aside stays. */
  keepAside(run: RunId, name: string, options: { readonly id?: string }): Promise<RunId>
  /** Drops what was set aside under a name, for ever. One that is not there is fine. */
  dropAside(run: RunId, name: string): Promise<void>
  /** What has gathered of all runs here goes to the edge now: their page was hidden, and may never be shown again. */
  flush(): Promise<void>
  /** Lets go of writing while a page is frozen, and takes it up again. */
  freeze(): Promise<void>
  thaw(): Promise<void>
  close(): Promise<void>
}
