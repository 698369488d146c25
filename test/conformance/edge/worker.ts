import {
  digestBytes,
  fromWire,
  toWire,
  type Blobs,
  type Digest,
  type Head,
  type Inbox,
  type LogStore,
  type RunId,
  type RunStorage,
  type Snapshots,
  type Streams,
  type Tails,
} from '@waystone/core'
import {
  createRunHost,
  edgeRoutes,
  objectStorage,
  runClock,
  runObject,
  sharedSecret,
  type ObjectStorage,
} from '@waystone/edge'
import { remoteAgents, type DurableSubject } from '@waystone/testing'
import { DurableObject } from 'cloudflare:workers'
import { entryAfter, headAfter, run } from '../entries.ts'
import { runHostCase } from '../hosts.ts'
import { flipByte, placeOfLine } from '../flip-byte.ts'
import { runDurableCase, runPortCase, type PortName } from '../ports.ts'
import { DeletedBlobs, deletedMeanwhile, ExpectingBlobs, RefusedBlobs } from './blobs-on-their-way.ts'
import { damageAway } from './damage-away.ts'
import { KilledMoves, killedMoves } from './killed-moves.ts'
import { LateFrames } from './late-frames.ts'
import { movingAlways } from './moving-always.ts'

export { DeletedBlobs, ExpectingBlobs, KilledMoves, LateFrames, RefusedBlobs }

export interface Env {
  readonly STORES: DurableObjectNamespace<StoreObject>
  readonly MOVING: DurableObjectNamespace<MovingObject>
  readonly KILLED: DurableObjectNamespace<KilledMoves>
  readonly EXPECTING: DurableObjectNamespace<ExpectingBlobs>
  readonly LATE: DurableObjectNamespace<LateFrames>
  readonly DELETED: DurableObjectNamespace<DeletedBlobs>
  readonly REFUSED: DurableObjectNamespace<RefusedBlobs>
  readonly RUNS: DurableObjectNamespace
  readonly BLOBS: R2Bucket
  readonly ORIGINS?: string
}

/** The edge of the cases of remotes. */
export const RunObject = runObject<Env>({ agents: () => remoteAgents, blobs: (env) => env.BLOBS })

/** What a call gave, since errors lose their code on their way out of an object. */
type Called = { readonly value: unknown } | { readonly error: ReturnType<typeof toWire> }

/** The stores of one run, in an object of their own, as `runObject` has them. */
class StoreObjectOf extends DurableObject<Env> {
  readonly #storage: ObjectStorage
  readonly #host = createRunHost(this.ctx, { agents: () => [], blobs: this.env.BLOBS })

  override fetch(request: Request): Promise<Response> {
    return this.#host.fetch(request) ?? Promise.resolve(new Response(null, { status: 404 }))
  }

  constructor(ctx: DurableObjectState, env: Env, make: (storage: ObjectStorage) => ObjectStorage) {
    super(ctx, env)
    this.#storage = make(objectStorage(ctx.storage, env.BLOBS))
  }

  /** How the log is stored: of each row how many entries and bytes it has. */
  async rows(): Promise<readonly { readonly entries: number; readonly bytes: number }[]> {
    const query = 'SELECT entries, length(lines) AS bytes FROM waystone_log ORDER BY seq'
    return this.ctx.storage.sql.exec<{ entries: number; bytes: number }>(query).toArray()
  }

  /** What its blobs in R2 come to, as it counts them. */
  async largeBytes(): Promise<number> {
    return this.#storage.largeBlobs.bytes()
  }

  /** Changes a byte of an entry where it is stored. */
  async damage(of: RunId, seq: number, where: 'first' | 'middle'): Promise<void> {
    const { sql } = this.ctx.storage
    const query = 'SELECT seq, lines FROM waystone_log WHERE seq <= ? ORDER BY seq DESC LIMIT 1'
    const row = sql.exec<{ seq: number; lines: ArrayBuffer }>(query, seq).one()
    const lines = new Uint8Array(row.lines)
    if (lines[0] === 2)
      return damageAway(this.ctx.storage, this.env.BLOBS, { of, ...row, lines }, [seq, where])
    const flipped = flipByte(lines, placeOfLine(lines, seq - row.seq), where)
    sql.exec('UPDATE waystone_log SET lines = ? WHERE seq = ?', flipped, row.seq)
  }

