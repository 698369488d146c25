export { deflate, inflate } from './deflate.ts'
export {
  assert,
  fromWire,
  isWaystoneError,
  toWire,
  WaystoneError,
  type Action,
  type ErrorCode,
  type ErrorOptions,
  type WireError,
} from './errors.ts'
export {
  edgeOwner,
  isDigest,
  isRunId,
  newId,
  parseDigest,
  parseOwnerId,
  parseRunId,
  type Digest,
  type OwnerId,
  type RunId,
} from './ids.ts'
export type { Json } from './json.ts'
export { limits } from './limits.ts'

export type { OpaqueValue } from './state/classes.ts'
export { cloneValue, decodeValue, encodeValue, type Value } from './state/codec.ts'
export { applyDelta, diff, parseDelta, type Delta } from './state/delta.ts'
export { digestBytes, fromBase64, fromUtf8, toBase64, utf8 } from './state/digest.ts'
export { createDraft, type Draft } from './state/draft.ts'
export { sameValue } from './state/equal.ts'
export { registerClass, type ClassRegistration } from './state/register-class.ts'

export { checkBlobSize, type Blobs, type RemoteBlobs } from './ports/blobs.ts'
export type { Channel } from './ports/channel.ts'
export type { Borrowed, Cipher, Encryption, InboxKey, Lending, LentKeys } from './ports/cipher.ts'
export type { Clock, Random } from './ports/clock.ts'
export type { HistoryObjects, HistoryRange } from './ports/history.ts'
export {
  checkInboxRoom,
  type Budget,
  type Decision,
  type Inbox,
  type InboxContent,
  type InboxItem,
  type InboxPut,
} from './ports/inbox.ts'
export type { Lock, Locks } from './ports/locks.ts'
export type {
  Append,
  Appended,
  Compaction,
  Head,
  LogStore,
  Place,
  RunStatus,
  RunSummary,
} from './ports/log-store.ts'
export type {
  Claim,
  Follow,
  FollowOptions,
  Held,
  OpenCall,
  Proof,
  Pulled,
  Pushed,
  Remote,
  Successor,
  Tail,
} from './ports/remote.ts'
export type { RunStorage } from './ports/run-storage.ts'
export type { Snapshots } from './ports/snapshots.ts'
export type { Streams, StreamText } from './ports/streams.ts'
export type { TryCounts } from './ports/try-counts.ts'
export { tailName, type SetAside, type Tails } from './ports/tails.ts'
export type { Live, LiveCall, SyncState, Wait, WatchEvent } from './ports/watch.ts'

export type { Bodies, EntryDraft, EntryKind, Next, Outcome, PauseReason } from './log/bodies.ts'
export {
  entryFormat,
  parseLine,
  sealEntry,
  verifyChain,
  type Entry,
  type Position,
  type Sealed,
  type StoredEntry,
} from './log/entry.ts'
export type { RunBudget, Spent } from './log/budget.ts'
export { foldEntry, isEnded, summaryOf, type Fold, type Pause, type TurnRecord } from './log/fold.ts'
export { headOfLine, planAppend, type AppendPlan } from './log/plan-append.ts'
export { type Damage } from './log/damage.ts'
export { type Retention } from './log/bodies.ts'
export { isSealed, shownFold } from './log/public-body.ts'
export { unnamedBlobs, type NamesPorts } from './log/unnamed-blobs.ts'
export { keyMissing } from './log/sealed-body.ts'
export { RunLog, type Appending, type LogPorts } from './log/run-log.ts'
export {
  storedCheckpoints,
  type CheckpointQuery,
  type StoredCheckpoint,
  type StoredCheckpoints,
} from './log/stored-checkpoints.ts'
export { Snapshotter, type SnapshotterPorts } from './log/snapshotter.ts'

