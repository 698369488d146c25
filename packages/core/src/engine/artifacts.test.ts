import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Digest, RunId } from '../ids.ts'
import { digestBytes } from '../state/digest.ts'
import { isWaystoneError, WaystoneError } from '../errors.ts'
import { openedBlob } from '../log/log-reader.ts'
import { RunLog } from '../log/run-log.ts'
import { handleOf, hastyClock, testClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { defineAgent, done, next } from './agent.ts'
import { readArtifact, storeArtifact, type Artifact, type ArtifactBlobs } from './artifacts.ts'

/** Blobs that count what is stored and how much is asked for at a time. */
function countingBlobs() {
  const kept = new Map<Digest, Uint8Array>()
  const counts = { put: 0, bytes: 0, got: 0 }
  const blobs: ArtifactBlobs = {
    async putBlob(bytes) {
      const hash = digestBytes(bytes) as Digest
      counts.put += 1
      if (!kept.has(hash)) counts.bytes += bytes.byteLength
      kept.set(hash, bytes.slice())
      return hash
    },
    async getBlob(hash) {
      counts.got += 1
      return openedBlob({ run: 'run' as RunId, key: undefined }, hash, {
        blobs: { get: async () => kept.get(hash)?.slice() },
      })
    },
  }
  return { blobs, kept, counts }
}

const bytesOf = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => Math.imul(index + seed, 0x9e3779b1) >>> 24)

async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void> {
  for (let at = 0, index = 0; at < bytes.byteLength; index += 1) {
    const size = Math.max(1, sizes[index % sizes.length] ?? 1)
    yield bytes.subarray(at, at + size)
    at += size
  }
}

/** A source that never ends by itself, and how often it was told to. */
function endlessSource(next: () => Promise<Uint8Array>) {
  let cancelled = 0
  const source = {
    getReader: () => ({
      read: async () => ({ done: false, value: await next() }),
      cancel: async () => void (cancelled += 1),
    }),
  }
  return { source, cancelled: () => cancelled }
}