  async call(port: keyof RunStorage, method: string, args: readonly unknown[]): Promise<Called> {
    const store = this.#storage[port] as unknown as Record<
      string,
      (...args: readonly unknown[]) => Promise<unknown>
    >
    try {
      return { value: await store[method]?.(...args) }
    } catch (error) {
      return { error: toWire(error) }
    }
  }
}

export class StoreObject extends StoreObjectOf {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env, (storage) => storage)
  }
}

/** The same, with all history in the bucket that may be there. */
export class MovingObject extends StoreObjectOf {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env, movingAlways)
  }
}

const token = 'conformance'
const auth = sharedSecret(token)
type Objects = Env['STORES'] | Env['MOVING']
const routesOf = (objects: Objects) =>
  edgeRoutes<Env>({ runs: () => objects, blobs: (env) => env.BLOBS, auth: () => auth })
const remoteRoutes = edgeRoutes<Env>({
  runs: (env) => env.RUNS,
  blobs: (env) => env.BLOBS,
  auth: () => auth,
  origins: (env) => env.ORIGINS?.split(',') ?? [],
})

/** A storage over objects, one for each run: what the edge is as a whole. `runs`: those that it lists. */
export function edgeStorage(
  env: Env,
  world: string = crypto.randomUUID(),
  runs = new Set<RunId>(),
  objects: Objects = env.STORES,
): RunStorage {
  const call = async (
    port: keyof RunStorage,
    method: string,
    run: RunId,
    args: readonly unknown[],
  ): Promise<unknown> => {
    runs.add(run)
    const own = ownRun(world, run)
    const object = objects.get(objects.idFromName(own))
    const called = (await object.call(port, method, [own, ...args])) as Called
    if ('error' in called) throw fromWire(called.error)
    return called.value
  }
  const list = async (after = ''): Promise<unknown> => {
    const listed = [...runs].sort().filter((run) => run > after)
    return (await Promise.all(listed.map((run) => call('store', 'list', run, [])))).flat()
  }
  const over = <Port extends object>(port: keyof RunStorage): Port =>
    new Proxy({} as Port, {
      get(_, method) {
        // A promise is asked for its `then`: a port has none.
        if (typeof method !== 'string' || method === 'then') return undefined
        if (port === 'store' && method === 'list') return list
        return (run: RunId, ...args: readonly unknown[]) => call(port, method, run, args)
      },
    })
  return {
    store: over<LogStore>('store'),
    tails: over<Tails>('tails'),
    snapshots: over<Snapshots>('snapshots'),
    inbox: over<Inbox>('inbox'),
    streams: over<Streams>('streams'),
    blobs: edgeBlobs(env, world, objects),
  }
}

/** Blobs as devices reach them, over the routes; cold ones are put, and all removed, by the object itself. */
function edgeBlobs(env: Env, world: string, objects: Objects): Blobs {
  const routes = routesOf(objects)
  const ask = async (run: RunId, path: string, init: RequestInit = {}): Promise<Response> => {
    const url = `http://edge/v1/runs/${ownRun(world, run)}/blobs/${path}`
    return routes.fetch(new Request(url, { ...init, headers: { authorization: `Bearer ${token}` } }), env)
  }
  const object = async (run: RunId, method: 'put' | 'remove', ...args: readonly unknown[]): Promise<void> => {
    const own = ownRun(world, run)
    const called = (await objects
      .get(objects.idFromName(own))
      .call('blobs', method, [own, ...args])) as Called
    if ('error' in called) throw fromWire(called.error)
  }
  const hashesOf = async (response: Response): Promise<readonly Digest[]> =>
    (await mustAnswer(response)).json<{ hashes: readonly Digest[] }>().then(({ hashes }) => hashes)
  return {
    async put(run, hash, bytes, options) {
      if (options?.cold) await object(run, 'put', hash, bytes, options)
      else await mustAnswer(await ask(run, hash, { method: 'PUT', body: bytes.slice() }))
    },
    async get(run, hash) {
      const response = await ask(run, hash)
      if (response.status === 404) return undefined
      return new Uint8Array(await (await mustAnswer(response)).arrayBuffer())
    },
    missing: async (run, hashes) =>
      hashesOf(await ask(run, 'missing', { method: 'POST', body: JSON.stringify({ hashes }) })),
    async share(from, to, hashes) {
      const body = JSON.stringify({ from: ownRun(world, from), hashes })
      return hashesOf(await ask(to, 'share', { method: 'POST', body }))
    },
    remove: (run, hashes) => object(run, 'remove', hashes),
  }
}