export { bearerOf, type Token } from './sync/bearer.ts'
export { unlessAborted } from './unless-aborted.ts'
export { listen } from './listen.ts'
export { timerWait, type SetTimer } from './timer-wait.ts'
export type { SyncPolicy } from './sync/step.ts'
export {
  isMark,
  parseSubscriptionText,
  parseSubscriptionWord,
  socketProtocols,
  subscriptionsMax,
  subscriptionTextOf,
  type SubscriptionText,
  type SubscriptionWord,
} from './sync/subscriptions.ts'
export {
  claimJson,
  deflatedLines,
  frameOf,
  headers,
  headText,
  heldJson,
  inboxItemBytes,
  joinLines,
  parseClaim,
  parseFrame,
  parseHead,
  parseHeld,
  parseInboxItem,
  parseSuccessor,
  splitLines,
  successorJson,
} from './sync/wire.ts'

export { Breakers } from './engine/breakers.ts'
export {
  defineAgent,
  done,
  fail,
  need,
  next,
  type Agent,
  type AgentDefinition,
  type AnyAgent,
  type InputOf,
  type Need,
  type Needs,
  type Provided,
  type ResultOf,
  type StateOf,
  type TurnEnd,
} from './engine/agent.ts'
export type {
  Answer,
  AskOptions,
  Child,
  Ctx,
  InboxSchemas,
  MapOptions,
  SequentialCtx,
  SpawnOptions,
  OnceOptions,
  Schema,
  ScopeOptions,
  RedactOptions,
  StepOptions,
  StepTools,
  StreamOut,
  StreamTools,
  UndoTools,
  Won,
} from './engine/ctx.ts'
export type {
  Artifact,
  ArtifactContent,
  ArtifactEdit,
  ByteRange,
  ByteSource,
  ByteStream,
} from './engine/artifacts.ts'
export { readArtifact, storeArtifact, type ArtifactBlobs, type StoredArtifact } from './engine/artifacts.ts'
export { type BreakerOptions } from './engine/breakers.ts'
export { budgetOf, type BudgetOption } from './engine/budget-of.ts'
export { durationMs, type Duration } from './engine/duration.ts'
export {
  childStem,
  endOf,
  parentOver,
  type ChildEnd,
  type Children,
  type ChildStart,
} from './engine/run-child.ts'
export { type RetentionOption } from './engine/retention-of.ts'
export { type SnapshotsOption } from './engine/snapshot-policy-of.ts'

export { sdkVersion } from './version.ts'
export { checkVersions, writtenBy, type Software } from './log/written.ts'
export type { ForkRequest, MoveOptions, MoveTarget, RuntimeApi, StartOptions } from './runtime/api.ts'
export type { Checkpoint } from './runtime/checkpoints.ts'
export { exportedPages, exportHeader, type LoggedRun, type RunExport } from './log/export-run.ts'
export { blobsNamed, importExport } from './runtime/import-run.ts'
export { Authority, type AuthorityPorts } from './runtime/authority.ts'
export { RunHandle, type Deciding, type ForkOptions, type SendOptions } from './runtime/run-handle.ts'
export { damagePause, unresolvedDamage } from './runtime/damage-pause.ts'
export { RunHost, type HostEnd, type HostPorts } from './runtime/run-host.ts'
export type { RuntimePorts } from './runtime/run-node.ts'
export { RunFamily, type FamilyPorts } from './runtime/run-family.ts'
export {
  keptRelatives,
  type AskRelative,
  type FamilyAnswer,
  type FamilyQuestion,
  type Relative,
  type Relatives,
} from './runtime/relatives.ts'
export {
  RunKeeper,
  watchdogMs,
  type DueTime,
  type Followers,
  type KeeperPorts,
  type RunDue,
  type Slice,
} from './runtime/run-keeper.ts'
export { Runtime } from './runtime/runtime.ts'
export type { Edge } from './sync/syncer.ts'
export { sealContent } from './runtime/sealed-items.ts'
export { childEntry } from './runtime/first-entry.ts'
export { foldAside, type FoldAside } from './runtime/fold-aside.ts'
export { openAsks } from './runtime/inbox-entries.ts'
export { turnOfStream } from './runtime/open-turn.ts'
export { statusOf, type OpenAsk, type RunView } from './runtime/view.ts'
