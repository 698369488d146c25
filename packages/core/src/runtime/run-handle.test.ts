import { describe, expect, it } from 'vitest'
import { defineAgent, done } from '../engine/agent.ts'
import { WaystoneError } from '../errors.ts'
import type { WatchEvent } from '../ports/watch.ts'
import type { RuntimeApi } from './api.ts'
import { handleOf, testDevice, testRandom } from './memory-world.test-support.ts'
import { RunHandle } from './run-handle.ts'

const agent = defineAgent({
  name: 'stepper',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    for (const name of ['a', 'b', 'c']) await ctx.step(name, () => name)
    return done('end')
  },
})

/** A handle of a finished run, to which a test tells the events. */
async function followed(first: number, text = '') {
  const device = testDevice([agent])
  const runtime = await device.open()
  const run = await runtime.start('stepper', null, {})
  await (await handleOf(runtime, run)).result()
  const lines = await runtime.lines(run, 0)
  let known = first
  let unreadable: Error | undefined
  let tell: (event: WatchEvent) => void = () => undefined
  const api = {
    lines: async (_: unknown, from: number) => {
      if (unreadable) throw unreadable
      return lines.slice(from, known)
    },
    snapshot: async () => undefined,
    watch: async (_: unknown, listener: (event: WatchEvent) => void) => {
      tell = listener
      return 1
    },
    unwatch: async () => undefined,
    blob: async () => undefined,
    stream: async () => ({ at: 0, text }),
  } as Partial<RuntimeApi> as RuntimeApi
  const handle = await RunHandle.open(run, api, testRandom)
  const told = (from: number, to: number): void => {
    known = to
    tell({ type: 'lines', from, lines: lines.slice(from, to) })
  }
  const fail = (error?: Error): void => void (unreadable = error)
  return { handle, lines, told, fail, tell: (event: WatchEvent) => tell(event) }
}

describe('a handle', () => {
  it('takes the new ones of lines that it has in part', async () => {
    const { handle, lines, told } = await followed(3)
    told(1, lines.length)
    expect(await handle.result()).toBe('end')
    expect(handle.entries()).toHaveLength(lines.length)
  })

  it('reads what is missing before lines that it is told of', async () => {
    const { handle, lines, told } = await followed(2)
    told(4, lines.length)
    expect(await handle.result()).toBe('end')
  })

  it('passes over lines that it has', async () => {
    const { handle, lines, told } = await followed(3)
    told(0, 2)
    told(3, lines.length)
    expect(await handle.result()).toBe('end')
  })

  it('gives entries that stay as they were given, the same until there are more', async () => {
    const { handle, lines, told } = await followed(3)
    const before = handle.entries()
    expect(handle.entries()).toBe(before)
    for (let at = 3; at < lines.length; at += 1) told(at, at + 1)
    await handle.result()
    expect(before).toHaveLength(3)
    expect(handle.entries()).toHaveLength(lines.length)
    expect(handle.entries().slice(0, 3)).toEqual(before)
  })

  it('reads all anew when it is told of what does not follow', async () => {
    const { handle, lines, told, tell } = await followed(3)
    told(3, 4)
    tell({ type: 'lines', from: 4, lines: lines.slice(5, 6) })
    await handle.until(({ head }) => head.seq === 3)
    expect(handle.entries()).toHaveLength(4)
    told(4, lines.length)
    expect(await handle.result()).toBe('end')
    expect(handle.error).toBeUndefined()
  })

  it('shows the run as it was, and why, while it cannot be read, and goes on when it can', async () => {
    const { handle, lines, told, fail } = await followed(3)
    fail(new WaystoneError('storage_failed', 'the disk is gone'))
    told(4, 5)
    const { head, unread } = await handle.until((view) => view.unread !== undefined)
    expect(head.seq).toBe(2)
    expect(unread?.code).toBe('storage_failed')
    expect(handle.error).toMatchObject({ code: 'storage_failed' })
    expect(handle.entries()).toHaveLength(3)
    fail()
    told(5, lines.length)
    expect(await handle.result()).toBe('end')
    expect(handle.view()?.unread).toBeUndefined()
    expect(handle.error).toBeUndefined()
  })

  it('shows no word of a stream twice that it has loaded while it was told of it, and what was taken back not at all', async () => {
    const { handle, tell } = await followed(3, 'one two ')
    const seen: (string | undefined)[] = []
    handle.subscribe(({ streams }) => {
      if (streams['0/a'] !== seen.at(-1)) seen.push(streams['0/a'])
    })
    const word = (at: number, text: string): void => tell({ type: 'stream', stream: '0/a', at, text })
    tell({ type: 'live', live: { phase: 'running', calls: [{ path: '0/a', kind: 'stream', since: 0 }] } })
    word(0, 'one ')
    word(4, 'two ')
    word(8, 'three')
    word(0, '')
    word(0, 'one ')
    word(4, 'more')
    await handle.until(({ streams }) => streams['0/a'] === 'one more')
    expect(seen).toEqual(['one two ', 'one two three', '', 'one ', 'one more'])
  })

  it('tells those who wait that it was closed, and those who waited too long', async () => {
    const { handle } = await followed(3)
    const waiting = handle.result()
    const gone = new AbortController()
    gone.abort()
    await expect(handle.result({ signal: gone.signal })).rejects.toMatchObject({ code: 'cancelled' })
    await handle.close()
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await expect(handle.result()).rejects.toMatchObject({ code: 'closed' })
  })
})

it('shows what has not changed as the same objects', async () => {
  const asking = defineAgent({
    name: 'asking',
    version: 1,
    initial: (input: { readonly deep: { readonly list: readonly number[] } }) => ({ ...input }),
    async turn(ctx) {
      await ctx.ask('first', { question: { text: 'Go on?' } })
      await ctx.ask('second', { question: { text: 'Really?' } })
      return done()
    },
  })
  const runtime = await testDevice([asking]).open()
  const run = await handleOf(runtime, await runtime.start('asking', { deep: { list: [1, 2] } }))
  const before = await run.until(({ asks }) => asks.length === 1)
  await run.answer(String(before.asks[0]?.ask), 'yes')
  const after = await run.until(({ asks }) => asks[0]?.path === '0/second')
  expect(after).not.toBe(before)
  expect(after.input).toBe(before.input)
  expect(after.state).toBe(before.state)
  const waiting = await run.until(({ status }) => status === 'waiting')
  expect(waiting.asks).toBe(after.asks)
  await runtime.close()
})

it('synced() resolves at once where there is no edge, and rejects when the handle is closed', async () => {
  const runtime = await testDevice([agent]).open()
  const handle = await handleOf(runtime, await runtime.start('stepper', null, {}))
  await handle.synced()
  await handle.result()
  await handle.synced()
  await handle.close()
  await expect(handle.synced()).rejects.toMatchObject({ code: 'closed' })
})
