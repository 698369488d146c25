import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import type { Artifact } from '../engine/artifacts.ts'
import type { Digest, RunId } from '../ids.ts'
import { entryFormat } from '../log/entry.ts'
import { firstIn, start } from '../log/log.test-support.ts'
import { digestBytes, utf8 } from '../state/digest.ts'
import { blobsNamed, importExport } from './import-run.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'
import type { Runtime } from './runtime.ts'

const calls: string[] = []
const writer = defineAgent({
  name: 'writer',
  version: 1,
  initial: (input: { title: string }) => ({ ...input, parts: [] as string[] }),
  async turn(ctx, state) {
    const turn = ctx.turn
    const part = await ctx.step('write', () => {
      calls.push(`write ${String(turn)}`)
      return `${state.title}, part ${String(turn)} `.repeat(turn === 1 ? 5_000 : 1)
    })
    if (turn === 0) await ctx.artifact('cover', new Uint8Array([1, 2, 3]))
    if (turn === 2) await ctx.receive('go' as never)
    state.parts.push(part)
    return turn === 3 ? done(state.parts.length) : next()
  },
})

async function exported(run: RunHandle): Promise<{ text: string; blobs: Map<string, Uint8Array> }> {
  const { lines, blobs } = run.export()
  const texts: string[] = []
  for await (const line of lines()) texts.push(line)
  const files = new Map<string, Uint8Array>()
  for await (const { hash, bytes } of blobs()) files.set(hash, bytes)
  return { text: texts.join('\n') + '\n', blobs: files }
}

async function imported(
  runtime: Runtime,
  text: string,
  blobs: ReadonlyMap<string, Uint8Array>,
  id = 'again',
): Promise<RunHandle> {
  for (const [hash, bytes] of blobs) await runtime.putBlob(id as RunId, hash as Digest, bytes)
  return handleOf(runtime, await runtime.importRun(id as RunId, text.split('\n')))
}

/** A run that waits in the middle of its third turn. */
async function waiting() {
  const device = testDevice([writer])
  const runtime = await device.open()
  const run = await handleOf(runtime, await runtime.start('writer', { title: 'Tides' }, { id: 'tides' }))
  await run.until(({ turn, status }) => turn === 2 && status === 'waiting')
  return { run, runtime, device }
}

