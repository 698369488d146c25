export type { Call, CallOptions, Given, Schemas } from './call.ts'
export { edgeApi, type EdgeApi, type EdgeApiOptions } from './edge-api.ts'
export { readExports, type ExportPart } from './read-exports.ts'
