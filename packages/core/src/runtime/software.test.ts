import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { handleOf, testDevice } from './memory-world.test-support.ts'
import type { RunHandle } from './run-handle.ts'

/** Two turns, each after a word of a person. */
const agent = defineAgent({
  name: 'listener',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    await ctx.receive('go' as never)
    return ctx.turn === 0 ? next() : done(null)
  },
})

const opened = async (host: string, versions: Record<string, string> | undefined, storage?: object) => {
  const device = testDevice([agent], { software: { host, versions }, ...storage })
  return { device, runtime: await device.open() }
}

const softwareOf = (run: RunHandle, trigger: string) =>
  run
    .checkpoints()
    .filter((one) => one.trigger === trigger)
    .map(({ host, versions }) => ({ host, versions }))

describe('checkpoints()', () => {
  it('say what each was written in, and with which versions, from the host that wrote it', async () => {
    const before = await opened('chromium 156', { ai: '7.0.1' })
    const first = await handleOf(before.runtime, await before.runtime.start('listener', null, { id: 'run' }))
    await first.send('go', null)
    await first.until(({ turn, status }) => turn === 1 && status === 'waiting')
    await before.runtime.close()

    const after = await opened('chromium 157', undefined, { storage: before.device })
    const run = await handleOf(after.runtime, 'run')
    await run.send('go', null)
    await run.until(({ status }) => status === 'done')
    const chromium156 = { host: 'chromium 156', versions: { ai: '7.0.1' } }
    expect(softwareOf(run, 'start')).toEqual([chromium156])
    // Whoever names none is not credited with the versions of another.
    const chromium157 = { host: 'chromium 157', versions: {} }
    expect(softwareOf(run, 'commit')).toEqual([chromium156, chromium157])
    await after.runtime.close()
  })

  it('of a fork say who forked', async () => {
    const { runtime } = await opened('node 24', { zod: '4' })
    const run = await handleOf(runtime, await runtime.start('listener', null, { id: 'source' }))
    const fork = await handleOf(runtime, await run.fork({ seq: 0 }))
    expect(softwareOf(fork, 'fork')).toEqual([{ host: 'node 24', versions: { zod: '4' } }])
    await runtime.close()
  })
})

describe('Runtime.open()', () => {
  it('refuses versions that are none', async () => {
    await expect(opened('node 24', { ai: '' })).rejects.toMatchObject({ code: 'input_refused' })
  })
})
