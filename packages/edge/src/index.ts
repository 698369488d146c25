export { askingOf, unguarded, type Asking } from './access/asking.ts'
export { letIn, sharedSecret, signedTokens, type Auth } from './access/auth.ts'
export type { CatalogCalls, CatalogEntry, CatalogNamespace, CatalogPage } from './catalog/catalog-entry.ts'
export { catalogObject, type CatalogObjectOptions } from './catalog/catalog-object.ts'
export { edgeRoutes, type EdgeRoutesOptions } from './http/edge-routes.ts'
export { analyticsEvents } from './watch/analytics-events.ts'
export type { EdgeEvent, Watch } from './watch/edge-event.ts'
export { logEvents } from './watch/log-events.ts'
export { logFailures } from './watch/log-failures.ts'
export type { EntryEvent, RunEvent } from './events/run-events.ts'
export type { RunEndEvent, RunStatusEvent } from './events/run-status.ts'
export { edgeClock, runClock } from './object/edge-clock.ts'
export { createRunHost, type HostedRun } from './object/create-run-host.ts'
export type { OwnWork, RunHostOptions } from './object/run-host-options.ts'
export type { Quota } from './object/quota.ts'
export type { RunAnswer, RunCall, RunCalls } from './object/run-call.ts'
export { runObject, type RunObjectOptions } from './object/run-object.ts'
export type { Failure, Report } from './report.ts'
export type {
  IndexUpdated,
  SearchCalls,
  SearchHit,
  SearchNamespace,
  SearchPage,
  SnippetPart,
} from './search/search-entry.ts'
export { searchObject } from './search/search-object.ts'
export type { RunIndex, RunSearch, SearchOptions } from './search/tenant-search.ts'
export { objectStorage, type ObjectStorage } from './store/object-storage.ts'
export type { HistoryOptions, RunHistory } from './store/run-history.ts'
export type { RowBlobs } from './store/row-blobs.ts'
export type { DueTimes } from './store/sql-due-times.ts'
export type { SqlStreams, StreamExtent } from './store/sql-streams.ts'