describe('export', () => {
  it('is lines of JSON that anybody can read, with the bytes beside them', async () => {
    const { run } = await waiting()
    const { text, blobs } = await exported(run)
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, never>)
    expect(lines[0]).toMatchObject({ kind: 'export', format: 1, run: 'tides', head: run.view()?.head })
    expect(lines.slice(1, -1).map(({ kind }) => kind)).toEqual(run.entries().map(({ kind }) => kind))
    expect(lines.at(-1)).toMatchObject({ kind: 'state', state: { title: 'Tides' } })
    const named = lines.flatMap(({ blobs: hashes }) => (hashes as readonly string[] | undefined) ?? [])
    expect([...blobs.keys()].sort()).toEqual([...new Set(named)].sort())
    expect(named.length).toBeGreaterThan(1)
  })

  it('is imported elsewhere as a run that goes on in the middle of its turn, and does nothing before it is told to', async () => {
    const { run } = await waiting()
    const { text, blobs } = await exported(run)
    calls.length = 0
    const elsewhere = await testDevice([writer], { name: 'phone' }).open()
    const again = await imported(elsewhere, text, blobs)
    expect(again.view()).toMatchObject({
      status: 'paused',
      pause: { reason: 'imported' },
      state: run.view()?.state,
    })
    expect(await again.artifact(again.view()?.artifacts[0] as never)).toEqual(new Uint8Array([1, 2, 3]))
    expect(calls).toEqual([])
    await again.retry()
    await again.send('go', null)
    expect(await again.result()).toBe(4)
    expect(calls).toEqual(['write 3'])
  })

  it('takes over an edited state, as an entry of its own', async () => {
    const { run } = await waiting()
    const { text, blobs } = await exported(run)
    const lines = text.trim().split('\n')
    const state = (lines.at(-1) as string).replace('"title":"Tides"', '"title":"Moons"')
    const elsewhere = await testDevice([writer], { name: 'phone' }).open()
    const again = await imported(elsewhere, [...lines.slice(0, -1), state].join('\n'), blobs)
    expect(again.entries().map(({ kind }) => kind)).toEqual(['fork', 'edit', 'pause', 'open'])
    expect(again.view()?.state).toMatchObject({ title: 'Moons' })
    calls.length = 0
    await again.retry()
    await again.send('go', null)
    expect(await again.result()).toBe(4)
    // Its turn began anew: what it had recorded was made from the state as it was.
    expect(calls).toEqual(['write 2', 'write 3'])
    const edited = again.view()?.state as { parts: string[] }
    expect(edited.parts.at(-1)).toContain('Moons')
  })

  it('imported twice under one id is one run; under the id of another it is refused', async () => {
    const { run, runtime } = await waiting()
    const { text, blobs } = await exported(run)
    const first = await imported(runtime, text, blobs)
    const second = await imported(runtime, text, blobs)
    expect(second.view()?.head).toEqual(first.view()?.head)
    await expect(imported(runtime, text, blobs, 'tides')).rejects.toMatchObject({ code: 'run_exists' })
  })

  it.for([
    ['an entry was changed', (text: string) => text.replace('"epoch":0', '"epoch":1'), 'log_damaged'],
    ['an entry is missing', (text: string) => text.split('\n').toSpliced(2, 1).join('\n'), 'log_damaged'],
    ['a line is no JSON', (text: string) => text.replace('{"kind":"state"', '{"kind"'), 'request_refused'],
    ['it is something else', () => '{"hello":"world"}', 'request_refused'],
    [
      'the state is none',
      (text: string) => text.replace('"title":"Tides","parts"', '"$":"nothing","parts"'),
      'value_refused',
    ],
  ] as const)('is refused when %s, and nothing is kept', async ([, change, code]) => {
    const { run } = await waiting()
    const { text, blobs } = await exported(run)
    const device = testDevice([writer], { name: 'phone' })
    const elsewhere = await device.open()
    const at = text.lastIndexOf('\n{')
    const changed = code === 'value_refused' ? text.slice(0, at) + change(text.slice(at)) : change(text)
    const importing = importExport(elsewhere, 'again' as RunId, changed.split('\n'), async (hash) =>
      blobs.get(hash),
    )
    await expect(importing).rejects.toMatchObject({ code })
    expect(await elsewhere.runs()).toEqual([])
    const hashes = [...blobs.keys()] as Digest[]
    expect(hashes).not.toEqual([])
    expect(await device.blobs.missing('again' as RunId, hashes)).toEqual(hashes)
  })

  const begin = start({}).body

  it.for([
    ['start', null],
    ['fork', { ...begin, turn: 0, records: null, effects: [] }],
    ['commit', null],
    ['answer', {}],
    ['drain', { items: 3 }],
    ['put', { changes: [null] }],
    ['rewind', {}],
    ['snapshot', { at: { seq: 0, digest: 'x' }, kept: [null], fold: {} }],
    ['unwind', null],
  ] as const)(
    'is refused when somebody has made a chain with a body of "%s" that is none',
    async ([kind, body]) => {
      let prev: string | null = null
      const made = [...(kind === 'start' || kind === 'fork' ? [] : [['start', begin]]), [kind, body]]
      const lines = made.map(([of, one], seq) => {
        const header = { format: entryFormat, run: 'r', seq, prev, epoch: 0, term: 1, owner: 'x', time: 1 }
        const line = JSON.stringify({ ...header, kind: of, body: one })
        prev = digestBytes(utf8(line))
        return line
      })
      const text = [JSON.stringify({ kind: 'export', format: 1, run: 'r' }), ...lines].join('\n')
      const elsewhere = await testDevice([writer], { name: 'phone' }).open()
      const importing = imported(elsewhere, text, new Map())
      await expect(importing).rejects.toMatchObject({ code: 'entry_refused' })
      expect(await elsewhere.runs()).toEqual([])
    },
  )

  it('is refused without the blobs it needs', async () => {
    const { run } = await waiting()
    const { text } = await exported(run)
    const elsewhere = await testDevice([writer], { name: 'phone' }).open()
    await expect(imported(elsewhere, text, new Map())).rejects.toMatchObject({ code: 'blob_missing' })
  })
})

describe('an export of a run of which entries were let go', () => {
  const keeper = defineAgent({
    name: 'keeper',
    version: 1,
    retention: { turns: 0, age: 0 },
    inbox: {},
    initial: () => ({ count: 0, pad: '', held: null as Artifact | null }),
    async turn(ctx, state) {
      if (state.count === 0) state.held = await ctx.artifact('first', 'held for long')
      if (state.count === 1) await ctx.artifact('first', 'another')
      if (state.count >= 20) await ctx.receive('go' as never)
      state.count += 1
      state.pad = String(state.count % 10).repeat(40_000)
      return next()
    },
  })

  it.for([1, 16])('can be imported, from a store that lets go of %s entries at a time', async (some) => {
    const device = testDevice([keeper])
    const { compact } = device.store
    device.store.compact = (run, { forget, cold }) =>
      compact(run, { forget: Math.floor(forget / some) * some, cold })
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('keeper', null, { id: 'long' }))
    await run.until(({ state, status }) => (state as { count: number }).count === 20 && status === 'waiting')
    while ((await firstIn(device, run.id)) < 10) await testClock.task()
    const { text, blobs } = await exported(run)
    const elsewhere = await testDevice([keeper], { name: 'phone' }).open()
    // Whoever imports asks for what the lines name.
    const names = new Set<string>(blobsNamed(text.split('\n')))
    const named = new Map([...blobs].filter(([hash]) => names.has(hash)))
    const again = await imported(elsewhere, text, named)
    expect(again.view()?.state).toEqual(run.view()?.state)
    const state = again.view()?.state as { held: Artifact } | undefined
    expect(new TextDecoder().decode(await again.artifact(state?.held as Artifact))).toBe('held for long')
  })
})
