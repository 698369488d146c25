import { describe, expect, it } from 'vitest'
import { parseLine, type ParsedEntry } from '../log/entry.ts'
import { run } from '../log/log.test-support.ts'
import { fromUtf8 } from '../state/digest.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock } from './memory-world.test-support.ts'
import { damage, paid, payer } from './payer.test-support.ts'

describe('a damaged run', () => {
  it('pauses where it is sound, lists what was set aside, and names the effects that it had started', async () => {
    const { device, digest } = await paid(2)
    damage(device, (line) => parseLine(line).digest === digest)
    const handle = await handleOf(await device.open(), run)
    const paused = await handle.until(({ status }) => status === 'paused')
    expect(paused.pause?.reason).toBe('set aside')
    expect(paused.state).toEqual({ paid: 1 })
    expect(paused.error).toMatchObject({ code: 'log_damaged' })
    const [tail] = await handle.setAside()
    expect(tail?.reason).toContain('damaged')
    expect(tail?.lines.length).toBeGreaterThan(2)
    await handle.retry()
    await handle.until(({ status }) => status === 'waiting')
  })

  it.each([
    ['key is another one', 'key', /[0-9]/],
    ['key is none', 'key', /[af]/],
    ['path is another one', 'path', /[a-z]/],
  ] as const)('asks about an effect whose %s, by the key that it has', async (_, field, changed) => {
    const { device, digest } = await paid(2)
    const lines = (await device.store.read(run, 0)).map(parseLine)
    const start = lines.find((line) => line.digest === digest) as ParsedEntry
    const { path, key } = start.body as { readonly path: string; readonly key: string }
    const text = field === 'key' ? key : path
    const within = text.search(changed)
    damage(
      device,
      (line) => parseLine(line).digest === digest,
      (line) => fromUtf8(line).indexOf(text) + within,
    )
    const handle = await handleOf(await device.open(), run)
    await handle.until(({ status }) => status === 'paused')
    await handle.retry()
    await handle.until(({ pause }) => pause?.reason !== 'set aside')
    const keys: unknown[] = []
    for (;;) {
      const { status, pause, error } = await handle.until(
        (view) => view.status === 'paused' || (view.state as { paid: number }).paid === 2,
      )
      if (status !== 'paused') break
      expect(pause?.reason).toBe('outcome')
      const asked = error?.details as { readonly start: string; readonly key: string }
      keys.push(asked.key)
      await handle.decide(asked.start, { type: 'done', value: 'charged' })
      await handle.until((view) => view.pause !== pause)
    }
    expect(keys).toContain(key)
  })

  it('takes what the edge has, and goes on as if nothing had happened', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [payer], ownerAlive: () => false })
    const { device, digest } = await paid(2, { edge })
    damage(device, (line) => parseLine(line).digest === digest)
    const handle = await handleOf(await device.open(), run)
    await handle.until(({ state, status }) => (state as { paid: number }).paid === 2 && status === 'waiting')
    expect(await handle.setAside()).toHaveLength(1)
    expect(handle.entries().some(({ kind }) => kind === 'pause')).toBe(false)
  })

  it('of which nothing can be read says so, and is left as it is', async () => {
    const { device } = await paid(2)
    damage(device, (line) => parseLine(line).seq === 0)
    const opening = handleOf(await device.open(), run)
    await expect(opening).rejects.toMatchObject({ code: 'log_damaged' })
    expect(await device.tails.list(run)).toEqual([])
  })
})
