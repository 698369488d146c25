export { crashEverywhere, type CrashOptions, type CrashReport } from './agent/crash-everywhere.ts'
export type { End } from './agent/check-life.ts'
export { elapse } from './agent/elapse.ts'
export type {
  AskInfo,
  TestableAgent,
  TestAnswer,
  TestAsk,
  TestDecision,
  TestEffect,
  TestMessage,
  TestOptions,
  TestResult,
} from './agent/test-options.ts'
export { testRun } from './agent/test-run.ts'
export { blobsCases } from './conformance/blobs-cases.ts'
export { runCases, type Case, type CaseResult } from './conformance/case.ts'
export { inboxCases } from './conformance/inbox-cases.ts'
export type { LogSubject } from './conformance/log-fixtures.ts'
export { logStoreCases } from './conformance/log-store-cases.ts'
export { snapshotsCases } from './conformance/snapshots-cases.ts'
export { streamsCases } from './conformance/streams-cases.ts'
export { valuesCases } from './conformance/values-cases.ts'
