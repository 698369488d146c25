import type { RunStorage } from '../ports/run-storage.ts'
import { memoryLogStore, memorySnapshots } from './memory-log-store.ts'
import { memoryBlobs, memoryInbox, memoryStreams } from './memory-side.ts'

/** All that a host keeps of its runs, in memory: for tests and short sessions. */
export function memoryStorage(): RunStorage {
  return {
    ...memoryLogStore(),
    snapshots: memorySnapshots(),
    blobs: memoryBlobs(),
    inbox: memoryInbox(),
    streams: memoryStreams(),
  }
}
