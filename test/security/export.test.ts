import { edgeApi, readExports, type EdgeApi, type ExportPart } from '@waystone/client'
import { parseRunId, RunHandle, type Digest, type RunId } from '@waystone/core'
import { nodeRandom } from '@waystone/node'
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blankRuntime } from '../harness/blank-runtime.ts'
import { poll } from '../harness/poll.ts'
import { chainOf, firstEntry, note } from './asking-run.ts'
import { laptop, startSecurityWorld, type SecurityWorld } from './security-world.ts'

let world: SecurityWorld
let edge: EdgeApi
const names = ['ana.1', 'ana.2', 'bob.1']
const blobs = [70_000, 100].map((bytes) => randomBytes(bytes))
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const drafts = (name: string) => [
  firstEntry(parseRunId(name), { text: 'first' }),
  note(0, `of ${name}`),
  note(1, 'x'.repeat(50_000)),
]

beforeAll(async () => {
  world = await startSecurityWorld()
  edge = edgeApi({ url: world.edge.process.url, token: () => world.token() })
  for (const name of names) await world.push('acme', parseRunId(name), drafts(name))
  await world.push('globex', parseRunId('ana.1'), [firstEntry(parseRunId('ana.1'))])
  for (const body of blobs)
    await edge.put('/v1/runs/{run}/blobs/{hash}', {
      params: { path: { run: 'ana.1', hash: hashOf(body) } },
      body,
    })
  const isListed = async (): Promise<true | undefined> =>
    (await edge.get('/v1/runs')).runs.length === names.length || undefined
  await poll(isListed, { timeoutMs: 30_000, message: () => 'the runs are not listed' })
})
afterAll(() => world.close())

const text = (stream: ReadableStream<Uint8Array>): Promise<string> => new Response(stream).text()
const exportOf = async (run: string): Promise<string> =>
  text(await edge.get('/v1/runs/{run}/export', { params: { path: { run } } }))

async function exported(query: { limit?: number; after?: string } = {}, of = edge) {
  const files = new Map<string, string>()
  let end: Extract<ExportPart, { type: 'end' }> | undefined
  for await (const part of readExports(await of.get('/v1/export', { params: { query } }))) {
    if (part.type === 'line') files.set(part.run, `${files.get(part.run) ?? ''}${part.line}\n`)
    if (part.type === 'end') end = part
  }
  return { files, end }
}

describe('the export of a run', () => {
  it('has its entries as they were pushed, and names its blobs', async () => {
    const [header = '', ...lines] = (await exportOf('ana.1')).split('\n')
    const { text: pushed, head } = chainOf(parseRunId('ana.1'), laptop, drafts('ana.1'))
    expect(lines.join('\n')).toBe(pushed)
    const about = JSON.parse(header) as { blobs: string[] }
    expect(about).toMatchObject({ kind: 'export', format: 1, run: 'ana.1', head })
    expect(about.blobs.toSorted()).toEqual(blobs.map(hashOf).toSorted())
    expect((await exportOf('bob.1')).split('\n')[0]).toContain('"blobs":[]')
    const codeOf = async (run: string) =>
      (await world.ask(`/v1/runs/${run}/export`, await world.token())).code
    expect(await codeOf('unheard-of')).toBe('run_unknown')
  })

  it('is imported elsewhere as a run with the same state', async () => {
    const runtime = await blankRuntime(laptop)
    const file = await exportOf('ana.1')
    for (const bytes of blobs) {
      const path = { run: 'ana.1', hash: hashOf(bytes) }
      const body = await edge.get('/v1/runs/{run}/blobs/{hash}', { params: { path } })
      await runtime.putBlob('again' as RunId, path.hash as Digest, body)
    }
    const run = await runtime.importRun('again' as RunId, file.split('\n'))
    const handle = await RunHandle.open(run, runtime, nodeRandom)
    expect(handle.view()).toMatchObject({
      status: 'paused',
      state: { text: 'first', note: 'x'.repeat(50_000) },
    })
  })
})

describe('the export of a tenant', () => {
  it('has all of its runs as they are exported one by one, by pages, and nothing of others', async () => {
    const { files, end } = await exported()
    expect([...files.keys()]).toEqual(names)
    expect(end).toEqual({ type: 'end', runs: 3 })
    for (const name of names) expect(files.get(name)).toBe(await exportOf(name))
    const first = await exported({ limit: 2 })
    expect([...first.files.keys()]).toEqual(['ana.1', 'ana.2'])
    expect(first.end).toEqual({ type: 'end', runs: 2, next: 'ana.2' })
    expect([...(await exported({ limit: 2, after: 'ana.2' })).files.keys()]).toEqual(['bob.1'])
    const some = edgeApi({
      url: world.edge.process.url,
      token: await world.token({ runs: ['bob.*', 'ana.2'] }),
    })
    expect([...(await exported({}, some)).files.keys()]).toEqual(['ana.2', 'bob.1'])
    const theirs = edgeApi({ url: world.edge.process.url, token: await world.token({ tenant: 'globex' }) })
    expect((await exported({}, theirs)).files.get('ana.1')).not.toContain('"first"')
  })

  it('is refused for a page that is none, and says when it broke off', async () => {
    for (const wrong of ['?limit=0', '?after=no%20run'])
      expect((await world.ask(`/v1/export${wrong}`, await world.token())).status).toBe(400)
    const cut =
      new Response('{"kind":"export","run":"a"}\n{"kind":"end","format":1,"seq":1}\n').body ??
      expect.fail('no body')
    const parts: ExportPart[] = []
    const reading = (async () => {
      for await (const part of readExports(cut)) parts.push(part)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'unreachable' })
    expect(parts.length).toBe(2)
  })

  it('uses no memory for what a slow reader has not taken', async () => {
    const run = parseRunId('large.1')
    let head = await world.push('acme', run, [firstEntry(run, { text: 'first' })])
    for (let push = 0; push < 80; push += 1) {
      const turns = Array.from({ length: 15 }, (_, index) =>
        note(push * 15 + index, randomBytes(28_000).toString('hex').slice(0, 55_000)),
      )
      head = await world.push('acme', run, turns, head)
    }
    const open = async (): Promise<ReadableStreamDefaultReader<Uint8Array>> =>
      (await edge.get('/v1/runs/{run}/export', { params: { path: { run } } })).getReader()
    const rest = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<number> => {
      let bytes = 0
      for (let part = await reader.read(); !part.done; part = await reader.read())
        bytes += part.value.byteLength
      return bytes
    }
    const bytes = await rest(await open())
    expect(bytes).toBeGreaterThan(60 * 2 ** 20)
    const before = world.edge.process.memory()
    const readers = [await open(), await open(), await open(), await open()]
    for (const reader of readers) await reader.read()
    // Answers to others while they wait: whatever would run ahead has its time.
    for (let count = 0; count < 50; count += 1) await edge.get('/v1/runs')
    // Had all four run ahead, it would be four times as much; meanwhile older entries move into the bucket.
    expect(world.edge.process.memory() - before).toBeLessThan(2 * bytes)
    for (const reader of readers.slice(1)) await reader.cancel()
    expect(await rest(readers[0] ?? expect.fail())).toBeGreaterThan(bytes / 2)
  })
})
