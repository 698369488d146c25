import {
  fromWire,
  toWire,
  type Blobs,
  type Inbox,
  type LogStore,
  type RunId,
  type Streams,
} from '@waystone/core'
import { r2Blobs, sqlInbox, sqlLogStore, sqlStreams } from '@waystone/edge'
import { DurableObject } from 'cloudflare:workers'
import { runPortCase, type PortName } from '../ports.ts'

interface Env {
  readonly STORES: DurableObjectNamespace<StoreObject>
  readonly BLOBS: R2Bucket
}

/** What a call gave, since errors lose their code on their way out of an object. */
type Called = { readonly value: unknown } | { readonly error: ReturnType<typeof toWire> }

/** The stores of one run, in an object of their own, as `runObject` has them. */
export class StoreObject extends DurableObject<Env> {
  readonly #stores = {
    log: sqlLogStore(this.ctx.storage),
    inbox: sqlInbox(this.ctx.storage),
    streams: sqlStreams(this.ctx.storage),
  }

  async call(port: 'log' | 'inbox' | 'streams', method: string, args: readonly unknown[]): Promise<Called> {
    const store = this.#stores[port] as unknown as Record<
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

/** A port over objects, one for each run: what the edge is as a whole. */
function overObjects<Port extends object>(env: Env, port: 'log' | 'inbox' | 'streams'): Port {
  const world = crypto.randomUUID()
  const runs = new Set<RunId>()
  const call = async (method: string, run: RunId, args: readonly unknown[]): Promise<unknown> => {
    runs.add(run)
    const object = env.STORES.get(env.STORES.idFromName(`${world} ${run}`))
    const called = (await object.call(port, method, [run, ...args])) as Called
    if ('error' in called) throw fromWire(called.error)
    return called.value
  }
  const list = async (after = ''): Promise<unknown> => {
    const listed = [...runs].sort().filter((run) => run > after)
    return (await Promise.all(listed.map((run) => call('list', run, [])))).flat()
  }
  return new Proxy({} as Port, {
    get(_, method) {
      // A promise is asked for its `then`: a port has none.
      if (typeof method !== 'string' || method === 'then') return undefined
      if (port === 'log' && method === 'list') return list
      return (run: RunId, ...args: readonly unknown[]) => call(method, run, args)
    },
  })
}

/** The bucket is shared by all cases: runs of their own keep their blobs apart. */
function ownBlobs(bucket: R2Bucket): Blobs {
  const world = crypto.randomUUID()
  const own = (run: RunId): RunId => `${world}.${run}` as RunId
  const { put, get, missing } = r2Blobs(bucket)
  return {
    put: (run, hash, bytes) => put(own(run), hash, bytes),
    get: (run, hash) => get(own(run), hash),
    missing: (run, hashes) => missing(own(run), hashes),
  }
}

export default {
  async fetch(request, env) {
    const { port, name } = await request.json<{ port: PortName; name: string }>()
    const subjects = {
      log: async () => overObjects<LogStore>(env, 'log'),
      inbox: async () => overObjects<Inbox>(env, 'inbox'),
      streams: async () => overObjects<Streams>(env, 'streams'),
      blobs: async () => ownBlobs(env.BLOBS),
    }
    return Response.json(await runPortCase(subjects, port, name))
  },
} satisfies ExportedHandler<Env>
