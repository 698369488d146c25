import { edgeClient } from '@waystone/browser'
import { parseDigest, parseOwnerId, parseRunId, sealEntry } from '@waystone/core'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startEdge, type EdgeProcess } from '../harness/edge-process.ts'

// What the edge of 0.1 has stored, before there were tenants: `golden/edge-0.1` is never changed. A later version that stores
// something else gets a folder of its own beside it.

const run = parseRunId('from-0.1')
const device = parseOwnerId('an-old-device')
const head = {
  seq: 43,
  digest: parseDigest('9be51718e779b88d8aec63e510206f51a96c11da4fb78b1d6ddbb9bbfe0df40c'),
}
const blobs = {
  '848d5154788d2e5689446048e57014c28d165ea40c4945f7d479c16ad8b55e9f': 1_000,
  '698bf4147a4201230d3760f5b6bb62a58215fd33e4fb9458f7b64d1a4617cdb1': 100_000,
}

let persistTo: string
let edge: EdgeProcess
const begin = (): Promise<EdgeProcess> =>
  startEdge({
    persistTo,
    config: join(import.meta.dirname, 'app/wrangler.toml'),
    vars: { TOKEN: 'golden', ORIGINS: 'http://127.0.0.1' },
  })
beforeAll(async () => {
  persistTo = await mkdtemp(join(tmpdir(), 'waystone-upgrade-'))
  await cp(join(import.meta.dirname, 'golden/edge-0.1'), persistTo, { recursive: true })
  edge = await begin()
})
afterAll(async () => {
  await edge.stop()
  await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
})

it('a run that an earlier edge stored is there with all it has, goes on, and is there after a kill', async () => {
  const client = () => edgeClient({ url: edge.url, token: () => 'golden' }, device)
  const { remote, blobs: remoteBlobs } = client()
  const pulled = await remote.pull(run, 0, device)
  expect(pulled.head).toEqual(head)
  expect(pulled.lines.length).toBe(44)
  expect(pulled.inbox).toMatchObject([{ id: 'old-message', value: 'kept' }])
  for (const [hash, bytes] of Object.entries(blobs))
    expect((await remoteBlobs.get(run, parseDigest(hash)))?.byteLength).toBe(bytes)

  const at = { run, seq: head.seq + 1, prev: head.digest, epoch: 0, term: 1, owner: device, time: 1 }
  const { line, entry } = sealEntry({ kind: 'interrupt', body: { id: 'i', by: 'somebody' } }, at)
  expect(await remote.push(run, { base: head, lines: [line] })).toMatchObject({ ok: true })
  const headers = { authorization: 'Bearer golden' }
  const path = `${edge.url}/v1/runs/${run}`
  const link = await fetch(`${path}/links`, { method: 'POST', headers, body: '{"use":"read"}' })
  expect(link.status).toBe(200)

  await edge.kill()
  edge = await begin()
  const again = await client().remote.pull(run, 44, device)
  expect(again.head).toEqual({ seq: entry.seq, digest: entry.digest })
  expect(again.lines.length).toBe(1)
  expect(again.inbox).toMatchObject([{ id: 'old-message' }])
})
