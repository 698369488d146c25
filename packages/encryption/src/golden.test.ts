import { readFile, writeFile } from 'node:fs/promises'
import {
  fromBase64,
  fromUtf8,
  parseRunId,
  RunLog,
  toBase64,
  utf8,
  type Digest,
  type EntryDraft,
  type OwnerId,
} from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { expect, it } from 'vitest'
import { userCipher } from './cipher.ts'

// An encrypted log as the first version stored it. The file never changes: what was stored once is read for ever. A new form
// of it gets a file of its own: `GOLDEN=write npx vitest run packages/encryption/src/golden.test.ts` writes it.

const file = new URL('../golden/log-1.json', import.meta.url)
const run = parseRunId('sealed')
const cipher = userCipher([{ id: 'u', key: Uint8Array.from({ length: 32 }, (_, at) => at) }])

interface Golden {
  readonly lines: readonly string[]
  readonly blobs: Readonly<Record<string, string>>
  /** What those see who have the key, and those who have none. */
  readonly whole: unknown
  readonly open: unknown
}

const identity = {
  ...{ agent: 'diary', version: 1, config: '0'.repeat(64) as Digest, place: 'browser' as const },
  ...{ whenGone: 'offer' as const, leaseMs: 1, nonce: 'n', sdk: '0' },
} as const

const drafts: readonly EntryDraft[] = [
  { kind: 'start', body: { ...identity, input: 'tides', state: { pages: [], cover: 'x'.repeat(40_000) } } },
  { kind: 'turn', body: { turn: 0, rules: 1, version: 1, config: '1'.repeat(64) as Digest } },
  { kind: 'step', body: { path: '0/write', attempts: 1, ms: 2, outcome: { value: 'low water' } } },
  { kind: 'step', body: { path: '0/draw', attempts: 1, ms: 2, outcome: { value: 'o'.repeat(70_000) } } },
  {
    kind: 'ask',
    body: { path: '0/lake', input: '2'.repeat(64) as Digest, question: 'to the lake?', due: 99 },
  },
  { kind: 'cancel', body: { id: 'c', by: 'ana', reason: 'the tide has turned' } },
]

async function write(): Promise<void> {
  const storage = memoryStorage()
  const log = await RunLog.open(run, { ...storage, now: () => 1_000, cipher })
  for (const draft of drafts) await log.append('laptop' as OwnerId, () => [draft])
  const lines = await log.lines(0)
  const blobs: Record<string, string> = {}
  for (const { blobs: named } of await log.entries(0, 99))
    for (const hash of named ?? []) blobs[hash] = toBase64((await storage.blobs.get(run, hash)) as Uint8Array)
  const golden = { lines: lines.map(fromUtf8), blobs }
  const [whole, open] = [await bodies(golden, true), await bodies(golden, false)]
  await writeFile(file, `${JSON.stringify({ ...golden, whole, open }, null, 2)}\n`)
}

/** The bodies of a log as they are read with its key, or without. */
async function bodies({ lines, blobs }: Pick<Golden, 'lines' | 'blobs'>, hasKey: boolean): Promise<unknown> {
  const storage = memoryStorage()
  for (const [hash, bytes] of Object.entries(blobs))
    await storage.blobs.put(run, hash as Digest, fromBase64(bytes))
  const how = hasKey ? { cipher } : { blind: true }
  const log = await RunLog.open(run, { ...storage, now: () => 2_000, ...how })
  await log.adopt(lines.map(utf8))
  const { sealedWith, status, inbox } = log.mustFold()
  const entries = (await log.entries(0, 99)).map(({ kind, body }) => ({ kind, body }))
  return JSON.parse(JSON.stringify({ sealedWith, status, inbox, entries })) as unknown
}

it('an encrypted log is read as what it was when it was written, with its key and without', async () => {
  if (process.env['GOLDEN'] === 'write') await write()
  const golden = JSON.parse(await readFile(file, 'utf8')) as Golden
  expect(await bodies(golden, true)).toEqual(golden.whole)
  expect(await bodies(golden, false)).toEqual(golden.open)
  expect((golden.whole as { entries: { body: unknown }[] }).entries.map(({ body }) => body)).toEqual(
    drafts.map(({ body }) => body),
  )
  for (const said of ['tides', 'low water', 'lake', 'tide has', '0/write', 'ooooo', 'xxxxx'])
    expect(JSON.stringify([golden.lines, golden.open])).not.toContain(said)
})
