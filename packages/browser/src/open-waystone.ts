import {
  checkVersions,
  durationMs,
  encodeValue,
  importExport,
  isWaystoneError,
  newId,
  parseHead,
  parseRunId,
  RunHandle,
  toWire,
  WaystoneError,
  type AnyAgent,
  type Duration,
  type Encryption,
  type InputOf,
  type ResultOf,
  type RunSummary,
  type RuntimeApi,
  type StartOptions,
  type StateOf,
  type SyncPolicy,
} from '@waystone/core'
import { browserRandom } from './platform/browser-random.ts'
import { watchLifecycle } from './platform/page-lifecycle.ts'
import { edgeHttp, type EdgeOptions } from './remote/edge-http.ts'
import { noEdge, runLinks, type RunLinks } from './remote/run-links.ts'
import { remember, wasThere } from './store/remembered.ts'
import { storageEmptied } from './store/storage-error.ts'
import { StorageWatch, type StorageListener, type StorageState } from './store/storage-state.ts'
import type { HostStorage } from './worker/host-service.ts'
import { workerRuntime } from './worker/worker-runtime.ts'

/** How to open Waystone: with agents in the page, or with a worker that serves them. */
export interface WaystoneOptions {
  /** Agents that the page itself hosts. */
  readonly agents?: readonly AnyAgent[]
  /** Starts the worker whose file calls `serveAgents`; then the page hosts nothing. */
  readonly worker?: () => Worker
  /** Leave it out and everything stays in this browser. */
  readonly edge?: EdgeOptions
  /**
   * Encrypts the runs that start here, and opens those that are: `encryptionOf` of `@waystone/encryption`. A worker needs it
   * too: pass it to `serveAgents`.
   */
  readonly encryption?: Encryption | Promise<Encryption>
  /**
   * When entries go to the edge: `every` so many, after so many `turns`, or after an `interval`, whichever comes first. `adaptive` finds the interval by
   * itself, between 1 s and 60 s, from what pushes take and how often something fails. Default: each at once. Questions,
   * starts of `once`, pauses, errors, milestones and ends are never held back, and all goes when the page is hidden.
   */
  readonly sync?:
    'adaptive' | { readonly every?: number; readonly turns?: number; readonly interval?: Duration }
  /**
   * Replays every turn before it commits, and pauses the run when that comes to another end: finds clocks, dice and
   * waits outside `ctx` before they matter. Costs each turn twice its own code, and no step.
   */
  readonly development?: boolean
  /**
   * Versions of what the agents depend on, such as `{ ai: '7.0.1' }`: at most 32, of at most 100 characters. They stand in the
   * log with the version of Waystone and the browser, and in `run.checkpoints()`.
   */
  readonly versions?: Readonly<Record<string, string>>
  /** Keeps the runs of several applications of one origin apart, and of several people. Default `default`. */
  readonly name?: string
}

/** The runs of this browser, and those at the edge that it is given the id of. */
export interface Waystone {
  /** The id of this browser profile as an owner of runs. */
  readonly device: string
  /** `memory` when the browser refused storage: runs last as long as the page then, unless they are synced. */
  readonly storage: 'indexeddb' | 'memory'
  /** How this browser keeps the runs now. */
  readonly storageState: StorageState
  /**
   * Hears how this browser keeps the runs: at once, and whenever that changes. Show everything but `kept`. Returns how to
   * stop.
   *
   * @example
   * waystone.onStorage((now) => showNotice(now.state === 'kept' ? '' : now.error.message))
   */
  onStorage(listener: StorageListener): () => void
  /** Starts a run, once for each id. The start is durable when this resolves. */
  start<A extends AnyAgent>(
    agent: A,
    input: InputOf<A>,
    options?: Omit<StartOptions, 'generated'>,
  ): Promise<RunHandle<StateOf<A>, ResultOf<A>>>
  /** The same by the agent's name, for pages whose worker has the agent and that need not load it. */
  start(agent: string, input: unknown, options?: Omit<StartOptions, 'generated'>): Promise<RunHandle>
  /**
   * Opens a run to show and steer it, also one that is only at the edge. It has a view once it is here; when the edge refuses
   * this device, `sync.error` says why. `seen` is what `run.seen()` gave on another device, such as the one that made the
   * address: an edge that does not have it has gone back, and `sync.error` is `rolled_back`. Rejects with `request_refused` for one that is
   * none, and with `input_refused` for the id of a session.
   */
  open<A extends AnyAgent = AnyAgent>(
    run: string,
    options?: { readonly seen?: string },
  ): Promise<RunHandle<StateOf<A>, ResultOf<A>>>
  /**
   * Makes a run from an export: verifies it, runs nothing, and gives a fork of it that is paused until `retry`. `text` is
   * its NDJSON, `blob` gives the bytes of a hash. A state that was edited in it is recorded as an edit. Rejects with
   * `log_damaged`, `entry_refused`, `blob_missing`, `request_refused`, and with `input_refused` for that of a session.
   */
  import(
    text: string,
    blob?: (hash: string) => Promise<Uint8Array | undefined>,
    options?: { readonly id?: string },
  ): Promise<RunHandle>
  /** The runs that this browser knows; a session is none. */
  runs(): Promise<readonly RunSummary[]>
  /** Hears that the list of runs may have changed. Returns how to stop. */
  onRuns(listener: () => void): () => void
  /**
   * Links to a run at the edge, for people without an account. Throws `input_refused` without an edge.
   *
   * @example
   * const { token } = await waystone.links(run.id).make('answer', { lifetime: '7d' })
   * const address = `https://app.example.com/answer#${token}`
   */
  links(run: string): RunLinks
  /** Ends the worker at once, as a crash would, and starts another: runs resume from their log. */
  restartWorker(): Promise<void>
  close(): Promise<void>
}

