export { memoryChannels, memoryLocks } from './memory-hosts.ts'
export { memoryLogStore, memorySnapshots } from './memory-log-store.ts'
export { memoryBlobs, memoryInbox, memoryStreams } from './memory-side.ts'
export { memoryStorage } from './memory-storage.ts'
