import type { WaystoneError } from '../errors.ts'
import { Breakers } from './breakers.ts'
import type { Children } from './run-child.ts'
import { edgeOwner, type Digest, type OwnerId, type RunId } from '../ids.ts'
import type { EffectAfter, EntryDraft } from '../log/bodies.ts'
import type { Entry } from '../log/entry.ts'
import type { TurnRecord } from '../log/fold.ts'
import type { Clock } from '../ports/clock.ts'
import type { InboxItem } from '../ports/inbox.ts'
import type { Place } from '../ports/log-store.ts'
import type { StreamText } from '../ports/streams.ts'
import type { Value } from '../state/codec.ts'

/** The turn an attempt works on, as the log has it. */
export interface OpenTurn {
  readonly run: RunId
  /** How many runs are above it. */
  readonly depth?: number | undefined
  readonly turn: number
  readonly origin: Digest
  readonly config: Digest
  readonly state: Value
  readonly records: readonly TurnRecord[]
  readonly effects: readonly EffectAfter[]
  /** The time of the entry before the turn's first. */
  readonly began: number
}

/** What an attempt needs of its host. A rejection of `append` ends the attempt: the host no longer may write. */
export interface AttemptPorts {
  readonly place: Place
  readonly clock: Clock
  /** The owner as whom this host appends, and when that began, by its clock. */
  readonly me: OwnerId
  readonly opened: number
  /** Makes entries durable and hands them to `attempt.take`, in log order, before it resolves. */
  append(drafts: readonly EntryDraft[], options?: { readonly strict?: boolean }): Promise<readonly Entry[]>
  /** Resolves when the edge, if this run has one, has everything up to `seq`; undefined asks only for a connection. */
  confirm(seq: number | undefined, signal: AbortSignal): Promise<void>
  /** Resolves when the inbox here holds all that the edge, if this run has one, has got by now. */
  inboxComplete(signal: AbortSignal): Promise<void>
  /** False while messages may come that were sent before those that are here: none is taken until then. */
  knowsInbox(): boolean
  /** Inbox items that no entry has consumed. */
  inbox(): readonly InboxItem[]
  readStream(stream: string): Promise<StreamText>
  writeStream(stream: string, chunk: StreamText): Promise<void>
  resetStream(stream: string): Promise<void>
  /** Starts and watches runs of other agents, where that is possible. */
  readonly children?: Children | undefined
  /** The circuit breakers that the steps of this host share. */
  readonly breakers: Breakers
  /** How often a step was tried by hosts that have let go between two tries. */
  tries?(path: string): number
  /** Before a body begins: resolves when it is known, after this host has stood still, that it still writes the run. */
  awake?(): Promise<void> | undefined
  /** Why nothing more may be started, when `begun` steps are not recorded yet; undefined as long as it may. */
  overBudget?(begun: number): WaystoneError | undefined
  /** Also what no guard can watch of a state is looked at: whether it was written while a call was open. */
  readonly development?: boolean
  putBlob(bytes: Uint8Array): Promise<Digest>
  getBlob(hash: Digest): Promise<Uint8Array | undefined>
  /** Something that `attempt.live()` tells has changed. */
  changed(): void
}

/** The ports of an attempt that only replays: nothing is started, so nothing is ever called. */
export function effectsOff(clock: Clock, place: Place): AttemptPorts {
  const never = (): Promise<never> => new Promise(() => undefined)
  return {
    place,
    clock,
    me: edgeOwner,
    opened: clock.now(),
    append: never,
    confirm: never,
    inboxComplete: never,
    knowsInbox: () => false,
    inbox: () => [],
    readStream: never,
    writeStream: never,
    resetStream: never,
    breakers: new Breakers(clock),
    putBlob: never,
    getBlob: never,
    changed: () => undefined,
  }
}