interface Opened {
  readonly api: RuntimeApi
  readonly storage: HostStorage
  readonly restart: () => Promise<void>
  readonly terminate: () => void
  /** Takes what other code brings, when this name is opened again. */
  readonly renew: (options: WaystoneOptions) => void
}

/** One that is open, with how it is opened again. */
interface Known {
  readonly waystone: Waystone
  readonly renew: Opened['renew']
}

/** Opened ones by name, beside the module so that hot reloading finds them again. */
const registry = Symbol.for('waystone opened')

/**
 * Opens the runs of this browser, goes on with those that were interrupted, and follows the others. Opening again with
 * the same name gives the same Waystone, as hot reload and strict mode do: other agents of the same names take the place of
 * those that were there, and open turns are replayed with their code. A run that this does not fit pauses, with `restart` and `fork`
 * to go on. Another `worker` is started by the next `restartWorker()`; all other options stay as they were.
 *
 * @example
 * const waystone = await openWaystone({ agents: [counter] })
 * const run = await waystone.start(counter, { upTo: 10 })
 * run.subscribe((view) => console.log(view.status, view.state.count))
 */
export function openWaystone(options: WaystoneOptions): Promise<Waystone> {
  const known = ((globalThis as { [registry]?: Map<string, Promise<Known>> })[registry] ??= new Map())
  const name = options.name ?? 'default'
  const before = known.get(name)
  if (before) return openedAgain(before, options)
  const opening = open(name, options, () => known.delete(name))
  known.set(name, opening)
  opening.catch(() => known.delete(name))
  return opening.then(({ waystone }) => waystone)
}

async function openedAgain(before: Promise<Known>, options: WaystoneOptions): Promise<Waystone> {
  const { waystone, renew } = await before
  renew(options)
  return waystone
}

