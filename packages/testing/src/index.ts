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
export { channelCases, type ChannelSubject } from './conformance/channel-cases.ts'
export { clockCases, type ClockSubject } from './conformance/clock-cases.ts'
export { durableCases, type DurableSubject } from './conformance/durable-cases.ts'
export { inboxCases } from './conformance/inbox-cases.ts'
export { locksCases, type LocksSubject } from './conformance/locks-cases.ts'
export type { LogSubject } from './conformance/log-fixtures.ts'
export { logStoreCases } from './conformance/log-store-cases.ts'
export { remoteCases } from './conformance/remote-cases.ts'
export { remoteAgents, type Network, type RemoteSubject } from './conformance/remote-fixtures.ts'
export { snapshotsCases } from './conformance/snapshots-cases.ts'
export { streamsCases } from './conformance/streams-cases.ts'
export { valuesCases } from './conformance/values-cases.ts'
