import {
  checkVersions,
  fromWire,
  parseRunId,
  startEntry,
  writtenBy,
  toWire,
  watchdogMs,
  WaystoneError,
  decodeValue,
  type AnyAgent,
  type Bodies,
  type RunId,
  type Software,
} from '@waystone/core'
import { askingOf, type Asking } from '../access/asking.ts'
import { notLetIn } from '../access/auth.ts'
import type { CatalogCalls } from '../catalog/catalog-entry.ts'
import { catalogName } from '../catalog/catalog-outbox.ts'
import { errorResponse } from '../http/errors.ts'
import { reportNothing, type Report } from '../report.ts'
import { isIndexed, searchName } from '../search/search-outbox.ts'
import type { RunSearch } from '../search/tenant-search.ts'
import { objectStorage } from '../store/object-storage.ts'
import type { HistoryOptions } from '../store/run-history.ts'
import { clearBlobs } from '../store/r2-blobs.ts'
import { isOwnName, sqlDueTimes, type DueTimes, type SqlDueTimes } from '../store/sql-due-times.ts'
import { sqlLinks } from '../store/sql-links.ts'
import { sqlRunName, type RunName, type SqlRunName } from '../store/sql-run-name.ts'
import { historyName, historyWaitMs, openEdgeRun, runName, streamsName, type EdgeRun } from './edge-run.ts'
import { safely, type Watch } from '../watch/edge-event.ts'
import { openLink } from './link-routes.ts'
import { checkQuota, type Quota } from './quota.ts'
import { askRelatives, type RunAnswer, type RunCall } from './run-call.ts'
import { familyName, RunFamily } from './run-family.ts'
import { runRoutes } from './run-routes.ts'
import { ownerEvent, RunSockets, speakerOf } from './run-sockets.ts'
import { storedPaths, storedRoutes } from './stored-routes.ts'
import { workDue } from './work-due.ts'

/** What the run of an object needs. */
export interface RunHostOptions {
  /** The agents that run at the edge, with what this place provides. Asked whenever one is needed. */
  readonly agents: () => readonly AnyAgent[]
  /**
   * Versions of what the agents depend on, such as `{ ai: '7.0.1' }`: at most 32, of at most 100 characters. They stand in the
   * log with the version of Waystone.
   */
  readonly versions?: Readonly<Record<string, string>>
  /** The bucket of blobs and artifacts. */
  readonly blobs: R2Bucket
  /**
   * The namespace of this object's own class, in which an object has the name that `edgeRoutes` gives it. With it a run can have
   * children here: each is an object of the class, which has to pass `runCall` on. Without it a run that spawns waits for a
   * browser.
   */
  readonly runs?: DurableObjectNamespace
  /** The catalog of a tenant, when there is one: it is told when the status of the run changes. */
  readonly catalog?: (tenant: string) => CatalogCalls
  /** Where the text of runs goes that may be searched. */
  readonly search?: RunSearch
  /** How much a run may keep here. */
  readonly quota?: Quota
  /** With it encrypted runs can go on here: their devices lend this object their keys, for a time. At least 32 random characters. */
  readonly lendingSecret?: string | undefined
  /** What of the history of a run stays in its object: the rest is in the bucket, and read from there. */
  readonly history?: HistoryOptions
  /**
   * After so many steps and turns a run goes on in another alarm, which has a limit of sub-requests and of CPU time of its own.
   * Default 200: lower it for steps that make more than a few requests each, or compute for long.
   */
  readonly stepsAnAlarm?: number
  /** Hears of what failed without anybody waiting for it. */
  readonly report?: Report
  /** Hears of what is stored and read, and of changes of the owner. */
  readonly watch?: Watch
}

/** Steps of a run in one alarm: with 5 requests each they stay within the 1,000 that an invocation may make (2026). */
const stepsAnAlarmDefault = 200

/** Of a child that was started here, should it move to a device: that counts as gone after so long, and the run goes on here. */
const childLeaseMs = 30_000

/** When a deletion that was not finished goes on. */
const deletionName = 'waystone.deletion'

/** What an object does when one of its own due times has come. */
export type OwnWork = (name: string) => void | Promise<void>

