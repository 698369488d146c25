import type { Blobs } from './blobs.ts'
import type { Inbox } from './inbox.ts'
import type { LogStore } from './log-store.ts'
import type { Snapshots } from './snapshots.ts'
import type { Streams } from './streams.ts'
import type { Tails } from './tails.ts'

/** All that a host keeps of its runs. `store.close` lets go of all of it. */
export interface RunStorage {
  readonly store: LogStore
  readonly tails: Tails
  readonly snapshots: Snapshots
  readonly blobs: Blobs
  readonly inbox: Inbox
  readonly streams: Streams
}
