import { digestBytes, parseRunId, toWire, type Blobs, type Digest, type RunId } from '@waystone/core'
import { createRunHost, edgeRoutes, objectStorage, sharedSecret, unguarded } from '@waystone/edge'
import { DurableObject } from 'cloudflare:workers'
import type { Env } from './worker.ts'

const blobOf = (length: number) => {
  const bytes = new Uint8Array(length).fill(length % 256)
  return { hash: digestBytes(bytes) as Digest, bytes: length, body: bytes }
}

/** An object of whose blobs one came without being told of, and one never came. */
export class ExpectingBlobs extends DurableObject<Env> {
  /** What it counts before their time is over, and after. */
  async count(): Promise<readonly number[]> {
    const run = parseRunId(crypto.randomUUID())
    const { largeBlobs, settleBlobs } = objectStorage(this.ctx.storage, this.env.BLOBS)
    const [came, lost, told] = [blobOf(100_000), blobOf(200_000), blobOf(70_000)]
    largeBlobs.expect([came, lost, told], 1_000)
    largeBlobs.add(told)
    await this.env.BLOBS.put(`runs/${run}/${came.hash}`, came.body)
    const counts: number[] = []
    for (const now of [999, 1_000, 2_000]) {
      await settleBlobs(run, now)
      counts.push(largeBlobs.bytes())
    }
    return counts
  }
}

/** An object whose run is deleted while a blob is on its way that nobody tells it of any more. */
export class DeletedBlobs extends DurableObject<Env> {
  readonly #host = createRunHost(this.ctx, { agents: () => [], blobs: this.env.BLOBS })

  /** When the object wakes next after its run was deleted, in minutes, and what is in the bucket before that and after. */
  async count(): Promise<Readonly<Record<string, unknown>>> {
    const run = `late.${crypto.randomUUID()}`
    const { hash, bytes, body } = blobOf(100_000)
    await this.#ask(`${run}/blobs/expect`, { method: 'POST', body: JSON.stringify([{ hash, bytes }]) })
    await this.#ask(run, { method: 'DELETE' })
    await this.env.BLOBS.put(`runs/${run}/${hash}`, body)
    const [minutes, before] = [await this.#wakesIn(), await this.#objects(run)]
    await this.alarm()
    const early = await this.#objects(run)
    for (const [table, time] of [
      ['waystone_due', 'at'],
      ['waystone_large_blobs', 'until'],
    ])
      this.ctx.storage.sql.exec(`UPDATE ${String(table)} SET ${String(time)} = 1`)
    await this.alarm()
    const [after, next] = [await this.#objects(run), await this.#wakesIn()]
    return { minutes, before, early, after, next }
  }

  override async alarm(): Promise<void> {
    await this.#host.alarm()
  }

  async #ask(path: string, init: RequestInit): Promise<void> {
    const answer = await this.#host.fetch(new Request(`https://edge/v1/runs/${path}`, init), unguarded)
    if (answer?.status !== 204) throw new Error(await answer?.text())
  }

  async #wakesIn(): Promise<number | null> {
    const alarm = await this.ctx.storage.getAlarm()
    return alarm === null ? null : Math.round((alarm - Date.now()) / 60_000)
  }

  async #objects(run: string): Promise<number> {
    return (await this.env.BLOBS.list({ prefix: `runs/${run}/` })).objects.length
  }
}

/** An object whose bucket takes a blob late, or never. */
export class RefusedBlobs extends DurableObject<Env> {
  /** What comes of each, and how often the bucket was asked. */
  async put(): Promise<Readonly<Record<string, unknown>>> {
    const [from, to] = ['from', 'to'].map((name) => parseRunId(`${name}.${crypto.randomUUID()}`)) as [
      RunId,
      RunId,
    ]
    const { hash, body } = blobOf(100_000)
    const put = (blobs: Blobs): Promise<unknown> => blobs.put(from, hash, body)
    const share = (blobs: Blobs): Promise<unknown> => blobs.share(from, to, [hash])
    return {
      putLate: await this.#tried(1, put),
      putNever: await this.#tried(Infinity, put),
      putWrong: await this.#tried(0, (blobs) => blobs.put(from, hash, new Uint8Array(100_000))),
      sharedLate: await this.#tried(1, share),
      left: (await this.env.BLOBS.list({ prefix: `runs/${to}/` })).objects.length,
    }
  }