/** The storage of the edge as several reach it. */
function durable(env: Env, objects: Objects): DurableSubject {
  const world = crypto.randomUUID()
  const runs = new Set<RunId>()
  return {
    open: async () => edgeStorage(env, world, runs, objects),
    damage: (of, seq, where) => {
      const own = ownRun(world, of)
      return objects.get(objects.idFromName(own)).damage(own, seq, where)
    },
  }
}

/** Objects and the bucket are shared by all cases: runs of their own keep them apart. */
function ownRun(world: string, run: RunId): RunId {
  return `${world}.${run}` as RunId
}

async function mustAnswer(response: Response): Promise<Response> {
  if (response.ok) return response
  throw fromWire(await response.json())
}

/** How an object keeps a log of ten large and ten small appends, before and after it is compacted. */
async function packing(env: Env): Promise<object> {
  const object = env.STORES.get(env.STORES.idFromName(crypto.randomUUID()))
  let head: Head | undefined
  for (let index = 0; index < 20; index += 1) {
    const line = entryAfter(head, 'Over and over. '.repeat(index < 10 ? 2_000 : 50))
    await object.call('store', 'append', [run, { base: head, lines: [line], durability: 'relaxed' }])
    head = headAfter(line)
  }
  const before = await object.rows()
  await object.call('store', 'compact', [run, { forget: 0, cold: 20 }])
  return { before, after: await object.rows() }
}

/** What two objects have counted of their blobs in R2, after each way in which such blobs come and go. */
async function countedBlobs(env: Env): Promise<Readonly<Record<string, number>>> {
  const world = crypto.randomUUID()
  const blobs = edgeBlobs(env, world, env.STORES)
  const [one, other] = ['one' as RunId, 'other' as RunId]
  const blobOf = (length: number) => {
    const bytes = new Uint8Array(length).fill(7)
    return { bytes, hash: digestBytes(bytes) as Digest }
  }
  const [row, large, larger] = [blobOf(65_000), blobOf(70_000), blobOf(100_000)]
  const counts: Record<string, number> = {}
  const count = async (what: string, of: RunId, work: Promise<unknown>): Promise<void> => {
    await work
    counts[what] = await env.STORES.get(env.STORES.idFromName(ownRun(world, of))).largeBytes()
  }
  await count('a row', one, blobs.put(one, row.hash, row.bytes))
  await count('from a device', one, blobs.put(one, large.hash, large.bytes))
  await count('from a device again', one, blobs.put(one, large.hash, large.bytes))
  await count('by the object', one, blobs.put(one, larger.hash, larger.bytes, { cold: true }))
  await count('shared', other, blobs.share(one, other, [row.hash, large.hash, larger.hash]))
  await count('removed', one, blobs.remove(one, [row.hash, large.hash]))
  await count('removed of another run', other, Promise.resolve())
  return counts
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/v1/')) return remoteRoutes.fetch(request, env, ctx)
    if (pathname === '/packing') return Response.json(await packing(env))
    if (pathname === '/counted') return Response.json(await countedBlobs(env))
    if (pathname === '/expected') return Response.json(await env.EXPECTING.getByName('one').count())
    if (pathname === '/refused') return Response.json(await env.REFUSED.getByName('one').put())
    if (pathname === '/untold') return Response.json(await env.DELETED.getByName('one').count())
    if (pathname === '/deleted') return Response.json(await deletedMeanwhile(env))
    if (pathname === '/late')
      return Response.json({
        deleted: await env.LATE.getByName('deleted').afterDeletion(),
        unreadable: await env.LATE.getByName('unreadable').whileUnreadable(),
      })
    if (pathname === '/killed') return Response.json(await killedMoves(env))
    const { port, name, moving } = await request.json<{
      port: PortName | 'clock' | 'durable'
      name: string
      moving?: boolean
    }>()
    const objects = moving ? env.MOVING : env.STORES
    if (port === 'clock') {
      const clock = async () => ({ clock: runClock(), pass: (ms: number) => scheduler.wait(ms) })
      return Response.json(await runHostCase({ clock }, 'clock', name))
    }
    if (port === 'durable')
      return Response.json(await runDurableCase(async () => durable(env, objects), name))
    return Response.json(
      await runPortCase(async () => edgeStorage(env, undefined, undefined, objects), port, name),
    )
  },
} satisfies ExportedHandler<Env>
