export { openWaystone, type Waystone, type WaystoneOptions } from './open-waystone.ts'
export { edgeClient } from './remote/edge-client.ts'
export type { EdgeOptions } from './remote/edge-http.ts'
export { serveAgents } from './worker/serve-agents.ts'
