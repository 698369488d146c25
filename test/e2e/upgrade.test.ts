import { edgeClient } from '@waystone/browser'
import { parseDigest, parseOwnerId, parseRunId, sealEntry, verifyChain, type Head } from '@waystone/core'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { hasTable, readDatabases } from '../harness/edge-databases.ts'
import { startEdge, type EdgeOptions } from '../harness/edge-process.ts'
import { poll } from '../harness/poll.ts'

// What the edge of 0.1 has stored, before there were tenants: `golden/edge-0.1` is never changed. A later version that stores
// something else gets a folder of its own beside it. `golden/service-0.1` is what `worker/` has stored: with a catalog, search, a
// keyring, and history in the bucket.

const run = parseRunId('from-0.1')
const device = parseOwnerId('an-old-device')
const head = {
  seq: 43,
  digest: parseDigest('9be51718e779b88d8aec63e510206f51a96c11da4fb78b1d6ddbb9bbfe0df40c'),
}
const longHead: Head = {
  seq: 2101,
  digest: parseDigest('a0fd49202390de381588e2b57abcaad323c3658910f2d3ba76217a9383296395'),
}
const blobs = {
  '848d5154788d2e5689446048e57014c28d165ea40c4945f7d479c16ad8b55e9f': 1_000,
  '698bf4147a4201230d3760f5b6bb62a58215fd33e4fb9458f7b64d1a4617cdb1': 100_000,
}

const headers = { authorization: 'Bearer golden' }

/** An edge of this version over a copy of what an earlier one has stored. */
async function upgraded(golden: string, options: Omit<EdgeOptions, 'persistTo'>) {
  const persistTo = await mkdtemp(join(tmpdir(), 'waystone-upgrade-'))
  await cp(join(import.meta.dirname, 'golden', golden), persistTo, { recursive: true })
  let edge = await startEdge({ ...options, persistTo })
  return {
    url: () => edge.url,
    stored: <T>(read: (database: DatabaseSync) => T) => readDatabases(persistTo, read),
    client: () => edgeClient({ url: edge.url, token: () => 'golden' }, device),
    async killed(): Promise<void> {
      await edge.kill()
      edge = await startEdge({ ...options, persistTo })
    },
    async end(): Promise<void> {
      await edge.stop()
      await rm(persistTo, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

it('a run that an earlier edge stored is there with all it has, goes on, and is there after a kill', async () => {
  const { client, url, killed, end } = await upgraded('edge-0.1', {
    config: join(import.meta.dirname, 'app/wrangler.toml'),
    vars: { TOKEN: 'golden', ORIGINS: 'http://127.0.0.1' },
  })
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
  const path = `${url()}/v1/runs/${run}`
  const link = await fetch(`${path}/links`, { method: 'POST', headers, body: '{"use":"read"}' })
  expect(link.status).toBe(200)

  await killed()
  const again = await client().remote.pull(run, 44, device)
  expect(again.head).toEqual({ seq: entry.seq, digest: entry.digest })
  expect(again.lines.length).toBe(1)
  expect(again.inbox).toMatchObject([{ id: 'old-message' }])
  await end()
})

it('a service that an earlier version ran lists, finds and keeps what it had, and moves more history beside the old', async () => {
  const { client, url, stored, killed, end } = await upgraded('service-0.1', {
    config: join(import.meta.dirname, 'service/wrangler.toml'),
    vars: { WAYSTONE_TOKEN: 'golden', WAYSTONE_SEARCH: 'default' },
  })
  const read = async (path: string): Promise<unknown> => {
    const response = await fetch(`${url()}/v1${path}`, { headers })
    return response.json()
  }
  expect(await read('/runs')).toMatchObject({
    runs: [{ run: 'ana.said', status: 'waiting' }, { run: 'ana.long' }],
  })
  expect(await read('/search?q=aurora')).toMatchObject({ hits: [{ run: 'ana.said', seq: 2 }] })
  expect(await read('/keyring')).toEqual({ keyring: { version: 1, golden: 'as it was' } })

  const [long, said] = [parseRunId('ana.long'), parseRunId('ana.said')]
  const { remote, blobs: remoteBlobs } = client()
  expect((await remote.pull(said, 0, device)).inbox).toMatchObject([{ id: 'old-message', value: 'kept' }])
  const old = parseDigest('2c4b101169bf328cd4a882e640a8b57eb3acf76518b3d105869905cf629e791c')
  expect((await remoteBlobs.get(long, old))?.byteLength).toBe(100_000)
  // The first of it are in the bucket.
  const allOf = async (): Promise<readonly Uint8Array[]> => {
    const lines: Uint8Array[] = []
    for (;;) {
      const page = (await client().remote.pull(long, lines.length, device)).lines
      if (page.length === 0) return lines
      lines.push(...page)
    }
  }
  const before = await allOf()
  expect(verifyChain(long, undefined, before).at(-1)?.digest).toBe(longHead.digest)

  // Enough that more of it moves, into a table that notes more by now.
  let base: Head = longHead
  for (let page = 0; page < 12; page += 1) {
    const lines: Uint8Array[] = []
    const from = base
    for (let number = 0; number < 125; number += 1) {
      const seq = base.seq + 1
      const outcome = { value: `entry ${String(seq)} of what is added to it, `.repeat(28) }
      const body = { path: `0/s${String(seq)}`, attempts: 1, ms: 1, outcome } as const
      const at = {
        run: long,
        seq,
        prev: base.digest,
        epoch: 0,
        term: 1,
        owner: device,
        time: 1_700_000_000_000,
      }
      const { line, entry } = sealEntry({ kind: 'step', body }, at)
      base = { seq, digest: entry.digest }
      lines.push(line)
    }
    expect(await remote.push(long, { base: from, lines })).toMatchObject({ ok: true })
  }
  await poll(
    async () =>
      ((await read('/search?q="what is added"')) as { hits: unknown[] }).hits.length > 0 || undefined,
    {
      timeoutMs: 60_000,
      everyMs: 500,
      message: () => 'what was added is not found',
    },
  )
  // Objects of this version have a size; those of before were never counted.
  const sizes = (database: DatabaseSync): readonly number[] =>
    hasTable(database, 'waystone_history')
      ? database
          .prepare('SELECT bytes FROM waystone_history ORDER BY first')
          .all()
          .map(({ bytes }) => Number(bytes))
      : []
  await poll(async () => (await stored(sizes)).flat().length > 1 || undefined, {
    timeoutMs: 60_000,
    everyMs: 500,
    message: () => 'no more history moves to the bucket',
  })
  await killed()
  const [first, ...others] = (await stored(sizes)).flat()
  expect([first, others.every((bytes) => bytes > 0)]).toEqual([0, true])
  const after = await allOf()
  expect(after.slice(0, before.length)).toEqual(before)
  expect(verifyChain(long, undefined, after).at(-1)?.digest).toBe(base.digest)
  await end()
})
