import { DurableObject } from 'cloudflare:workers'
import { parseRunId, type AnyAgent, type RunId } from '@waystone/core'
import { errorResponse } from '../http/errors.ts'
import { reportNothing, type Report } from '../report.ts'
import { r2Blobs } from '../store/r2-blobs.ts'
import { sqlInbox } from '../store/sql-inbox.ts'
import { sqlLogStore } from '../store/sql-log-store.ts'
import { sqlStreams } from '../store/sql-streams.ts'
import { RunKeeper, watchdogMs } from './run-keeper.ts'
import { runRoutes } from './run-routes.ts'
import { deviceOf, ownerEvent, RunSockets } from './run-sockets.ts'

/** What an object of runs needs. */
export interface RunObjectOptions<Env> {
  /** The agents that run at the edge, with their needs from the environment. */
  readonly agents: (env: Env) => readonly AnyAgent[]
  /** The bucket of blobs and artifacts. */
  readonly blobs: (env: Env) => R2Bucket
  /** Hears of what failed without anybody waiting for it. */
  readonly report?: Report
}

/**
 * The Durable Object class of runs: one object a run. Export it from the worker under the name that its binding has.
 *
 * @example
 * export const RunObject = runObject<Env>({ agents: (env) => [researcher.provide({ llm: viaKey(env.KEY) })], blobs: (env) => env.BLOBS })
 */
export function runObject<Env>(
  options: RunObjectOptions<Env>,
): new (ctx: DurableObjectState, env: Env) => DurableObject<Env> {
  const report = options.report ?? reportNothing
  return class RunObject extends DurableObject<Env> {
    readonly #sockets: RunSockets
    #keeper: Promise<RunKeeper> | undefined

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env)
      this.#sockets = new RunSockets(ctx)
      ctx.storage.sql.exec(`
        CREATE TABLE IF NOT EXISTS run (one INTEGER PRIMARY KEY, id TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS stalls (one INTEGER PRIMARY KEY, seq INTEGER NOT NULL, count INTEGER NOT NULL);
      `)
    }

    override async fetch(request: Request): Promise<Response> {
      try {
        const run = parseRunId(new URL(request.url).pathname.split('/')[3])
        return await runRoutes(
          await this.#open(run),
          this.#sockets,
          (used) => this.#name(used),
          report,
        ).fetch(request)
      } catch (error) {
        return errorResponse(error, report)
      }
    }

    override async alarm(): Promise<void> {
      const run = this.#run()
      if (run === undefined) return
      try {
        await (await this.#open(run)).alarm()
      } catch (error) {
        // An alarm that throws seven times is gone for ever, and the run with it.
        report({ where: 'alarm', run, error })
        await this.ctx.storage.setAlarm(Date.now() + watchdogMs)
      }
    }

    override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
      const run = this.#run()
      const device = deviceOf(socket)
      if (run === undefined || device === undefined) return
      const event = ownerEvent(message, run, report)
      if (event) await (await this.#open(run)).heard(event, device)
    }

    override webSocketClose(socket: WebSocket, code: number): void {
      socket.close(code === 1005 || code === 1006 ? 1000 : code)
    }

    #open(run: RunId): Promise<RunKeeper> {
      this.#keeper ??= RunKeeper.open(run, {
        storage: this.ctx.storage,
        store: sqlLogStore(this.ctx.storage),
        inbox: sqlInbox(this.ctx.storage),
        streams: sqlStreams(this.ctx.storage),
        blobs: r2Blobs(options.blobs(this.env)),
        sockets: this.#sockets,
        agents: () => options.agents(this.env),
        report,
      })
      this.#keeper.catch(() => (this.#keeper = undefined))
      return this.#keeper
    }

    /** An object does not know its own name when an alarm wakes it: the first push writes it down. */
    #name(run: RunId): void {
      if (this.#run() === undefined) this.ctx.storage.sql.exec('INSERT INTO run (one, id) VALUES (1, ?)', run)
    }

    #run(): RunId | undefined {
      const [row] = this.ctx.storage.sql.exec<{ id: string }>('SELECT id FROM run').toArray()
      return row && parseRunId(row.id)
    }
  }
}