/** A run inside a Durable Object. The object hands on to it what the runtime calls. */
export interface HostedRun {
  /**
   * Due times of the application beside those of the run. An object has one alarm, which is always set to the earliest:
   * never call `storage.setAlarm` or `deleteAlarm` yourself. Names do not begin with `waystone.`.
   */
  readonly alarms: DueTimes
  /**
   * Answers requests under `/v1/runs/`; undefined for all others, which are the application's. Who asks, and for what, is what
   * `edgeRoutes` has found out: without them a request is `unauthorized`. An application that has let somebody in itself passes
   * `asking`, such as `unguarded`. An object has one run: another one is `request_refused`.
   */
  fetch(request: Request, asking?: Asking): Promise<Response> | undefined
  /**
   * What other objects of the class ask: the parent of the run, or its children. Call it from a method `runCall` of the class, and
   * never with what a request says.
   */
  runCall(call: RunCall): Promise<RunAnswer>
  /**
   * Call it from `alarm()`: lets the run go on when it is due, and does the application's `work` for each of its names
   * that has come due, one after the other, while the run works. A name is forgotten when its work is over, unless it was
   * set anew. Work that throws is reported, and begun again after 15 s, then 30 s and so on, up to an hour; so is work
   * during which the object died. Never throws: an alarm that throws seven times is gone for ever.
   *
   * Resolves with the names that came due. Without `work` they are forgotten by then, though the object may die
   * before it has acted on them.
   */
  alarm(work?: OwnWork): Promise<readonly string[]>
  /** Call it from `webSocketMessage`. False for a socket of the application. */
  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<boolean>
  /** Call it from `webSocketClose`. False for a socket of the application. */
  webSocketClose(socket: WebSocket, code: number): boolean
}

/**
 * Hosts a run inside a Durable Object class of one's own; `runObject` makes a class that does nothing else. Call it in
 * the constructor. All its tables are named `waystone_...`, its sockets have a tag of their own. `ping` on any
 * WebSocket of the object is answered with `pong` by the runtime. Throws `input_refused` for `versions` that are none.
 *
 * @example
 * class Desk extends DurableObject<Env> {
 *   readonly #host = createRunHost(this.ctx, { agents: () => [researcher], blobs: this.env.BLOBS })
 *   override fetch(request: Request) {
 *     return this.#host.fetch(request) ?? new Response('mine')
 *   }
 *   override async alarm() {
 *     await this.#host.alarm((name) => this.work(name))
 *   }
 *   override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer) {
 *     await this.#host.webSocketMessage(socket, message)
 *   }
 *   override webSocketClose(socket: WebSocket, code: number) {
 *     this.#host.webSocketClose(socket, code)
 *   }
 * }
 */
export function createRunHost(ctx: DurableObjectState, options: RunHostOptions): HostedRun {
  checkVersions(options.versions)
  const host = new ObjectHost(ctx, options)
  return {
    alarms: host.times.own,
    fetch: (request, asking) => (isOurs(request) ? host.answer(request, asking) : undefined),
    runCall: (call) => host.called(call),
    alarm: (work) => host.alarm(work),
    webSocketMessage: (socket, message) => host.heard(socket, message),
    webSocketClose: (socket, code) => host.closed(socket, code),
  }
}

class ObjectHost {
  readonly times: SqlDueTimes
  readonly #ctx: DurableObjectState
  readonly #options: RunHostOptions
  readonly #report: Report
  readonly #sockets: RunSockets
  readonly #named: SqlRunName
  readonly #telling = new Set<Promise<void>>()
  readonly #software: Software
  #opened: { readonly name: RunName; readonly edgeRun: Promise<EdgeRun> } | undefined
  #family: RunFamily | undefined

  constructor(ctx: DurableObjectState, options: RunHostOptions) {
    this.#ctx = ctx
    this.#options = options
    this.#software = { host: 'workerd', versions: options.versions }
    this.#report = options.report ?? reportNothing
    this.#sockets = new RunSockets(ctx)
    this.times = sqlDueTimes(ctx.storage)
    this.#named = sqlRunName(ctx.storage)
  }

