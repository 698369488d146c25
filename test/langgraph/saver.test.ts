import {
  emptyCheckpoint,
  uuid6,
  type Checkpoint,
  type CheckpointMetadata,
} from '@langchain/langgraph-checkpoint'
import type { RunnableConfig } from '@langchain/core/runnables'
import type { RunStorage } from '@waystone/core'
import { memoryStorage } from '@waystone/core/memory'
import { openSession } from '@waystone/core/session'
import { describe, expect, it } from 'vitest'
import { clock, random } from './saver-suite.ts'
import { WaystoneSaver } from './waystone-saver.ts'

const metadata: CheckpointMetadata = { source: 'loop', step: 0, parents: {} }
const saverOver = (storage: RunStorage): WaystoneSaver =>
  new WaystoneSaver({ storage, me: 'device', clock, random })
const root = (thread: string, ns = ''): RunnableConfig => ({
  configurable: { thread_id: thread, checkpoint_ns: ns },
})

function checkpoint(values: Readonly<Record<string, unknown>>, version: number): Checkpoint {
  const channel_versions = Object.fromEntries(Object.keys(values).map((channel) => [channel, version]))
  return { ...emptyCheckpoint(), id: uuid6(3), channel_values: { ...values }, channel_versions }
}

const put = (saver: WaystoneSaver, config: RunnableConfig, of: Checkpoint): Promise<RunnableConfig> =>
  saver.put(config, of, metadata, of.channel_versions)

async function storedBytes(storage: RunStorage): Promise<number> {
  const [summary] = await storage.store.list()
  let bytes = 0
  for (let next = 0; summary;) {
    const lines = await storage.store.read(summary.run, next)
    if (lines.length === 0) break
    next += lines.length
    for (const line of lines) bytes += line.byteLength
  }
  return bytes
}

describe('WaystoneSaver', () => {
  it('takes for a checkpoint what differs from its parent', async () => {
    const storage = memoryStorage()
    const saver = saverOver(storage)
    const messages: string[] = []
    let config = root('thread')
    let whole = 0
    for (let turn = 1; turn <= 300; turn += 1) {
      messages.push(`what was said in turn ${String(turn)}, at some length. `.repeat(4))
      const next = checkpoint({ messages, turn }, turn)
      whole += JSON.stringify(next).length
      config = await put(saver, config, next)
    }
    expect(await storedBytes(storage)).toBeLessThan(whole / 15)
    const again = saverOver(storage)
    const turns: unknown[] = []
    for await (const { checkpoint: found } of again.list(root('thread'))) {
      const { turn, messages: said } = found.channel_values as { turn: number; messages: string[] }
      expect(said).toEqual(messages.slice(0, turn))
      turns.push(turn)
    }
    expect(turns).toEqual(Array.from({ length: 300 }, (_, at) => 300 - at))
  })

  it('keeps branches apart that give a channel the same version', async () => {
    const saver = saverOver(memoryStorage())
    const first = await put(saver, root('thread'), checkpoint({ text: 'shared', other: 1 }, 1))
    const inherit = { other: 1 }
    const branches = await Promise.all(
      ['left', 'right'].map(async (text) => {
        const of = checkpoint({ text }, 2)
        of.channel_versions = { ...of.channel_versions, ...inherit }
        return saver.put(first, of, metadata, { text: 2 })
      }),
    )
    const found = await Promise.all(branches.map(async (config) => (await saver.get(config))?.channel_values))
    expect(found).toEqual([
      { text: 'left', other: 1 },
      { text: 'right', other: 1 },
    ])
  })

  it('keeps threads and namespaces of any name apart', async () => {
    const storage = memoryStorage()
    const names = ['a', 'a/b', 'a%2Fb', 'A', '', 'ü|:~ ', 'x'.repeat(300)]
    const saver = saverOver(storage)
    for (const thread of names)
      for (const ns of names) await put(saver, root(thread, ns), checkpoint({ name: [thread, ns] }, 1))
    const again = saverOver(storage)
    for (const thread of names) {
      for (const ns of names) {
        const found = await again.get(root(thread, ns))
        expect(found?.channel_values).toEqual({ name: [thread, ns] })
      }
    }
    await again.deleteThread('a')
    let left = 0
    for await (const _ of again.list({})) left += 1
    expect(left).toBe(names.length * (names.length - 1))
  })

  it('writes of a task that runs again are kept once, special ones replaced', async () => {
    const saver = saverOver(memoryStorage())
    const config = await put(saver, root('thread'), checkpoint({}, 1))
    for (const value of ['first', 'second']) {
      await saver.putWrites(
        config,
        [
          ['a', value],
          ['b', value],
          ['__error__', value],
        ],
        'task',
      )
    }
    expect((await saver.getTuple(config))?.pendingWrites).toEqual([
      ['task', '__error__', 'second'],
      ['task', 'a', 'first'],
      ['task', 'b', 'first'],
    ])
  })

  it('has no history in the state of its session', async () => {
    const storage = memoryStorage()
    const saver = saverOver(storage)
    await put(saver, root('thread'), checkpoint({ text: 'x' }, 1))
    const [summary] = await storage.store.list()
    const session = await openSession({
      ...{ storage, me: 'device', clock, random },
      id: summary?.run ?? '',
      initial: {},
    })
    expect(session.state).toEqual({ thread: 'thread' })
  })
})
