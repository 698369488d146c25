import { parseDigest, parseOwnerId, parseRunId, RunLog, type Digest, type EntryDraft } from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { expect, it } from 'vitest'
import { BlobSweep } from './blob-sweep.ts'

const run = parseRunId('trip')
const me = parseOwnerId('laptop')
const [named, lost, asked] = ['1', '2', '3'].map((digit) => parseDigest(digit.repeat(64))) as [
  Digest,
  Digest,
  Digest,
]
const day = 24 * 60 * 60_000
const start: EntryDraft = {
  kind: 'start',
  body: {
    ...{ agent: 'a', version: 1, config: named, input: null, place: 'browser', whenGone: 'offer' },
    ...{ leaseMs: 30_000, nonce: 'n', sdk: '0', state: null },
  },
}

/** A run whose blobs are all old. Its clock jumps to the end of each wait, at which something may happen. */
async function world({ hasBegun = true } = {}) {
  const memory = memoryStorage()
  const at = { now: 100 * day, waited: () => Promise.resolve() }
  const storage = { ...memory, oldBlobs: async () => ({ old: [named, lost, asked], next: 99 * day }) }
  const clock = {
    now: () => at.now,
    task: () => Promise.resolve(),
    wait: async (ms: number) => {
      at.now += ms
      await at.waited()
    },
  }
  let due = 0
  const sweep = new BlobSweep({ run, storage, clock, due: () => void (due += 1) })
  const log = await RunLog.open(run, { ...storage, blobs: sweep.blobs, now: clock.now })
  for (const hash of [named, lost, asked]) await memory.blobs.put(run, hash, new Uint8Array(1))
  if (hasBegun) await log.append(me, () => [start])
  const gone = () => memory.blobs.missing(run, [named, lost, asked])
  return { at, sweep, log, memory, gone, due: () => due }
}

it('sweep() removes what nothing names, and says when the next may be old enough', async () => {
  const { sweep, log, gone } = await world()
  expect(await sweep.sweep(log)).toBe(106 * day)
  expect(await gone()).toEqual([lost, asked])
})

it('sweep() removes what was put for a run that never began, unless it begins meanwhile', async () => {
  const never = await world({ hasBegun: false })
  await never.sweep.sweep(never.log)
  expect(await never.gone()).toEqual([named, lost, asked])

  const late = await world({ hasBegun: false })
  await late.sweep.blobs.missing(run, [named])
  late.at.waited = async () => void (await late.log.append(me, () => [{ ...start, blobs: [named] }]))
  expect(await late.sweep.sweep(late.log)).toBeGreaterThan(late.at.now)
  expect(await late.gone()).toEqual([])
})

it('sweep() waits until nobody has looked for blobs for a while, and keeps what was named meanwhile', async () => {
  const { at, sweep, log, gone } = await world()
  expect(await sweep.blobs.missing(run, [asked])).toEqual([])
  const name = (): Promise<unknown> =>
    log.append(me, () => [{ kind: 'label', body: { path: '0/l', label: 'l' }, blobs: [asked] } as EntryDraft])
  at.waited = async () => void (await name())
  await sweep.sweep(log)
  expect(await gone()).toEqual([lost])
})

it('sweep() removes nothing while blobs are looked for all the time, and is to be called again', async () => {
  const { at, sweep, log, gone } = await world()
  at.waited = async () => void (await sweep.blobs.missing(run, []))
  await sweep.blobs.missing(run, [])
  const next = await sweep.sweep(log)
  expect(next).toBeGreaterThan(at.now)
  expect(await gone()).toEqual([])
})

it('who looks for blobs while some are removed is told when they are gone', async () => {
  const { sweep, log, memory } = await world()
  const { promise, resolve } = Promise.withResolvers<void>()
  const found: (readonly Digest[])[] = []
  const { remove } = memory.blobs
  memory.blobs.remove = async (...args) => {
    await Promise.resolve()
    void sweep.blobs.missing(run, [lost]).then((missing) => found.push(missing))
    await promise
    await remove(...args)
  }
  const sweeping = sweep.sweep(log)
  await new Promise((next) => setImmediate(next))
  expect(found).toEqual([])
  resolve()
  await sweeping
  await new Promise((next) => setImmediate(next))
  expect(found).toEqual([[lost]])
})

it('blobs that come say that it is to be looked for them', async () => {
  const { sweep, due } = await world()
  await sweep.blobs.put(run, lost, new Uint8Array(1))
  sweep.came()
  expect(due()).toBe(2)
})
