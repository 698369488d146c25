import {
  RunKeeper,
  unresolvedDamage,
  type AnyAgent,
  type Entry,
  type Fold,
  type RunFamily,
  type RunId,
  type Software,
} from '@waystone/core'
import { counting, watchRun } from '../watch/watch-run.ts'
import type { Watch } from '../watch/edge-event.ts'
import { CatalogOutbox } from '../catalog/catalog-outbox.ts'
import type { Report } from '../report.ts'
import { SearchOutbox } from '../search/search-outbox.ts'
import { dueTime, runDue, type SqlDueTimes } from '../store/sql-due-times.ts'
import type { ObjectStorage } from '../store/object-storage.ts'
import type { HistoryOptions, RunHistory } from '../store/run-history.ts'
import { sqlDevices, type SqlDevices } from '../store/sql-devices.ts'
import { sqlLinks, type SqlLinks } from '../store/sql-links.ts'
import { sqlTries } from '../store/sql-tries.ts'
import { BlobSweep, blobsName } from './blob-sweep.ts'
import { breakersOf } from './breakers-of.ts'
import { edgeClock, runClock } from './edge-clock.ts'
import { lentKeys } from './lent-keys.ts'
import { RunChanges } from './run-changes.ts'
import type { RunSockets } from './run-sockets.ts'
import { RunStreams } from './run-streams.ts'

/** When the run is due: one of the times that share the alarm of the object. */
export const runName = 'waystone.run'
/** When history may move into the bucket. */
export const historyName = 'waystone.history'
/** When the keys that were lent for the run are to be forgotten. */
export const lentName = 'waystone.lent'
/** When parent or children of the run are to be told something. */
export const familyName = 'waystone.family'
/** When text that was kept for late readers is to be forgotten. */
export const streamsName = 'waystone.streams'

/**
 * How long history waits to be moved, in ms: what comes meanwhile moves with it, and of many objects in one isolate, which has
 * 128 MB for all of them (2026), a few do so at a time.
 */
export const historyWaitMs = (): number => 1_000 + Math.floor(Math.random() * 9_000)

/** When blobs that came are looked for that nothing names, in ms: a day after the first of them may go. */
const sweepMs = 8 * 24 * 60 * 60_000

/** What a run of an object needs of it. */
export interface EdgeRunPorts {
  readonly durable: DurableObjectStorage
  readonly times: SqlDueTimes
  readonly storage: ObjectStorage
  readonly sockets: RunSockets
  readonly agents: () => readonly AnyAgent[]
  readonly software: Software
  readonly report: Report
  /** Every turn is replayed before it commits. */
  readonly development: boolean
  /** True when a catalog is to be told of the run. */
  readonly catalog: boolean
  /** Whether the text of the run may be searched; undefined when nothing can be. */
  readonly search: boolean | undefined
  readonly tenant: string
  readonly history: HistoryOptions
  readonly watch: Watch | undefined
  /** With it the run can have children, and be one. */
  readonly family: RunFamily | undefined
  /** With it keys of encrypted runs are borrowed. */
  readonly lendingSecret: string | undefined
}

/** One run in its object: who keeps it, and what its routes read beside the log. */
export interface EdgeRun {
  readonly keeper: RunKeeper
  readonly streams: RunStreams
  /** Tells readers that pull that there is something new. */
  readonly changes: RunChanges
  readonly storage: ObjectStorage
  readonly devices: SqlDevices
  readonly links: SqlLinks
  readonly history: RunHistory
  readonly sweep: BlobSweep
  readonly family: RunFamily | undefined
  /** There is one where the application has a catalog. */
  readonly outbox: CatalogOutbox | undefined
  /** There is one where the application has shards for search. */
  readonly searchOutbox: SearchOutbox | undefined
}

