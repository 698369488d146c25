import type { Digest } from '../ids.ts'
import type { Head } from '../ports/log-store.ts'
import type { SyncState } from '../ports/watch.ts'
import type { KeyedRecords } from './keyed-records.ts'

/** A session as it is known now. */
export interface SessionView<State> {
  /** As it was last committed; it must not be changed. */
  readonly state: State
  readonly head: Head
  /** `reader`: another device owns the session. */
  readonly role: 'writer' | 'reader'
  readonly sync: SyncState
}

/** A session as it was at a checkpoint. */
export interface LoadedSession<State> {
  readonly seq: number
  readonly digest: Digest
  /** Milliseconds since 1970, by the clock of whoever wrote it. */
  readonly time: number
  /** It must not be changed. */
  readonly state: State
  readonly records: KeyedRecords
}
