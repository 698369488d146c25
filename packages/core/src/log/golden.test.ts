import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Digest, RunId } from '../ids.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { encodeValue } from '../state/codec.ts'
import { fromBase64, fromUtf8, toBase64, utf8 } from '../state/digest.ts'
import type { EntryKind } from './bodies.ts'
import { entryFormat, parseLine } from './entry.ts'
import type { Fold } from './fold.ts'
import { goldenLogs, type GoldenLog } from './golden.test-support.ts'
import { RunLog } from './run-log.ts'

// Logs as each format has stored them, in golden/FORMAT. A file never changes: what was stored once is read for ever. After
// a new format, `GOLDEN=write npx vitest run packages/core/src/log/golden.test.ts` writes the files of that one.

interface Golden {
  readonly run: RunId
  readonly lines: readonly string[]
  readonly blobs: Readonly<Record<string, string>>
  /** What the log folds to. */
  readonly fold: unknown
}

/** Every kind of entry; the compiler asks for one that is not here. */
const kinds: Readonly<Record<EntryKind, true>> = {
  start: true,
  fork: true,
  open: true,
  claim: true,
  turn: true,
  step: true,
  'once.start': true,
  once: true,
  ask: true,
  answer: true,
  receive: true,
  drain: true,
  sleep: true,
  wake: true,
  spawn: true,
  join: true,
  race: true,
  label: true,
  refuse: true,
  decide: true,
  interrupt: true,
  commit: true,
  put: true,
  pause: true,
  retry: true,
  cancel: true,
  unwind: true,
  undo: true,
  rewind: true,
  snapshot: true,
  edit: true,
  migrate: true,
}

const folder = join(import.meta.dirname, '../../golden')
const current = join(folder, String(entryFormat))

if (process.env['GOLDEN'] === 'write') {
  await mkdir(current, { recursive: true })
  for (const golden of await goldenLogs()) {
    const file = join(current, `${golden.run}.json`)
    await writeFile(file, `${JSON.stringify(await storedOf(golden), null, 1)}\n`)
  }
}

/** A fold as data, but for what no snapshot tells: its values in encoded form. */
function plain({ state, result, consumed, sealedWith, ...fold }: Fold): unknown {
  const values = {
    writerSince: undefined,
    state: encodeValue(state),
    result: encodeValue(result),
    consumed: [...consumed],
  }
  // Logs from before there were encrypted ones.
  const keys = sealedWith.length === 0 ? {} : { sealedWith }
  return JSON.parse(JSON.stringify({ ...fold, ...values, ...keys })) as unknown
}

async function storedOf({ run, storage, log }: GoldenLog): Promise<Golden> {
  const lines = await log.reader.lines(0, Infinity)
  const blobs: Record<string, string> = {}
  for (const hash of lines.flatMap((line) => parseLine(line).blobs ?? [])) {
    blobs[hash] = toBase64((await storage.blobs.get(run, hash)) as Uint8Array)
  }
  return { run, lines: lines.map(fromUtf8), blobs, fold: plain(log.mustFold()) }
}

async function readGolden(format: string, name: string): Promise<Golden> {
  return JSON.parse(await readFile(join(folder, format, name), 'utf8')) as Golden
}

const files = (await readdir(folder)).flatMap(async (format) =>
  (await readdir(join(folder, format))).map((name) => [format, name] as const),
)
const stored = (await Promise.all(files)).flat()

describe('golden files', () => {
  it.for(stored)(
    'format %s, %s: are read as what they were when they were written',
    async ([format, name]) => {
      const { run, lines, blobs, fold } = await readGolden(format, name)
      const storage = memoryStorage()
      for (const [hash, bytes] of Object.entries(blobs))
        await storage.blobs.put(run, hash as Digest, fromBase64(bytes))
      const log = await RunLog.open(run, { ...storage, now: () => 0 })
      await log.adopt(lines.map(utf8))
      expect(plain(log.mustFold())).toEqual(fold)
      // From their snapshot on, when they have one.
      const again = await RunLog.open(run, { ...storage, now: () => 0 })
      expect(encodeValue(again.mustFold().state)).toEqual((fold as { state: unknown }).state)
    },
  )

  it('of this format are still written byte for byte', async () => {
    const logs = await goldenLogs()
    expect(logs.map(({ run }) => `${run}.json`).sort()).toEqual((await readdir(current)).sort())
    for (const log of logs) {
      const { lines, blobs } = await storedOf(log)
      const golden = await readGolden(String(entryFormat), `${log.run}.json`)
      expect(lines).toEqual(golden.lines)
      expect(blobs).toEqual(golden.blobs)
    }
  })

  it('of this format hold every kind of entry', async () => {
    const found = new Set<string>()
    for (const name of await readdir(current)) {
      const { lines } = await readGolden(String(entryFormat), name)
      for (const line of lines) found.add(parseLine(utf8(line)).kind)
    }
    expect([...found].sort()).toEqual(Object.keys(kinds).sort())
  })
})