async function open(name: string, options: WaystoneOptions, forget: () => void): Promise<Known> {
  // Before the database is made: another tab that opens it meanwhile remembers it too.
  const isKnown = wasThere(name)
  const encryption = await options.encryption
  const watch = new StorageWatch()
  const host = await hostOf(name, options, (state) => watch.set(state))
  const { api } = host
  // A worker has no such memory: what it has opened is looked at here.
  const isEmptied = isKnown && host.storage.made && watch.state.state === 'kept'
  if (isEmptied) watch.set({ state: 'emptied', error: toWire(storageEmptied(name, host.storage.damage)) })
  if (host.storage.storage === 'indexeddb') remember(name)
  const { device } = await api.info()
  const stopLifecycle = watchLifecycle({
    // What does not arrive is kept here, and goes another time.
    hide: () => void api.flush().catch(() => undefined),
    freeze: () => void api.freeze(),
    thaw: () => void api.thaw(),
  })
  const handle = <A extends AnyAgent>(
    run: string,
    seen?: string,
  ): Promise<RunHandle<StateOf<A>, ResultOf<A>>> =>
    RunHandle.open<StateOf<A>, ResultOf<A>>(parseRunId(run), api, browserRandom, {
      cipher: encryption?.cipher,
      seen: seen === undefined ? undefined : parseHead(seen),
    })

  const waystone: Waystone = {
    device,
    get storage() {
      return host.storage.storage
    },
    get storageState() {
      return watch.state
    },
    onStorage: (listener) => watch.listen(listener),
    start: (async (agent: AnyAgent | string, input: unknown, start: StartOptions = {}) => {
      const json = encodeValue(input, { where: 'input' })
      // The id is made here, so that a call that is made again starts one run.
      const chosen = start.id === undefined ? { id: newId(browserRandom), generated: true } : {}
      const name = typeof agent === 'string' ? agent : agent.name
      return handle(await api.start(name, json, { ...start, ...chosen }))
    }) as Waystone['start'],
    async open(run, { seen } = {}) {
      const opened = await handle<never>(run, seen)
      if (opened.error !== undefined) throw opened.error
      return opened as never
    },
    async import(text, blob, { id } = {}) {
      const run = parseRunId(id ?? newId(browserRandom))
      return handle(await importExport(api, run, text.split('\n'), async (hash) => blob?.(hash)))
    },
    runs: () => api.runs(),
    onRuns(listener) {
      const watcher = api.watchRuns(listener)
      return () => void watcher.then((number) => api.unwatch(number))
    },
    links(run) {
      if (options.edge === undefined) throw noEdge()
      return runLinks(edgeHttp(absolute(options.edge), device), run)
    },
    restartWorker: () => host.restart(),
    async close() {
      forget()
      stopLifecycle()
      await api.close().catch((error: unknown) => {
        if (!isWaystoneError(error, 'closed')) throw error
      })
      host.terminate()
    },
  }
  return { waystone, renew: host.renew }
}

/** With an address that does not depend on the page. */
function absolute(edge: EdgeOptions): EdgeOptions {
  return { ...edge, url: new URL(edge.url, location.href).href }
}

function policyOf(sync: NonNullable<WaystoneOptions['sync']>): SyncPolicy {
  if (sync === 'adaptive') return { every: Infinity, intervalMs: 'adaptive' }
  const { every, turns, interval } = sync
  for (const [name, count] of Object.entries({ every, turns }))
    if (count !== undefined && !(count >= 1))
      throw new WaystoneError(
        'input_refused',
        `\`sync.${name}\` is a number from 1 on, found ${String(count)}`,
      )
  return {
    every: every ?? Infinity,
    ...(turns === undefined ? {} : { turns }),
    intervalMs: durationMs(interval ?? (every === undefined && turns === undefined ? '10s' : '1h')),
  }
}

async function hostOf(name: string, options: WaystoneOptions, onStorage: StorageListener): Promise<Opened> {
  const { agents, worker, edge, sync, encryption, versions, development = false } = options
  checkVersions(versions)
  if ((agents === undefined) === (worker === undefined)) {
    throw new WaystoneError(
      'input_refused',
      'pass either `agents`, to host them in this page, or `worker`, whose file serves them',
    )
  }
  const config = {
    name,
    development,
    ...(edge ? { edgeUrl: absolute(edge).url } : {}),
    ...(sync ? { syncPolicy: policyOf(sync) } : {}),
    ...(encryption ? { isEncrypted: true } : {}),
    ...(versions ? { versions } : {}),
  }
  if (worker) {
    let newest = worker
    const runtime = await workerRuntime(() => newest(), config, onStorage, edge?.token)
    return {
      api: runtime.api,
      get storage() {
        return runtime.storage
      },
      restart: () => runtime.restart(),
      terminate: () => runtime.terminate(),
      renew: (again) => void (newest = again.worker ?? newest),
    }
  }
  // A page with a worker downloads nothing of this.
  const { openHost } = await import('./worker/open-host.ts')
  const { runtime, ...storage } = await openHost({
    ...config,
    onStorage,
    agents: agents ?? [],
    place: 'page',
    encryption: await encryption,
    ...(edge?.token ? { token: edge.token } : {}),
  })
  const noWorker = (): Promise<never> =>
    Promise.reject(
      new WaystoneError('input_refused', 'the agents are hosted in this page: there is no worker to restart'),
    )
  return {
    api: runtime,
    storage,
    restart: noWorker,
    terminate: () => undefined,
    renew: (again) => again.agents && runtime.replaceAgents(again.agents),
  }
}