  async #tried(fails: number, work: (blobs: Blobs) => Promise<unknown>): Promise<object> {
    let puts = 0
    const bucket = new Proxy(this.env.BLOBS, {
      get:
        (all, name: keyof R2Bucket) =>
        async (...args: readonly unknown[]) => {
          if (name === 'put' && (puts += 1) <= fails)
            throw new Error('put: We encountered an internal error. Please try again. (10001)')
          return (all[name] as (...given: readonly unknown[]) => Promise<unknown>)(...args)
        },
    })
    const end = await work(objectStorage(this.ctx.storage, bucket).blobs).then(
      () => 'stored',
      (error: unknown) => toWire(error).code,
    )
    return { end, puts }
  }
}

/**
 * What is in the bucket of runs that were deleted while blobs were on their way there: with the codes of the answers, and where the client
 * has gone meanwhile, with what the runtime was told to finish.
 */
export async function deletedMeanwhile(env: Env): Promise<Readonly<Record<string, unknown>>> {
  const token = 'conformance'
  const [from, shared, put, leftShare, leftPut] = ['from', 'shared', 'put', 'left-share', 'left-put'].map(
    (name) => `${name}.${crypto.randomUUID()}`,
  )
  const routesOver = (blobs: R2Bucket) =>
    edgeRoutes<Env>({ runs: ({ RUNS }) => RUNS, blobs: () => blobs, auth: () => sharedSecret(token) })
  const ask = async (
    bucket: R2Bucket,
    path: string,
    init: RequestInit,
    finishing: Promise<unknown>[] = [],
  ): Promise<Response> => {
    const headers = { authorization: `Bearer ${token}` }
    const request = new Request(`https://edge/v1/runs/${path}`, { ...init, headers })
    const waitUntil = (work: Promise<unknown>): void => void finishing.push(work)
    return routesOver(bucket).fetch(request, env, {
      waitUntil,
      passThroughOnException: () => undefined,
      props: {},
    })
  }
  const deleting = (run: string | undefined, deleted: () => void = () => undefined): R2Bucket =>
    new Proxy(env.BLOBS, {
      get:
        (bucket, name: keyof R2Bucket) =>
        async (...args: readonly unknown[]) => {
          if (name === 'put') {
            await ask(bucket, String(run), { method: 'DELETE' })
            deleted()
          }
          return (bucket[name] as (...given: readonly unknown[]) => Promise<unknown>)(...args)
        },
    })
  const blobsOf = async (run: string | undefined): Promise<number> =>
    (await env.BLOBS.list({ prefix: `runs/${String(run)}/` })).objects.length
  const left = async (run: string | undefined, answer: Response) => ({
    code: (await answer.json<{ code: string }>()).code,
    blobs: await blobsOf(run),
  })
  /** Nobody waits for the answer, and the runtime only for what it was told to. */
  const leftAlone = async (run: string | undefined, route: string, init: RequestInit) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const finishing: Promise<unknown>[] = []
    void ask(deleting(run, resolve), `${String(run)}/blobs/${route}`, init, finishing)
    await promise
    await Promise.all(finishing)
    return { finished: finishing.length, blobs: await blobsOf(run) }
  }
  const { hash, body } = blobOf(100_000)
  await ask(env.BLOBS, `${String(from)}/blobs/${hash}`, { method: 'PUT', body })
  const share = { method: 'POST', body: JSON.stringify({ from, hashes: [hash] }) }
  return {
    put: await left(put, await ask(deleting(put), `${String(put)}/blobs/${hash}`, { method: 'PUT', body })),
    share: await left(shared, await ask(deleting(shared), `${String(shared)}/blobs/share`, share)),
    leftPut: await leftAlone(leftPut, hash, { method: 'PUT', body }),
    leftShare: await leftAlone(leftShare, 'share', share),
  }
}
