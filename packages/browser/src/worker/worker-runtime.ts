import { WaystoneError, type RunId, type RuntimeApi, type Token } from '@waystone/core'
import { proxy, releaseProxy, wrap, type Remote as Comlinked } from 'comlink'
import { installErrorTransfer } from './error-transfer.ts'
import type { StorageListener } from '../store/storage-state.ts'
import type { HostConfig, HostService, HostStorage } from './host-service.ts'

/** A host in a dedicated worker that can be replaced: its runs are in the store, so another goes on with them. */
export interface WorkerRuntime {
  readonly api: RuntimeApi
  readonly storage: HostStorage
  /** Ends the worker at once, as a crash would, and starts another. Calls under way are made again. */
  restart(): Promise<void>
  terminate(): void
}

interface Hosted {
  readonly worker: Worker
  readonly service: Comlinked<HostService>
  readonly ended: Promise<never>
  readonly end: (error: WaystoneError) => void
}

/** Something that a page hears of, whatever worker tells it. */
interface Watched {
  readonly make: (host: Comlinked<RuntimeApi>) => Promise<number>
  /** Called when another worker tells it: what was told while nobody listened has to be looked up. */
  readonly again: () => void
  /** What the worker knows it by. */
  inner: Promise<number>
}

/** Starts a worker that calls `serveAgents` and speaks to it. Rejects with `closed` when it cannot be started. */
export async function workerRuntime(
  create: () => Worker,
  config: HostConfig,
  onStorage: StorageListener,
  token?: Token,
): Promise<WorkerRuntime> {
  installErrorTransfer()
  const watches = new Map<number, Watched>()
  let count = 0
  let closed = false
  let storage: HostStorage = { storage: 'indexeddb', made: false }

  const host = async (): Promise<Hosted> => {
    const worker = create()
    let end: Hosted['end'] = () => undefined
    const ended = new Promise<never>((_, reject) => (end = reject))
    ended.catch(() => undefined)
    const fail = ({ message }: ErrorEvent): void => {
      end(
        new WaystoneError(
          'closed',
          `the worker of Waystone failed: ${message || 'its script could not be loaded'}`,
        ),
      )
    }
    worker.addEventListener('error', fail)
    const service = wrap<HostService>(worker)
    const opened = service.open(config, proxy(onStorage), token ? proxy(async () => token()) : undefined)
    try {
      storage = await Promise.race([opened, ended])
    } catch (error) {
      worker.terminate()
      throw error
    }
    // From now on that is a listener or a timer of the application that has thrown: the worker goes on.
    worker.removeEventListener('error', fail)
    return { worker, service, ended, end }
  }
  let current: Promise<Hosted> = host()
  await current

  /** Makes a call; when the worker is replaced meanwhile, makes it again: every call is safe to repeat. */
  const call = async <T>(make: (api: Comlinked<RuntimeApi>) => Promise<T>): Promise<T> => {
    for (;;) {
      if (closed) throw wasClosed()
      const mine = current
      const hosted = await mine
      try {
        return await asked(hosted, make)
      } catch (error) {
        if (mine === current || closed) throw error
      }
    }
  }
  /** Not made again when the worker is replaced: whoever replaces it does that for all that watch. */
  const begin = async (make: Watched['make']): Promise<number> => {
    if (closed) throw wasClosed()
    return asked(await current, make)
  }
  const watch = async (make: Watched['make'], again: () => void): Promise<number> => {
    count += 1
    const mine = count
    const watched: Watched = { make, again, inner: begin(make) }
    watches.set(mine, watched)
    for (;;) {
      const { inner } = watched
      try {
        await inner
        return mine
      } catch (error) {
        if (inner !== watched.inner) continue
        watches.delete(mine)
        throw error
      }
    }
  }
  const watchAgain = async (watched: Watched): Promise<void> => {
    await (watched.inner = begin(watched.make))
    watched.again()
  }
  const api: RuntimeApi = {
    info: () => call((host) => host.info()),
    start: (agent, input, options) => call((host) => host.start(agent, input, options)) as Promise<RunId>,
    runs: () => call((host) => host.runs()),
    watchRuns: (listener) => watch((host) => host.watchRuns(proxy(listener)), listener),
    watch: (run, listener, seen) =>
      watch(
        (host) => host.watch(run, proxy(listener), seen),
        () => listener({ type: 'replaced', keep: -1 }),
      ),
    async unwatch(watcher) {
      const watched = watches.get(watcher)
      watches.delete(watcher)
      if (watched) await call(async (host) => host.unwatch(await watched.inner))
    },
    lines: (run, from) => call((host) => host.lines(run, from)),
    snapshot: (run, before) => call((host) => host.snapshot(run, before)),
    blob: (run, hash) => call((host) => host.blob(run, hash)),
    missing: (run, hashes) => call((host) => host.missing(run, hashes)),
    stream: (run, stream) => call((host) => host.stream(run, stream)),
    send: (run, content, options) => call((host) => host.send(run, content, options)),
    move: (run, to, options) => call((host) => host.move(run, to, options)),
    blockers: (run, to) => call((host) => host.blockers(run, to)),
    fork: (run, options) => call((host) => host.fork(run, options)) as Promise<RunId>,
    putBlob: (run, hash, bytes) => call((host) => host.putBlob(run, hash, bytes)),
    dropBlobs: (run, hashes) => call((host) => host.dropBlobs(run, hashes)),
    importRun: (run, lines) => call((host) => host.importRun(run, lines)) as Promise<RunId>,
    setAside: (run) => call((host) => host.setAside(run)),
    keepAside: (run, name, options) => call((host) => host.keepAside(run, name, options)) as Promise<RunId>,
    dropAside: (run, name) => call((host) => host.dropAside(run, name)),
    flush: () => call((host) => host.flush()),
    freeze: () => call((host) => host.freeze()),
    thaw: () => call((host) => host.thaw()),
    close: () => call((host) => host.close()),
  }
  const terminate = (): void => {
    closed = true
    void current.then(
      ({ worker, service, end }) => {
        service[releaseProxy]()
        worker.terminate()
        end(wasClosed())
      },
      () => undefined,
    )
  }
  return {
    api,
    get storage() {
      return storage
    },
    async restart() {
      // One that could not be started is replaced, too: its script may be mended by now.
      const before = await current.catch(() => undefined)
      before?.worker.terminate()
      current = host()
      const watching = [...watches.values()].map(watchAgain)
      before?.end(new WaystoneError('closed', 'the worker was replaced'))
      await Promise.all([current, ...watching])
    },
    terminate,
  }
}

/** Makes a call, unless its worker ends first. */
function asked<T>({ service, ended }: Hosted, make: (api: Comlinked<RuntimeApi>) => Promise<T>): Promise<T> {
  return Promise.race([make(service.api as unknown as Comlinked<RuntimeApi>), ended])
}

function wasClosed(): WaystoneError {
  return new WaystoneError('closed', 'this Waystone was closed')
}
