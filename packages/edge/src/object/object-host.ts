import { parseRunId, RunFamily, watchdogMs, WaystoneError, type RunId, type Software } from '@waystone/core'
import { askingOf, type Asking } from '../access/asking.ts'
import { notLetIn } from '../access/auth.ts'
import { catalogName } from '../catalog/catalog-outbox.ts'
import { errorResponse } from '../http/errors.ts'
import { closingCode } from '../http/sockets.ts'
import { reportNothing, type Report } from '../report.ts'
import { searchName } from '../search/search-outbox.ts'
import { objectStorage, type ObjectStorage } from '../store/object-storage.ts'
import { dueTime, isOwnName, sqlDueTimes, type SqlDueTimes } from '../store/sql-due-times.ts'
import { sqlFamily } from '../store/sql-family.ts'
import { sqlLinks } from '../store/sql-links.ts'
import { isSame, sqlRunName, type RunName, type SqlRunName } from '../store/sql-run-name.ts'
import { safely } from '../watch/edge-event.ts'
import { answerRelative } from './answer-relative.ts'
import { blobsName } from './blob-sweep.ts'
import { deletionName, runDeleted } from './clear-run.ts'
import { edgeClock } from './edge-clock.ts'
import {
  familyName,
  historyName,
  historyWaitMs,
  lentName,
  openEdgeRun,
  runName,
  streamsName,
  type EdgeRun,
} from './edge-run.ts'
import { openLink } from './link-routes.ts'
import type { Coming } from './quota.ts'
import { makeRoom, type RoomPorts } from './room.ts'
import { askRelatives, type RunAnswer, type RunCall } from './run-call.ts'
import type { OwnWork, RunHostOptions } from './run-host-options.ts'
import { RunDeletion } from './run-deletion.ts'
import { RunPlace } from './run-place.ts'
import { runRoutes } from './run-routes.ts'
import { ownerEvent, RunSockets, speakerOf } from './run-sockets.ts'
import { runUnknown, storedPaths, storedRoutes } from './stored-routes.ts'
import { workDue } from './work-due.ts'

/** Steps of a run in one alarm: with 5 requests each they stay within the 1,000 that an invocation may make (2026). */
const stepsAnAlarmDefault = 200

/** The object of a run: opens it when it is asked, does what is due, and deletes it. */
export class ObjectHost {
  readonly times: SqlDueTimes
  readonly #ctx: DurableObjectState
  readonly #options: RunHostOptions
  readonly #report: Report
  readonly #sockets: RunSockets
  readonly #named: SqlRunName
  readonly #place: RunPlace
  readonly #deletion: RunDeletion
  readonly #telling = new Set<Promise<void>>()
  readonly #software: Software
  #opened: { readonly name: RunName; readonly edgeRun: Promise<EdgeRun> } | undefined
  #family: RunFamily | undefined

