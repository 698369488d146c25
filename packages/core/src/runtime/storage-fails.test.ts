import { describe, expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import { isWaystoneError, WaystoneError } from '../errors.ts'
import type { RunId } from '../ids.ts'
import { memoryStorage } from '../memory/memory-storage.ts'
import { parseLine } from '../log/entry.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

const run = 'run' as RunId

/** A storage of which one method of one port fails once, when it is told to. */
function failingOnce<Port extends keyof RunStorage>(port: Port, method: keyof RunStorage[Port]) {
  const storage = memoryStorage()
  let isDue = false
  const failing = new Proxy(storage[port], {
    get(target, name) {
      const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>
      if (name !== method) return call
      return async (...args: unknown[]) => {
        if (!isDue) return call.apply(target, args)
        isDue = false
        throw new WaystoneError('storage_failed', 'it failed once')
      }
    },
  })
  return { storage: { ...storage, [port]: failing } as RunStorage, fail: () => void (isDue = true) }
}

/** Asks for words, and keeps little of its history. */
const asker = defineAgent({
  name: 'asker',
  version: 1,
  retention: { turns: 1, age: 0 },
  initial: () => ({ words: [] as string[] }),
  async turn(ctx, state) {
    const answer = await ctx.ask<string>('word', { question: 'Which word?' })
    state.words.push(answer.status === 'answered' ? answer.value : '')
    return state.words.length < 5 ? next() : done(state.words.length)
  },
})

type Handle = Awaited<ReturnType<typeof handleOf>>

async function answer(handle: Handle, word: string): Promise<void> {
  const { asks } = await handle.until((view) => view.asks.length > 0)
  await handle.answer(asks[0]?.ask ?? '', word)
}

async function answered(handle: Handle, turn: number, word: string): Promise<void> {
  await answer(handle, word)
  await handle.until((view) => view.turn > turn || view.status === 'done')
}

describe('a storage that fails once', () => {
  it('when an answer is looked for: the answer is taken a little later', async () => {
    const { storage, fail } = failingOnce('inbox', 'list')
    const runtime = await testDevice([asker], { storage }).open()
    const handle = await handleOf(runtime, await runtime.start('asker', null, { id: run }))
    await handle.until(({ asks }) => asks.length > 0)
    fail()
    await answered(handle, 0, 'late')
    expect(handle.view()?.state).toEqual({ words: ['late'] })
    await runtime.close()
  })

  it('in a rewind: the run goes back a little later, and nobody is asked', async () => {
    const { storage, fail } = failingOnce('store', 'read')
    const runtime = await testDevice([asker], { storage }).open()
    const handle = await handleOf(runtime, await runtime.start('asker', null, { id: run }))
    await answered(handle, 0, 'one')
    await answered(handle, 1, 'two')
    fail()
    await handle.rewind({ seq: 0 })
    const view = await handle.until(({ turn, status }) => turn === 0 || status === 'paused')
    expect([view.status, view.turn]).not.toContain('paused')
    await runtime.close()
  })

  it('when a handle of a run is opened that begins later: the handle says that, not that the log is damaged', async () => {
    const { storage, fail } = failingOnce('snapshots', 'get')
    const device = testDevice([asker], { storage })
    const runtime = await device.open()
    const handle = await handleOf(runtime, await runtime.start('asker', null, { id: run }))
    for (let turn = 0; turn < 5; turn += 1) await answered(handle, turn, 'long '.repeat(10_000))
    const first = async (): Promise<number> =>
      parseLine((await storage.store.read(run, 0))[0] as Uint8Array).seq
    while ((await first()) === 0) await testClock.task()
    fail()
    const failed = await handleOf(runtime, run)
    expect(isWaystoneError(failed.error, 'storage_failed')).toBe(true)
    const opened = await handleOf(runtime, run)
    expect(opened.error).toBeUndefined()
    expect(opened.view()?.result).toBe(5)
    await runtime.close()
  })
})