  async answer(request: Request, given: Asking | undefined): Promise<Response> {
    try {
      const asking = given ?? askingOf(request)
      const { pathname } = new URL(request.url)
      const run = parseRunId(pathname.split('/')[3])
      const name = { run, tenant: asking.tenant }
      if (pathname === `/v1/runs/${run}/links/open`) return await this.#openLink(request, asking)
      if (request.method === 'DELETE' && pathname === `/v1/runs/${run}`) return await this.#delete(name)
      const checkAsking = (): void => this.#checkAsking(run, asking)
      if (storedPaths.has(pathname.split('/')[4])) return await this.#readStored(request, name, checkAsking)
      const edgeRun = await this.#open(name)
      const used = (): void => {
        this.#named.set(name)
        void edgeRun.outbox
          ?.blobsCame()
          .catch((error: unknown) => this.#report({ where: 'catalog', run, error }))
      }
      checkAsking()
      const checkRoom = (wanted?: number): void => {
        const entries = (edgeRun.keeper.log.fold?.head.seq ?? -1) + 1
        const kept = { entries, bytes: this.#ctx.storage.sql.databaseSize }
        checkQuota(run, this.#options.quota ?? {}, kept, wanted)
      }
      const ports = { edgeRun, sockets: this.#sockets, used, checkAsking, checkRoom, report: this.#report }
      const routes = runRoutes(ports, asking)
      return await routes.fetch(request)
    } catch (error) {
      return errorResponse(error, this.#report)
    }
  }

  async alarm(work: OwnWork = () => undefined): Promise<readonly string[]> {
    try {
      this.times.fired()
      const begun = await workDue(this.times, (name, until) => this.#work(name, until, work))
      await this.times.arm()
      return begun
    } catch (error) {
      this.#report({ where: 'alarm', error })
      await this.#ctx.storage.setAlarm(Date.now() + watchdogMs).catch(() => undefined)
      return []
    }
  }

  async called(call: RunCall): Promise<RunAnswer> {
    try {
      const name = { run: parseRunId(call.run), tenant: call.tenant }
      this.#checkName(name)
      if (this.#named.isDeleted()) return whenDeleted(call)
      if (call.type === 'start') return await this.#startChild(name, call)
      // Nothing is opened, nor written, for a run that is not here.
      if (this.#named.get() === undefined) return { isKnown: false }
      const { family, keeper } = await this.#open(name)
      return (await family?.answer(call, keeper)) ?? { isKnown: false }
    } catch (error) {
      return { error: toWire(error) }
    }
  }

  /** Starts the run as the child of another. It is written down which run this is before that has an alarm. */
  async #startChild(name: RunName, call: Extract<RunCall, { type: 'start' }>): Promise<RunAnswer> {
    const body = childEntry(call, this.#options.agents(), this.#software)
    const { keeper } = await this.#open(name)
    if (this.#named.isDeleted()) throw deleted(name.run)
    const { fold } = keeper.log
    if (fold && fold.parent !== call.by) throw exists(name.run)
    this.#named.set(name)
    await keeper.start(body)
    return { isKnown: true }
  }

  async heard(socket: WebSocket, message: string | ArrayBuffer): Promise<boolean> {
    if (!this.#sockets.has(socket)) return false
    const name = this.#named.get()
    const device = speakerOf(socket)
    if (name === undefined || device === undefined) return true
    const event = ownerEvent(message, name.run, this.#report)
    if (event) await (await this.#open(name)).keeper.heard(event, device)
    return true
  }

  closed(socket: WebSocket, code: number): boolean {
    if (!this.#sockets.has(socket)) return false
    socket.close(code === 1005 || code === 1006 ? 1000 : code)
    return true
  }

  /** The work of one name. The name is put off first, which is the watchdog: rejects only when that fails. */
  async #work(name: string, until: number, work: OwnWork): Promise<'enough' | void> {
    const begun = await this.times.begin(name)
    try {
      if (name === runName) return await this.#workRun(until)
      if (name === streamsName) (await this.#known())?.streams.forget()
      else if (name === catalogName || name === searchName) await this.#tell(name)
      else if (name === familyName) await this.#tellFamily()
      else if (name === historyName) await this.#moveHistory()
      else if (name === deletionName) await this.#finishDeletion()
      else if (!isOwnName(name)) await work(name)
      await this.times.settle(begun)
    } catch (error) {
      const run = this.#named.get()?.run
      const about = run === undefined ? {} : { run }
      if (isOwnName(name)) this.#report({ ...about, where: 'alarm', error })
      else this.#report({ ...about, where: 'own work', name, error })
    }
  }

  async #tellFamily(): Promise<void> {
    const known = await this.#known()
    await known?.family?.tell(known.keeper)
  }

  /** Its parent and its children, where objects can ask each other. */
  #familyOf(name: RunName): RunFamily | undefined {
    const { runs } = this.#options
    if (runs === undefined) return undefined
    const ask = askRelatives(runs, name, this.#report)
    this.#family ??= new RunFamily({ durable: this.#ctx.storage, times: this.times, ask })
    return this.#family
  }

  /** The keeper sets when the run is due next. */
  async #workRun(until: number): Promise<'enough' | void> {
    const known = await this.#known()
    if (known === undefined) return this.times.delete(runName)
    const steps = this.#options.stepsAnAlarm ?? stepsAnAlarmDefault
    if (await known.keeper.alarm({ until, steps })) return 'enough'
  }

  /** An object does not know its own name when an alarm wakes it: the first push writes down the run's. */
  async #known(): Promise<EdgeRun | undefined> {
    const name = this.#named.get()
    return name === undefined || this.#named.isDeleted() ? undefined : this.#open(name)
  }

  #open(name: RunName): Promise<EdgeRun> {
    const { run } = name
    this.#checkName(name)
    if (this.#named.isDeleted()) throw deleted(run)
    if (this.#opened && isSame(this.#opened.name, name)) return this.#opened.edgeRun
    const opened = { name, edgeRun: this.#newRun(name) }
    this.times.rearm().catch((error: unknown) => this.#report({ where: 'alarm', run, error }))
    this.#opened = opened
    opened.edgeRun.catch(() => {
      if (this.#opened === opened) this.#opened = undefined
    })
    return opened.edgeRun
  }

  /** Throws when who asks is not let in any more, or the run was deleted. */
  #checkAsking(run: RunId, { until = Infinity, link }: Asking): void {
    if (this.#named.isDeleted()) throw deleted(run)
    const isTakenBack = link !== undefined && !sqlLinks(this.#ctx.storage).has(link, Date.now())
    if (until <= Date.now() || isTakenBack) throw notLetIn()
  }

  /** Nothing is opened, nor written, to read what is stored. */
  async #readStored(request: Request, name: RunName, checkAsking: () => void): Promise<Response> {
    const { run, tenant } = name
    this.#checkName(name)
    checkAsking()
    if (this.#named.get() === undefined) throw unknown(run)
    const storage = objectStorage(this.#ctx.storage, this.#options.blobs, tenant)
    return await storedRoutes({ run, storage, checkAsking, report: this.#report }).fetch(request)
  }

  #checkName(name: RunName): void {
    const mine = this.#named.get()
    if (mine === undefined || isSame(mine, name)) return
    throw new WaystoneError(
      'request_refused',
      `this object has run ${mine.run}, and one run is all it can have`,
      { run: name.run },
    )
  }

  #newRun(name: RunName): Promise<EdgeRun> {
    const { run, tenant } = name
    const { storage } = this.#ctx
    const { times } = this
    return openEdgeRun(run, {
      durable: storage,
      times,
      storage: objectStorage(storage, this.#options.blobs, tenant),
      sockets: this.#sockets,
      agents: this.#options.agents,
      software: this.#software,
      catalog: this.#options.catalog !== undefined,
      search: this.#options.search?.isOn(tenant),
      tenant,
      family: this.#familyOf(name),
      lendingSecret: this.#options.lendingSecret,
      history: this.#options.history ?? {},
      watch: this.#options.watch && safely(this.#options.watch),
      report: this.#report,
    })
  }

  /** Asked for whoever has any link: nothing is written for one that is none. */
  async #openLink(request: Request, asking: Asking): Promise<Response> {
    if (request.method !== 'POST') throw notLetIn()
    const isThere = this.#named.get() !== undefined && !this.#named.isDeleted()
    const opened = isThere ? await openLink(request, sqlLinks(this.#ctx.storage), asking) : undefined
    return opened ? Response.json(opened) : errorResponse(notLetIn(), this.#report)
  }

  /** From here on the run is deleted, whatever happens before all of it is gone. */
  async #delete(name: RunName): Promise<Response> {
    this.#checkName(name)
    this.#named.set(name)
    this.#named.markDeleted()
    // Should the object die meanwhile, it goes on with it.
    await this.times.set(deletionName, Date.now() + watchdogMs)
    await this.#finishDeletion()
    await this.times.delete(deletionName)
    return new Response(null, { status: 204 })
  }

  async #moveHistory(): Promise<void> {
    const known = await this.#known()
    if (await known?.history.move()) await this.times.set(historyName, Date.now() + historyWaitMs())
  }

  /** Tells others of the run. */
  async #tell(what: typeof catalogName | typeof searchName): Promise<void> {
    const name = this.#named.get()
    const known = await this.#known()
    if (name === undefined || known === undefined) return
    const { catalog, search } = this.#options
    const { run, tenant } = name
    const telling =
      what === catalogName
        ? catalog && known.outbox?.tell(run, catalog(tenant))
        : search && known.searchOutbox?.tell(search.indexOf(tenant, run), () => this.#named.isDeleted())
    if (telling === undefined) return
    this.#telling.add(telling)
    try {
      await telling
    } finally {
      this.#telling.delete(telling)
    }
  }

  /** May be done again, and is when the object dies meanwhile. */
  async #finishDeletion(): Promise<void> {
    const name = this.#named.get()
    if (name === undefined || !this.#named.isDeleted()) return
    const opened = this.#opened
    this.#opened = undefined
    this.#sockets.cutAll('this run was deleted')
    const edgeRun = await opened?.edgeRun
    edgeRun?.changes.now()
    await edgeRun?.keeper.close()
    // What is under way to others gets there before they are told to forget.
    await Promise.allSettled(this.#telling)
    await edgeRun?.history.close()
    await this.#familyOf(name)?.deleted(name.run)
    this.#family = undefined
    await clearBlobs(this.#options.blobs, name.tenant, name.run)
    if (isIndexed(this.#ctx.storage)) await this.#options.search?.indexOf(name.tenant, name.run).remove()
    await this.#options.catalog?.(name.tenant).remove(name.run)
    this.#named.clearAllElse()
    for (const own of [runName, streamsName, catalogName, searchName, historyName, familyName])
      await this.times.delete(own)
  }
}

function isSame(one: RunName, other: RunName): boolean {
  return one.run === other.run && one.tenant === other.tenant
}

function unknown(run: RunId): WaystoneError {
  return new WaystoneError('run_unknown', `there is no run ${run} here`, { run })
}

function deleted(run: RunId): WaystoneError {
  return new WaystoneError(
    'run_deleted',
    `run ${run} was deleted at the edge: what is left of it is where it was copied to`,
    {
      run,
      actions: ['fork'],
    },
  )
}

/** The first entry of a child. Whatever its agent throws is the child's fault, as a step's would be. */
function childEntry(
  { agent: name, by, input, run }: Extract<RunCall, { type: 'start' }>,
  agents: readonly AnyAgent[],
  software: Software,
): Bodies['start'] {
  const agent = agents.find((one) => one.name === name)
  if (agent === undefined)
    throw new WaystoneError('agent_unknown', `agent "${name}" is not registered at the edge`, { run })
  const written = writtenBy((bytes) => crypto.getRandomValues(new Uint8Array(bytes)), software)
  const policy = { whenGone: 'edge', leaseMs: childLeaseMs, parent: by } as const
  try {
    return startEntry(agent, decodeValue(input), { place: 'edge', written }, policy)
  } catch (error) {
    throw fromWire(toWire(error, 'step_failed'))
  }
}

/** What a relative is told of a run that was deleted. */
function whenDeleted({ type, run }: RunCall): RunAnswer {
  if (type === 'start') throw deleted(run)
  const end = { status: 'cancelled', reason: 'it was deleted' } as const
  return { isKnown: true, end, over: `its parent, run ${run}, was deleted` }
}

function exists(run: RunId): WaystoneError {
  return new WaystoneError('run_exists', `there is a run ${run} already, which is no child of this one`, {
    run,
  })
}

function isOurs(request: Request): boolean {
  return new URL(request.url).pathname.startsWith('/v1/runs/')
}
