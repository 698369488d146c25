import { describe, expect, it } from 'vitest'
import { defineAgent, next } from '../engine/agent.ts'
import type { Digest, RunId } from '../ids.ts'
import { parseLine } from '../log/entry.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

const run = 'kept' as RunId

const payer = defineAgent({
  name: 'payer',
  version: 1,
  initial: () => ({ paid: 0 }),
  async turn(ctx, state) {
    await ctx.receive('pay' as never)
    await ctx.once('charge', { timeout: '5s' }, () => 'charged')
    state.paid += 1
    return next()
  },
})

/** A run that has paid twice, on a device that is closed, and the digest of the entry that begins the second charge. */
async function paidTwice(options: Parameters<typeof testDevice>[1] = {}) {
  const device = testDevice([payer], options)
  const runtime = await device.open()
  const handle = await handleOf(runtime, await runtime.start('payer', null, { id: run }))
  for (const paid of [1, 2]) {
    await handle.send('pay', null)
    await handle.until(
      ({ state, status }) => (state as { paid: number }).paid === paid && status === 'waiting',
    )
  }
  if (options.edge) await handle.synced()
  const second = handle.entries().findLast(({ kind }) => kind === 'once.start')
  await runtime.close()
  return { device, digest: second?.digest as Digest }
}

/** What is read of one entry has another byte than was written, until that was set aside. */
function damage(
  { store, tails }: Awaited<ReturnType<typeof paidTwice>>['device'],
  isIt: (line: Uint8Array) => boolean,
): void {
  const { read } = store
  store.read = async (...args) => {
    const page = await read(...args)
    if ((await tails.list(run)).length > 0) return page
    return page.map((line) => (isIt(line) ? line.with(9, (line[9] as number) ^ 1) : line))
  }
}

describe('a damaged run', () => {
  it('pauses where it is sound, lists what was set aside, and names the effects that it had started', async () => {
    const { device, digest } = await paidTwice()
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
    const { device, digest } = await paidTwice({ edge })
    damage(device, (line) => parseLine(line).digest === digest)
    const handle = await handleOf(await device.open(), run)
    await handle.until(({ state, status }) => (state as { paid: number }).paid === 2 && status === 'waiting')
    expect(await handle.setAside()).toHaveLength(1)
    expect(handle.entries().some(({ kind }) => kind === 'pause')).toBe(false)
  })

  it('of which nothing can be read says so, and is left as it is', async () => {
    const { device } = await paidTwice()
    damage(device, (line) => parseLine(line).seq === 0)
    const opening = handleOf(await device.open(), run)
    await expect(opening).rejects.toMatchObject({ code: 'log_damaged' })
    expect(await device.tails.list(run)).toEqual([])
  })
})