  constructor(ctx: DurableObjectState, options: RunHostOptions) {
    this.#ctx = ctx
    this.#options = options
    this.#software = { host: 'workerd', versions: options.versions }
    this.#report = options.report ?? reportNothing
    this.#sockets = new RunSockets(ctx, options.quota?.socketsMax)
    this.times = sqlDueTimes(ctx.storage)
    this.#named = sqlRunName(ctx.storage)
    this.#deletion = new RunDeletion({
      ...{ durable: ctx.storage, options, times: this.times, named: this.#named, telling: this.#telling },
      taken: () => this.#takeOpened(),
      familyOf: (name) => this.#familyOf(name),
    })
    this.#place = new RunPlace({
      catalog: options.catalog,
      runsMax: options.quota?.runsMax,
      isNamed: () => this.#named.get() !== undefined,
      report: this.#report,
    })
  }

  async answer(request: Request, given: Asking | undefined): Promise<Response> {
    try {
      const asking = given ?? askingOf(request)
      const { pathname } = new URL(request.url)
      const run = parseRunId(pathname.split('/')[3])
      const name = { run, tenant: asking.tenant }
      if (pathname === `/v1/runs/${run}/links/open`) return await this.#openLink(request, asking)
      if (request.method === 'DELETE' && pathname === `/v1/runs/${run}`) {
        this.#checkName(name)
        await this.#deletion.begin(name)
        return new Response(null, { status: 204 })
      }
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
      const place = this.#place.asked(name)
      const room: RoomPorts = {
        ...{ run, edgeRun, checkAsking, quota: this.#options.quota, takePlace: () => place.take() },
        rowBytes: () => this.#ctx.storage.sql.databaseSize,
      }
      const ports = {
        ...{ edgeRun, sockets: this.#sockets, used, checkAsking, report: this.#report },
        makeRoom: (coming: Coming) => makeRoom(room, coming),
      }
      try {
        return await runRoutes(ports, asking).fetch(request)
      } finally {
        await place.over()
      }
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

  called(call: RunCall): Promise<RunAnswer> {
    const { agents } = this.#options
    return answerRelative(call, {
      agents,
      software: this.#software,
      named: this.#named,
      checkName: (name) => this.#checkName(name),
      open: (name) => this.#open(name),
    })
  }

  /** What a device says over its socket; false for a socket of the application. Does not reject: nobody waits for it. */
  async heard(socket: WebSocket, message: string | ArrayBuffer): Promise<boolean> {
    if (!this.#sockets.has(socket)) return false
    const name = this.#named.get()
    const device = speakerOf(socket)
    if (name === undefined || device === undefined) return true
    try {
      await this.#hear(name, device, message)
    } catch (error) {
      // Who spoke may not have heard yet that the run was deleted.
      if (!this.#named.isDeleted()) this.#report({ where: 'frame', run: name.run, error })
    }
    return true
  }

  closed(socket: WebSocket, code: number): boolean {
    if (!this.#sockets.has(socket)) return false
    socket.close(closingCode(code))
    return true
  }

  async #hear(name: RunName, device: string, message: string | ArrayBuffer): Promise<void> {
    if (this.#named.isDeleted()) return
    const event = ownerEvent(message, name.run, this.#report)
    if (event) await (await this.#open(name)).keeper.heard(event, device)
  }

  /** The work of one name. The name is put off first, which is the watchdog: rejects only when that fails. */
  async #work(name: string, until: number, work: OwnWork): Promise<'enough' | void> {
    const begun = await this.times.begin(name, name === runName ? this.#lastAppend() : undefined)
    try {
      if (name === runName) return await this.#workRun(until, begun.tries)
      if (name === streamsName) (await this.#known())?.streams.forget()
      else if (name === catalogName || name === searchName) await this.#tell(name)
      else if (name === familyName) await this.#tellFamily()
      else if (name === historyName) await this.#moveHistory()
      else if (name === blobsName) await this.#sweepBlobs()
      else if (name === lentName) await (await this.#known())?.keeper.lapse()
      else if (name === deletionName) return await this.#deletion.goOn(begun)
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
    this.#family ??= new RunFamily({
      relatives: sqlFamily(this.#ctx.storage),
      due: dueTime(this.times, familyName),
      ask,
      clock: edgeClock,
    })
    return this.#family
  }

  /** The keeper sets when the run is due next. */
  async #workRun(until: number, tries: number): Promise<'enough' | void> {
    const known = await this.#known()
    if (known === undefined) return this.times.delete(runName)
    const steps = this.#options.stepsAnAlarm ?? stepsAnAlarmDefault
    if (await known.keeper.alarm({ until, steps, tries })) return 'enough'
  }

  /** What a run has reached: a run that writes entries gets somewhere. Asked for without opening it, which may end the object. */
  #lastAppend(): number | undefined {
    const name = this.#named.get()
    return name && this.#storageOf(name).store.lastAppend(name.run)
  }

  #storageOf({ tenant }: RunName): ObjectStorage {
    return objectStorage(this.#ctx.storage, this.#options.blobs, tenant)
  }

  /** An object does not know its own name when an alarm wakes it: the first push writes down the run's. */
  async #known(): Promise<EdgeRun | undefined> {
    const name = this.#named.get()
    return name === undefined || this.#named.isDeleted() ? undefined : this.#open(name)
  }

  #open(name: RunName): Promise<EdgeRun> {
    const { run } = name
    this.#checkName(name)
    if (this.#named.isDeleted()) throw runDeleted(run)
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
    if (this.#named.isDeleted()) throw runDeleted(run)
    const isTakenBack = link !== undefined && !sqlLinks(this.#ctx.storage).has(link, Date.now())
    if (until <= Date.now() || isTakenBack) throw notLetIn()
  }

  /** Nothing is opened, nor written, to read what is stored. */
  async #readStored(request: Request, name: RunName, checkAsking: () => void): Promise<Response> {
    const { run } = name
    this.#checkName(name)
    checkAsking()
    if (this.#named.get() === undefined) throw runUnknown(run)
    const storage = this.#storageOf(name)
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
      storage: this.#storageOf(name),
      sockets: this.#sockets,
      agents: this.#options.agents,
      software: this.#software,
      development: this.#options.development ?? false,
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

  async #moveHistory(): Promise<void> {
    const known = await this.#known()
    if (await known?.history.move()) await this.times.set(historyName, Date.now() + historyWaitMs())
  }

  async #sweepBlobs(): Promise<void> {
    const known = await this.#known()
    const next = await known?.sweep.sweep(known.keeper.log)
    if (next !== undefined) await this.times.set(blobsName, next)
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

  /** The run, if it was open: whoever asks next finds that it is deleted. */
  async #takeOpened(): Promise<EdgeRun | undefined> {
    const opened = this.#opened
    this.#opened = undefined
    this.#sockets.cutAll('this run was deleted')
    return opened?.edgeRun.catch(() => undefined)
  }
}