describe('artifacts', () => {
  it('come back as they were stored, whole or in part, however they came and were edited', async () => {
    const edit = fc.record({ at: fc.nat(400), length: fc.integer({ min: 0, max: 300 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.nat(400),
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 4 }),
        fc.array(edit, { maxLength: 4 }),
        fc.tuple(fc.nat(700), fc.nat(700)),
        async (length, sizes, edits, [from, to]) => {
          const { blobs } = countingBlobs()
          const name = 'a'
          let expected = bytesOf(length)
          let { handle } = await storeArtifact(blobs, { name, content: inPieces(expected, sizes), part: 64 })
          for (const { at, length: count } of edits) {
            const begin = Math.min(at, expected.byteLength)
            const put = bytesOf(count, 7)
            const grown = new Uint8Array(Math.max(expected.byteLength, begin + count))
            grown.set(expected)
            grown.set(put, begin)
            expected = grown
            handle = (
              await storeArtifact(blobs, { name, content: { base: handle, at: begin, bytes: put }, part: 64 })
            ).handle
          }
          expect(handle.bytes).toBe(expected.byteLength)
          expect(await readArtifact(blobs, handle)).toEqual(expected)
          expect(await readArtifact(blobs, handle, { from, to })).toEqual(
            expected.slice(from, Math.max(from, to)),
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  it('in parts: an edit stores the parts that it touches, and their list', async () => {
    const { blobs, counts } = countingBlobs()
    const mega = 1024 * 1024
    const content = inPieces(bytesOf(20 * mega), [300_000])
    const { handle, blobs: named } = await storeArtifact(blobs, { name: 'weights', content })
    expect(named).toHaveLength(21)
    counts.bytes = 0
    counts.got = 0
    const edited = await storeArtifact(blobs, {
      name: 'weights',
      content: { base: handle, at: 7 * mega, bytes: bytesOf(mega, 3) },
    })
    expect(counts.bytes).toBeLessThan(1.1 * mega)
    // The list of parts, and it again with the part that is replaced whole, which is not read byte by byte elsewhere.
    expect(counts.got).toBeLessThanOrEqual(4)
    expect(edited.handle.bytes).toBe(20 * mega)
    counts.got = 0
    expect(await readArtifact(blobs, edited.handle, { from: 8 * mega - 2, to: 8 * mega + 2 })).toHaveLength(4)
    expect(counts.got).toBe(3)
  })

  it('that cannot be had say which, and what of them', async () => {
    const { blobs, kept } = countingBlobs()
    const { handle, blobs: named } = await storeArtifact(blobs, {
      name: 'map',
      content: bytesOf(300),
      part: 100,
    })
    const part = named[2] as Digest
    const bytes = kept.get(part) as Uint8Array
    kept.set(part, bytes.with(0, (bytes[0] as number) ^ 1))
    await expect(readArtifact(blobs, handle)).rejects.toMatchObject({
      code: 'log_damaged',
      details: { artifact: 'map' },
    })
    kept.delete(part)
    await expect(readArtifact(blobs, handle)).rejects.toMatchObject({
      code: 'blob_missing',
      details: { hashes: [part] },
    })
    const tiny = storeArtifact(blobs, { name: 'map', content: bytesOf(800), part: 1 })
    await expect(tiny).rejects.toMatchObject({ code: 'too_large' })
    const gap = storeArtifact(blobs, { name: 'map', content: { base: handle, at: 301, bytes: bytesOf(1) } })
    await expect(gap).rejects.toMatchObject({ code: 'input_refused' })
  })
})

function forkedState(state: unknown): { readonly held: Artifact } {
  return state as { readonly held: Artifact }
}

describe('artifacts of any author', () => {
  it('that come byte by byte cost no more than their bytes', async () => {
    const { blobs } = countingBlobs()
    const bytes = bytesOf(1024 * 1024 + 3)
    const { handle } = await storeArtifact(blobs, { name: 'a', content: inPieces(bytes, [1]) })
    expect(await readArtifact(blobs, handle)).toEqual(bytes)
  }, 20_000)

  it.for([0, -1, 1.5, NaN, Infinity, 2 ** 40])('refuses parts of %s bytes', async (part) => {
    const stored = storeArtifact(countingBlobs().blobs, { name: 'a', content: new Uint8Array(10), part })
    await expect(stored).rejects.toMatchObject({ code: 'input_refused' })
  })

  it.for([-1, 0.5, NaN])('refuses an edit at %s', async (at) => {
    const { blobs } = countingBlobs()
    const { handle } = await storeArtifact(blobs, { name: 'a', content: new Uint8Array(10) })
    const content = { base: handle, at, bytes: new Uint8Array(3) }
    await expect(storeArtifact(blobs, { name: 'a', content })).rejects.toMatchObject({
      code: 'input_refused',
    })
  })
})

describe('ctx.artifact', () => {
  const trainer = defineAgent({
    name: 'trainer',
    version: 1,
    retention: { turns: 0, age: 0 },
    initial: (input: { rounds: number }) => ({
      ...input,
      held: null as Artifact | null,
      sums: [] as number[],
      pad: '',
    }),
    async turn(ctx, state) {
      const { turn } = ctx
      const weights = await ctx.artifact(
        'weights',
        async ({ read }) => {
          const base = turn > 0 && state.held
          if (!base) return inPieces(bytesOf(40_000), [999])
          const [first] = await read(base, { from: turn * 1_000, to: turn * 1_000 + 1 })
          return { base, at: turn * 1_000, bytes: Uint8Array.of((first ?? 0) ^ 255) }
        },
        { part: 4_096, type: 'application/x-weights' },
      )
      const sum = await ctx.step('sum', async ({ read }) => (await read(weights)).reduce((a, b) => a + b, 0))
      state.held = weights
      state.sums.push(sum)
      state.pad = String(turn).repeat(70_000)
      return state.sums.length === state.rounds ? done(sum) : next()
    },
  })

  it('is streamed in, edited and read by steps, and its old versions go when nothing has them any more', async () => {
    const device = testDevice([trainer])
    const removed: Digest[] = []
    const { remove } = device.blobs
    device.blobs.remove = (run, hashes) => {
      removed.push(...hashes)
      return remove(run, hashes)
    }
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('trainer', { rounds: 12 }, { id: 'train' }))
    const sum = await run.result()
    const artifact = run.view()?.artifacts[0] as Artifact
    expect(run.view()?.artifacts).toHaveLength(1)
    expect(artifact).toMatchObject({
      name: 'weights',
      type: 'application/x-weights',
      bytes: 40_000,
      part: 4_096,
    })
    const bytes = await run.artifact(artifact)
    expect(bytes.reduce((a, b) => a + b, 0)).toBe(sum)
    expect(await run.artifact(artifact, { from: 1_000, to: 1_001 })).toEqual(bytes.slice(1_000, 1_001))
    expect(await run.missing()).toEqual([])
    expect(removed.length).toBeGreaterThan(5)
    // The last one is whole, whatever was removed.
    await device.blobs.remove('train' as never, [artifact.hash as Digest])
    expect(await run.missing()).toEqual([artifact])
  })

  it('goes along with a fork', async () => {
    const device = testDevice([trainer])
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('trainer', { rounds: 2 }, { id: 'train' }))
    await run.result()
    const seq = run.entries().find(({ kind }) => kind === 'commit')?.seq ?? 0
    const fork = await handleOf(runtime, await run.fork({ seq, id: 'again' }))
    await fork.result()
    const { held } = forkedState(fork.view()?.state)
    await device.blobs.remove(
      'train' as never,
      await device.blobs.missing('other' as never, [held.hash as Digest]),
    )
    expect(await fork.artifact(held)).toHaveLength(40_000)
  })

  it('stores nothing more of a source that its step does not wait for any more, and lets go of it', async () => {
    let pulled = 0
    const endless = endlessSource(async () => {
      pulled += 1
      await testClock.task()
      return new Uint8Array(1_000).fill(pulled)
    })
    const agent = defineAgent({
      name: 'sink',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        try {
          await ctx.artifact('a', () => endless.source, { timeout: 20, attempts: 1 })
        } catch (error) {
          return done((error as { code: string }).code)
        }
        return done('stored')
      },
    })
    const runtime = await testDevice([agent]).open()
    const handle = await handleOf(runtime, await runtime.start('sink', null))
    expect(await handle.result()).toBe('step_timeout')
    const before = pulled
    for (let task = 0; task < 100; task += 1) await testClock.task()
    expect(pulled).toBeLessThanOrEqual(before + 1)
    expect(endless.cancelled()).toBe(1)
  })

  it.for(['storage_failed', 'storage_full', 'storage_lost'] as const)(
    'is stored by the next attempt when its bytes meet %s, which is no outcome of the step',
    async (code) => {
      const agent = defineAgent({
        name: 'reporter',
        version: 1,
        initial: () => ({}),
        async turn(ctx) {
          return done(await ctx.artifact('report', '# Tides'))
        },
      })
      const device = testDevice([agent], { clock: hastyClock })
      const { put } = device.blobs
      let puts = 0
      device.blobs.put = async (...args) => {
        if (args[2].byteLength === 7 && (puts += 1) === 1) throw new WaystoneError(code, 'this bucket fails')
        await put(...args)
      }
      const runtime = await device.open()
      const run = await handleOf(runtime, await runtime.start('reporter', null))
      expect(await run.result()).toMatchObject({ name: 'report', bytes: 7 })
      expect(puts).toBe(2)
      const kinds = run.entries().map(({ kind }) => kind)
      expect(kinds.filter((kind) => kind === 'step' || kind === 'pause')).toEqual(['step'])
      await runtime.close()
    },
  )

  it('lets go of a source when its bytes cannot be stored', async () => {
    const { source, cancelled } = endlessSource(async () => new Uint8Array(1_000))
    const agent = defineAgent({
      name: 'sink',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        return done(await ctx.artifact('a', () => (cancelled() === 0 ? source : 'another'), { part: 1_000 }))
      },
    })
    const device = testDevice([agent], { clock: hastyClock })
    const { put } = device.blobs
    device.blobs.put = async (...args) => {
      if (args[2].byteLength === 1_000) throw new WaystoneError('storage_failed', 'this bucket fails')
      await put(...args)
    }
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('sink', null))
    expect(await run.result()).toMatchObject({ bytes: 7 })
    expect(cancelled()).toBe(1)
    await runtime.close()
  })

  it.for([3, 5])('keeps one like that of %s turns before, which goes meanwhile', async (turns) => {
    const slow = async function* (number: number): AsyncGenerator<Uint8Array, void> {
      yield new TextEncoder().encode(`number ${String(number)}`)
      for (let task = 0; task < 20; task += 1) await testClock.task()
      yield Uint8Array.of(1)
    }
    const keeper = defineAgent({
      name: 'keeper',
      version: 1,
      retention: { turns: 0, age: 0 },
      initial: () => ({ count: 0, pad: '' }),
      async turn(ctx, state) {
        await ctx.artifact('a', slow(state.count % turns), { part: 8 })
        state.count += 1
        // Long enough for its snapshot to be written while the next turn runs.
        state.pad = String(state.count % 10).repeat(1_000_000)
        return state.count === 12 ? done() : next()
      },
    })
    const runtime = await testDevice([keeper]).open()
    const handle = await handleOf(runtime, await runtime.start('keeper', null, { id: 'keep' }))
    await handle.result()
    expect(await handle.missing()).toEqual([])
  })

  const holder = defineAgent({
    name: 'holder',
    version: 1,
    retention: { turns: 0, age: 0 },
    inbox: {},
    initial: () => ({ count: 0, pad: '', held: null as Artifact | null }),
    async turn(ctx, state) {
      if (state.count > 0) await ctx.receive('go' as never)
      if (state.count === 0) state.held = await ctx.artifact('a', 'held')
      else if (state.count === 1) {
        state.held = null
        await ctx.artifact('a', 'another')
      }
      state.count += 1
      state.pad = String(state.count % 10).repeat(40_000)
      return next()
    },
  })

  it('keeps those of a checkpoint that a run went back to as long as the checkpoint', async () => {
    const device = testDevice([holder])
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('holder', null, { id: 'run' }))
    const count = (to: number): Promise<unknown> =>
      run.until(({ state, status }) => (state as { count: number }).count === to && status === 'waiting')
    const go = async (from: number, to: number): Promise<void> => {
      for (let turn = from; turn < to; turn += 1) {
        await run.send('go', null)
        await count(turn + 1)
        for (let task = 0; task < 20; task += 1) await testClock.task()
      }
    }
    await count(1)
    const seq = run.entries().find(({ kind }) => kind === 'commit')?.seq as number
    await go(1, 2)
    await run.rewind({ seq })
    await count(1)
    for (let turn = 1; turn < 8; turn += 1) {
      await go(turn, turn + 1)
      const log = await RunLog.open('run' as RunId, { ...device, now: () => 1 })
      for (let at = 0; at <= log.mustFold().head.seq; at += 1) {
        const fold = await log.foldAt(at).catch((error: unknown) => {
          if (!isWaystoneError(error, 'checkpoint_gone')) throw error
        })
        const held = (fold?.state as { held: Artifact | null } | undefined)?.held
        if (held)
          expect([at, await device.blobs.missing('run' as RunId, [held.hash as Digest])]).toEqual([at, []])
      }
    }
  })
})