/** Opens what this object has of a run, which may be nothing. */
export async function openEdgeRun(run: RunId, ports: EdgeRunPorts): Promise<EdgeRun> {
  const { durable, times, sockets, agents, software, report, catalog, search, tenant, watch } = ports
  const { family, lendingSecret, development } = ports
  const late = (error: unknown): void => report({ where: 'alarm', run, error })
  const sweepDue = dueTime(times, blobsName)
  const sweep = new BlobSweep({
    run,
    storage: ports.storage,
    clock: edgeClock,
    due: () => {
      if (sweepDue.get() === undefined) void sweepDue.set(Date.now() + sweepMs).catch(late)
    },
  })
  const storage: ObjectStorage = { ...ports.storage, blobs: sweep.blobs }
  const history = storage.history(run, ports.history)
  const began = Date.now()
  const counted = counting(storage.store.read)
  const changes = new RunChanges()
  const opened: { keeper?: RunKeeper; searchOutbox?: SearchOutbox | undefined } = {}
  const textChanged = async (): Promise<void> => {
    await opened.searchOutbox?.changed().catch((error: unknown) => report({ where: 'search', run, error }))
  }
  const streams = new RunStreams({
    store: storage.streams,
    fold: () => opened.keeper?.log.fold,
    forget: dueTime(times, streamsName),
  })
  const historyDue = dueTime(times, historyName)
  const lookAtHistory = (): void => {
    if (historyDue.get() !== undefined) return
    const set = historyDue.set(Date.now() + historyWaitMs())
    void set.catch(late)
  }
  const store: ObjectStorage['store'] = {
    ...storage.store,
    read: counted.read,
    // An object has one run: what lists show of it is kept by the catalog, and a row here would be read by nobody.
    append(of, append) {
      const { summary: _, ...rest } = append
      return storage.store.append(of, rest)
    },
    async compact(...args) {
      await textChanged()
      const isDone = await storage.store.compact(...args)
      await textChanged()
      // Objects that nothing names any more are removed.
      if (history.hasObjects()) lookAtHistory()
      return isDone
    },
  }
  const keeper = await RunKeeper.open(run, {
    clock: runClock(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    storage: { ...storage, streams, store },
    due: runDue(times, runName, () => store.lastAppend(run)),
    followers: sockets,
    streamNames: () => streams.names(),
    hasRoomFor: (stream, text) => streams.hasRoomFor(stream, text),
    agents,
    software,
    breakers: breakersOf(tenant),
    tries: sqlTries(durable),
    development,
    children: family?.children,
    lentKeys:
      lendingSecret === undefined ? undefined : lentKeys(durable, lendingSecret, dueTime(times, lentName)),
    changed: (when) => changes[when](),
    failed: (where, error) => report({ where, run, error }),
  })
  opened.keeper = keeper
  if (watch) {
    watchRun({ log: keeper.log, durable, tenant }, watch)
    const [bytes, entries] = [counted.bytes(), counted.entries()]
    if (entries > 0)
      watch({ type: 'restore', by: 'edge', tenant, run, ms: Date.now() - began, bytes, entries })
  }
  const outbox = catalog ? new CatalogOutbox(durable, times) : undefined
  const searchOutbox = search === undefined ? undefined : new SearchOutbox(durable, times, keeper.log, search)
  opened.searchOutbox = searchOutbox
  await searchOutbox?.opened()
  const missing = (await unresolvedDamage(keeper.log, storage.tails))?.seq
  const changed = (fold: Fold | undefined): void => {
    const told = fold ? outbox?.changed(fold, keeper.log.damage?.seq ?? missing) : outbox?.unreadable()
    void told?.catch((error: unknown) => report({ where: 'catalog', run, error }))
  }
  // A run from before there was a catalog is told of when it is opened.
  if (keeper.log.fold ?? missing !== undefined) changed(keeper.log.fold)
  keeper.log.onReplaced(() => {
    changed(keeper.log.fold)
    void textChanged()
  })
  const relativesChanged = (fold: Fold, entries: readonly Entry[]): void => {
    const told = family?.changed(fold, entries)
    told?.catch((error: unknown) => report({ where: 'family', run, error }))
  }
  if (keeper.log.fold) relativesChanged(keeper.log.fold, [])
  keeper.log.listen(({ entries }, fold) => {
    changed(fold)
    relativesChanged(fold, entries)
    void textChanged()
    if (entries.some(({ kind }) => kind === 'commit' || kind === 'cancel'))
      void streams.settle().catch((error: unknown) => report({ where: 'run', run, error }))
  })
  keeper.log.listen(({ entries }, { head }) => {
    if (history.isDue(entries.length, head.seq + 1, durable.sql.databaseSize)) lookAtHistory()
  })
  const [devices, links] = [sqlDevices(durable), sqlLinks(durable)]
  return { keeper, streams, changes, storage, devices, links, history, sweep, family, outbox, searchOutbox }
}
