export { nodeClock } from './node-clock.ts'
export { nodeHost } from './node-host.ts'
export { nodeRandom } from './node-random.ts'
export { sqliteStorage, type SqliteOptions } from './sqlite-storage.ts'
