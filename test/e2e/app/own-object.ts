import { toWire } from '@waystone/core'
import { askingOf, createRunHost, unguarded, type RunAnswer, type RunCall } from '@waystone/edge'
import { DurableObject } from 'cloudflare:workers'
import { deadly, edgeAgents, hurrying } from './edge-agents.ts'
import { familyAgents } from './family-agents.ts'

/** What an object of the application's own needs. */
export interface OwnEnv {
  readonly BLOBS: R2Bucket
  readonly OWN: DurableObjectNamespace
}

/** The calls at which an object has died: all objects of the tests share one isolate. */
const deaths = new Set<string>()

/** How often a run of `deadly` has ended its object. */
let died = 0

/** Runs named `own-dies.CALL-WHEN.` and what follows: the first such call kills the object that is asked. */
function deathAt({ run, type }: RunCall): string | undefined {
  const [name = '', call, when] = /^own-dies\.(\w+)-(\w+)\./.exec(run) ?? []
  if (call !== type || deaths.has(name)) return undefined
  deaths.add(name)
  return when
}

/**
 * An object of the application's own that hosts a run beside its own work: reminders, each an effect at the outside
 * server. Its table has a name that Waystone might have taken.
 */
export class OwnObject extends DurableObject<OwnEnv> {
  /** Steps of `hurrying` in each alarm. */
  readonly #steps: number[] = []
  readonly #host = createRunHost(this.ctx, {
    agents: () => [
      hurrying.provide({ tell: () => this.#stepped() }),
      deadly.provide({ die: () => this.#die() }),
      ...edgeAgents,
      ...familyAgents,
    ],
    runs: this.env.OWN,
    stepsAnAlarm: 20,
    development: true,
    blobs: this.env.BLOBS,
    report: console.error,
  })

  constructor(ctx: DurableObjectState, env: OwnEnv) {
    super(ctx, env)
    ctx.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS log (name TEXT PRIMARY KEY, server TEXT NOT NULL, rang INTEGER NOT NULL)',
    )
  }

  override async fetch(request: Request): Promise<Response> {
    // Some requests of the tests come to it as they are, past the routes of the edge.
    const asking = request.headers.has('waystone-asking') ? askingOf(request) : unguarded
    return this.#host.fetch(request, asking) ?? this.#ownRoutes(new URL(request.url))
  }

  async runCall(call: RunCall): Promise<RunAnswer> {
    const death = deathAt(call)
    if (death === 'before') this.ctx.abort('the test lets it die before it hears a call')
    const answer = await this.#host.runCall(call)
    if (death === 'after') this.ctx.abort('the test lets it die before its answer is heard')
    return answer
  }

  override async alarm(): Promise<void> {
    this.#steps.push(0)
    await this.#host.alarm((name) => this.#ring(name))
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (await this.#host.webSocketMessage(socket, message)) return
    socket.send(`mine: ${String(message)}`)
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    if (!this.#host.webSocketClose(socket, code)) socket.close(1000)
  }

  async #ownRoutes(url: URL): Promise<Response> {
    const { sql } = this.ctx.storage
    const text = (name: string): string => url.searchParams.get(name) ?? ''
    switch (url.pathname) {
      case '/remind':
        sql.exec('INSERT OR REPLACE INTO log VALUES (?, ?, 0)', text('name'), text('server'))
        return this.#host.alarms.set(text('name'), Date.now() + Number(text('ms'))).then(
          () => new Response(null, { status: 204 }),
          (error: unknown) => Response.json(toWire(error), { status: 400 }),
        )
      case '/forget':
        await this.#host.alarms.delete(text('name'))
        return new Response(null, { status: 204 })
      case '/socket': {
        const { 0: client, 1: server } = new WebSocketPair()
        this.ctx.acceptWebSocket(server)
        return new Response(null, { status: 101, webSocket: client })
      }
      case '/kept':
        return Response.json({
          ...{ steps: this.#steps, deaths: [...deaths], died, tables: this.#tables() },
          ...(await this.#kept(text('run'))),
        })
      default:
        return Response.json({
          rang: Object.fromEntries(
            sql
              .exec<{ name: string; rang: number }>('SELECT name, rang FROM log')
              .toArray()
              .map(({ name, rang }) => [name, rang]),
          ),
          due: this.#host.alarms.get(text('name')) ?? null,
          alarm: await this.ctx.storage.getAlarm(),
        })
    }
  }

  /** Rows of the log, those of them whose lines are away, and what the bucket has of the run. */
  async #kept(run: string): Promise<object> {
    const query = `SELECT count(*) AS rows, count(CASE WHEN substr(lines, 1, 1) = x'02' THEN 1 END) AS away FROM waystone_log`
    const objects = run === '' ? [] : (await this.env.BLOBS.list({ prefix: `runs/${run}/history/` })).objects
    const { sql } = this.ctx.storage
    const isThere = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'waystone_log'").toArray().length > 0
    return { ...(isThere ? sql.exec(query).one() : { rows: 0, away: 0 }), objects: objects.length }
  }

  #tables(): readonly string[] {
    const query =
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'waystone_*' ORDER BY name"
    return this.ctx.storage.sql
      .exec<{ name: string }>(query)
      .toArray()
      .map(({ name }) => name)
  }

  #die(): void {
    died += 1
    this.ctx.abort('the run of the test ends it')
  }

  #stepped(): void {
    this.#steps.push((this.#steps.pop() ?? 0) + 1)
  }

  async #ring(name: string): Promise<void> {
    const { sql } = this.ctx.storage
    sql.exec('UPDATE log SET rang = rang + 1 WHERE name = ?', name)
    if (name === 'broken') throw new Error('this reminder is broken')
    const { server } = sql.exec<{ server: string }>('SELECT server FROM log WHERE name = ?', name).one()
    const headers = { 'idempotency-key': `ring ${name}` }
    await fetch(`${server}/effect/ring-${name}`, { method: 'POST', headers })
  }
}
