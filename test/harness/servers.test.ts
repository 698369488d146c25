import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { startEdge, type EdgeProcess } from './edge-process.ts'
import { startEffectServer, type EffectServer } from './effect-server.ts'
import { bundle, serveStatic } from './static-server.ts'

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waystone-servers-'))
  undo.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

describe('the effect server', () => {
  async function start(): Promise<EffectServer> {
    const server = await startEffectServer()
    undo.push(() => server.close())
    return server
  }
  const post = (server: EffectServer, key: string, body = '') =>
    fetch(`${server.url}/effect/publish`, { method: 'POST', headers: { 'idempotency-key': key }, body })

  it('counts every arrival as a start, and an effect once a key', async () => {
    const server = await start()
    const first: unknown = await (await post(server, 'a', 'text')).json()
    expect(await (await post(server, 'a', 'text')).json()).toEqual(first)
    await post(server, 'b')
    expect([server.count(), server.count('a'), server.count('c')]).toEqual([2, 1, 0])
    expect([server.starts(), server.starts('a')]).toEqual([3, 2])
    expect(server.effects()[0]).toEqual({ key: 'a', path: '/effect/publish', body: 'text' })
    const status = await fetch(`${server.url}/effect/publish?key=a`)
    expect(await status.json()).toEqual({ done: true, result: first })
    const counts = await fetch(`${server.url}/count`)
    expect(await counts.json()).toMatchObject({ effects: 2, starts: 3 })
  })

  it('holds answers back until they are released, or drops them', async () => {
    const server = await start()
    const released = server.hold('/effect/publish')
    const answer = post(server, 'a')
    await released.arrived
    expect(server.count('a')).toBe(1)
    released.release()
    expect((await answer).status).toBe(200)

    const dropped = server.hold('/effect/publish')
    const lost = expect(post(server, 'b')).rejects.toThrow()
    await dropped.arrived
    dropped.drop()
    await lost
    expect(server.count('b')).toBe(1)
    expect((await post(server, 'b')).status).toBe(200)
  })

  it('answers a preflight for any header', async () => {
    const server = await start()
    const headers = { origin: 'http://x.test', 'access-control-request-headers': 'idempotency-key,x-any' }
    const response = await fetch(`${server.url}/effect/a`, { method: 'OPTIONS', headers })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-headers')).toBe('idempotency-key,x-any')
    expect(response.headers.get('access-control-allow-origin')).toBe('http://x.test')
  })
})

describe('the static server', () => {
  it('serves a bundle, isolated from other origins', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'page.ts'), 'const x: number = 41\nconsole.log(x + 1)\n')
    await writeFile(join(folder, 'worker.ts'), 'postMessage("ready" as string)\n')
    const files = await bundle([join(folder, 'page.ts'), join(folder, 'worker.ts')])
    expect(Object.keys(files).sort()).toEqual(['page.js', 'worker.js'])
    const server = await serveStatic(files)
    undo.push(() => server.close())
    const response = await fetch(`${server.url}/page.js`)
    expect(response.headers.get('content-type')).toContain('text/javascript')
    expect(response.headers.get('cross-origin-embedder-policy')).toBe('require-corp')
    expect(await response.text()).toContain('console.log(x + 1)')
    expect((await fetch(`${server.url}/none.js`)).status).toBe(404)
  })

  it('serves nothing from outside of its folder', async () => {
    const folder = await temporaryFolder()
    const server = await serveStatic(folder)
    undo.push(() => server.close())
    expect((await fetch(`${server.url}/..%2f..%2fetc%2fpasswd`)).status).toBe(404)
  })
})

describe('the edge process', () => {
  const worker = `
    import { DurableObject } from 'cloudflare:workers'
    export class Counter extends DurableObject {
      async fetch() {
        this.ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS hits (n INTEGER)')
        this.ctx.storage.sql.exec('INSERT INTO hits VALUES (1)')
        return Response.json([...this.ctx.storage.sql.exec('SELECT count(*) AS n FROM hits')][0].n)
      }
    }
    export default {
      fetch: (request, env) => new URL(request.url).pathname === '/name' ? new Response(env.NAME)
        : new URL(request.url).pathname === '/hit' ? env.COUNTER.getByName('one').fetch(request)
        : new Response('ready'),
    }`
  const config = `
    name = "harness"
    main = "worker.js"
    compatibility_date = "2026-10-23"
    [[durable_objects.bindings]]
    name = "COUNTER"
    class_name = "Counter"
    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Counter"]`

  it('keeps its state over a kill of the whole tree', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'worker.js'), worker)
    await writeFile(join(folder, 'wrangler.toml'), config)
    const options = {
      config: join(folder, 'wrangler.toml'),
      persistTo: join(folder, 'state'),
      vars: { NAME: 'a b' },
    }
    const start = async (port?: number): Promise<EdgeProcess> => {
      const edge = await startEdge(port === undefined ? options : { ...options, port })
      undo.push(() => edge.stop())
      return edge
    }
    const hit = async (edge: EdgeProcess) => (await fetch(`${edge.url}/hit`)).json()

    const first = await start()
    expect(await (await fetch(`${first.url}/name`)).text()).toBe('a b')
    expect(await hit(first)).toBe(1)
    await first.kill()
    await expect(fetch(first.url)).rejects.toThrow()

    const second = await start(first.port)
    expect(second.url).toBe(first.url)
    expect(await hit(second)).toBe(2)
    await second.stop()
    await expect(fetch(second.url)).rejects.toThrow()
  })
})
