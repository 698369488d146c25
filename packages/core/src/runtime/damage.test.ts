import { describe, expect, it } from 'vitest'
import { parseLine } from '../log/entry.ts'
import { run } from '../log/log.test-support.ts'
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
