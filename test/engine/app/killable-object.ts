import type { AnyAgent } from '@waystone/core'
import { createRunHost, edgeRoutes, sharedSecret, type RunAnswer, type RunCall } from '@waystone/edge'
import { DurableObject } from 'cloudflare:workers'
import type { Code } from '../engine-cases.ts'

/** What objects that a test kills need. */
export interface KillableEnv {
  readonly RUNS: DurableObjectNamespace
  readonly BLOBS: R2Bucket
  readonly TOKEN: string
}

/** A run of a case. Once it was killed its agents are those of later, whoever wakes it. */
export class KillableObject<Env extends KillableEnv> extends DurableObject<Env> {
  readonly #agentsOf: (code: Code, env: Env) => readonly AnyAgent[]
  readonly #host = createRunHost(this.ctx, {
    agents: () => this.#agentsOf(this.#wasKilled() ? 'later' : 'first', this.env),
    runs: this.env.RUNS,
    blobs: this.env.BLOBS,
    report: console.error,
  })

  constructor(ctx: DurableObjectState, env: Env, agentsOf: (code: Code, env: Env) => readonly AnyAgent[]) {
    super(ctx, env)
    this.#agentsOf = agentsOf
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS kills (killed INTEGER NOT NULL)')
  }

  override async fetch(request: Request): Promise<Response> {
    const answer = this.#host.fetch(request)
    if (answer) return answer
    return new URL(request.url).pathname.startsWith('/stored-text/') ? this.#storedText() : this.#die()
  }

  runCall(call: RunCall): Promise<RunAnswer> {
    return this.#host.runCall(call)
  }

  override async alarm(): Promise<void> {
    await this.#host.alarm()
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    await this.#host.webSocketMessage(socket, message)
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    this.#host.webSocketClose(socket, code)
  }

  /** What is in its rows, without having anything stored that waits for that. */
  #storedText(): Response {
    const { sql } = this.ctx.storage
    const hasText =
      sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'waystone_streams'").toArray().length > 0
    const rows = hasText
      ? sql.exec<{ text: string }>('SELECT text FROM waystone_streams ORDER BY stream, at').toArray()
      : []
    return new Response(rows.map(({ text }) => text).join(''))
  }

  #wasKilled(): boolean {
    return this.ctx.storage.sql.exec('SELECT 1 FROM kills').toArray().length > 0
  }

  async #die(): Promise<never> {
    this.ctx.storage.sql.exec('INSERT INTO kills VALUES (1)')
    await this.ctx.storage.sync()
    this.ctx.abort('the test kills it')
    throw new Error('it is dead')
  }
}

const routes = edgeRoutes<KillableEnv>({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  auth: (env) => sharedSecret(env.TOKEN),
  report: console.error,
})

/** The routes of such objects, and those by which a test kills them. */
export const killableRoutes = {
  async fetch(request, env, ctx) {
    const [, run] = /^\/(?:kill|stored-text)\/([^/]+)$/.exec(new URL(request.url).pathname) ?? []
    if (run === undefined) return routes.fetch(request, env, ctx)
    const object = env.RUNS.get(env.RUNS.idFromName(run))
    // Nobody answers for an object that has died.
    return object.fetch(request).catch(() => new Response(null, { status: 204 }))
  },
} satisfies ExportedHandler<KillableEnv>
