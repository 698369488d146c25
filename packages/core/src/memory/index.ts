export { memoryChannels, memoryLocks } from './memory-hosts.ts'
export { memoryLogStore } from './memory-log-store.ts'
export { memoryBlobs, memoryInbox, memoryStreams } from './memory-side.ts'
