export { nodeHost } from './node-host.ts'
export { sqliteStorage, type SqliteOptions } from './sqlite-storage.ts'
