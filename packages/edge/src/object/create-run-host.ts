import { parseRunId, watchdogMs, WaystoneError, type AnyAgent, type RunId } from '@waystone/core'
import { errorResponse } from '../http/errors.ts'
import { reportNothing, type Report } from '../report.ts'
import { objectStorage } from '../store/object-storage.ts'
import { isOwnName, sqlDueTimes, type DueTimes, type SqlDueTimes } from '../store/sql-due-times.ts'
import { openEdgeRun, runName, streamsName, type EdgeRun } from './edge-run.ts'
import { runRoutes } from './run-routes.ts'
import { deviceOf, ownerEvent, RunSockets } from './run-sockets.ts'
import { workDue } from './work-due.ts'

/** What the run of an object needs. */
export interface RunHostOptions {
  /** The agents that run at the edge, with what this place provides. Asked whenever one is needed. */
  readonly agents: () => readonly AnyAgent[]
  /** The bucket of blobs and artifacts. */
  readonly blobs: R2Bucket
  /** Hears of what failed without anybody waiting for it. */
  readonly report?: Report
}

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
   * Answers requests under `/v1/runs/`; undefined for all others, which are the application's. Nobody is asked for a
   * token here: `edgeRoutes` in the worker does that. An object has one run: another one is `request_refused`.
   */
  fetch(request: Request): Promise<Response> | undefined
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
 * WebSocket of the object is answered with `pong` by the runtime.
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
  const host = new ObjectHost(ctx, options)
  return {
    alarms: host.times.own,
    fetch: (request) => (isOurs(request) ? host.answer(request) : undefined),
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
  #opened: { readonly run: RunId; readonly edgeRun: Promise<EdgeRun> } | undefined

  constructor(ctx: DurableObjectState, options: RunHostOptions) {
    this.#ctx = ctx
    this.#options = options
    this.#report = options.report ?? reportNothing
    this.#sockets = new RunSockets(ctx)
    this.times = sqlDueTimes(ctx.storage)
    ctx.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS waystone_run (one INTEGER PRIMARY KEY, id TEXT NOT NULL)',
    )
  }

  async answer(request: Request): Promise<Response> {
    try {
      const edgeRun = await this.#open(parseRunId(new URL(request.url).pathname.split('/')[3]))
      const routes = runRoutes(edgeRun, this.#sockets, (used) => this.#name(used), this.#report)
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

  async heard(socket: WebSocket, message: string | ArrayBuffer): Promise<boolean> {
    if (!this.#sockets.has(socket)) return false
    const run = this.#run()
    const device = deviceOf(socket)
    if (run === undefined || device === undefined) return true
    const event = ownerEvent(message, run, this.#report)
    if (event) await (await this.#open(run)).keeper.heard(event, device)
    return true
  }

  closed(socket: WebSocket, code: number): boolean {
    if (!this.#sockets.has(socket)) return false
    socket.close(code === 1005 || code === 1006 ? 1000 : code)
    return true
  }

  /** The work of one name. The name is put off first, which is the watchdog: rejects only when that fails. */
  async #work(name: string, until: number, work: OwnWork): Promise<void> {
    const begun = await this.times.begin(name)
    try {
      if (name === runName) return await this.#workRun(until)
      if (name === streamsName) (await this.#known())?.streams.forget()
      else if (!isOwnName(name)) await work(name)
      await this.times.settle(begun)
    } catch (error) {
      const run = this.#run()
      const about = run === undefined ? {} : { run }
      if (isOwnName(name)) this.#report({ ...about, where: 'alarm', error })
      else this.#report({ ...about, where: 'own work', name, error })
    }
  }

  /** The keeper sets when the run is due next. */
  async #workRun(until: number): Promise<void> {
    const known = await this.#known()
    await (known ? known.keeper.alarm(until) : this.times.delete(runName))
  }

  /** An object does not know its own name when an alarm wakes it: the first push writes down the run's. */
  async #known(): Promise<EdgeRun | undefined> {
    const run = this.#run()
    return run === undefined ? undefined : this.#open(run)
  }

  #open(run: RunId): Promise<EdgeRun> {
    const mine = this.#run()
    if (mine !== undefined && mine !== run) {
      throw new WaystoneError(
        'request_refused',
        `this object has run ${mine}, and one run is all it can have`,
        {
          run,
        },
      )
    }
    if (this.#opened?.run === run) return this.#opened.edgeRun
    const opened = { run, edgeRun: this.#newRun(run) }
    this.times.rearm().catch((error: unknown) => this.#report({ where: 'alarm', run, error }))
    this.#opened = opened
    opened.edgeRun.catch(() => {
      if (this.#opened === opened) this.#opened = undefined
    })
    return opened.edgeRun
  }

  #newRun(run: RunId): Promise<EdgeRun> {
    const { storage } = this.#ctx
    const { times } = this
    return openEdgeRun(run, {
      durable: storage,
      times,
      storage: objectStorage(storage, this.#options.blobs),
      sockets: this.#sockets,
      agents: this.#options.agents,
      report: this.#report,
    })
  }

  #name(run: RunId): void {
    if (this.#run() === undefined)
      this.#ctx.storage.sql.exec('INSERT INTO waystone_run (one, id) VALUES (1, ?)', run)
  }

  #run(): RunId | undefined {
    const [row] = this.#ctx.storage.sql.exec<{ id: string }>('SELECT id FROM waystone_run').toArray()
    return row && parseRunId(row.id)
  }
}

function isOurs(request: Request): boolean {
  return new URL(request.url).pathname.startsWith('/v1/runs/')
}
