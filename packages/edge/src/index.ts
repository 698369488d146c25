export { edgeRoutes, type EdgeRoutesOptions } from './http/edge-routes.ts'
export { runObject, type RunObjectOptions } from './object/run-object.ts'
export type { Failure, Report } from './report.ts'
