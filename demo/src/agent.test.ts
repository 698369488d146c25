import { Runtime, RunHandle, type Clock, type OwnerId, type Place } from '@waystone/core'
import {
  memoryBlobs,
  memoryChannels,
  memoryInbox,
  memoryLocks,
  memoryLogStore,
  memoryStreams,
} from '@waystone/core/memory'
import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { askTheDocs, extractWriter, type AskState, type FetchText, type Published } from './agent.ts'

const clock: Clock = {
  now: () => Date.now(),
  task: () => setImmediate(),
  wait: (ms, signal) =>
    wait(ms, undefined, signal ? { signal: signal as AbortSignal } : {}).catch(() => undefined),
}
const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))
const guide =
  '# idb\n\n## Opening\n\nOpen a database and upgrade its schema with one call.\n\n```js\nopenDB()\n```'
const sources = [
  { kind: 'url' as const, url: '/sources/idb.md', title: 'idb' },
  { kind: 'url' as const, url: 'https://gone.example/', title: 'gone' },
  {
    kind: 'file' as const,
    name: 'notes.txt',
    type: 'text/plain',
    text: 'Never forget to close the database again.',
  },
]

describe('askTheDocs', () => {
  it('reads, drafts, revises after a remark, and publishes once', async () => {
    const { handle, published, close } = await startAt('edge')
    const first = await asked(handle, 0)
    expect(first.state.notes).toMatchObject([
      { title: 'idb', ok: true },
      { title: 'gone', ok: false, note: 'the server answered 404' },
      { title: 'notes.txt', ok: true },
    ])
    expect(first.text).toContain('openDB()')
    await handle.answer(first.ask, { approved: false, remark: 'no code' })

    const second = await asked(handle, 1)
    expect(second.text).not.toContain('openDB()')
    await handle.answer(second.ask, { approved: true })

    expect(await handle.result()).toEqual({ title: 'How do I open a database?', number: 1 })
    expect(published).toEqual(['How do I open a database?'])
    expect(handle.view()?.artifacts.map(({ name }) => name)).toEqual(['brief.md'])
    await close()
  })

  it('refuses an answer that is neither approval nor remark, and asks on', async () => {
    const { handle, close } = await startAt('edge')
    const { ask } = await asked(handle, 0)
    await handle.answer(ask, { approved: 'maybe' })
    await handle.until(() => handle.entries().some(({ kind }) => kind === 'refuse'))
    expect(handle.view()?.asks).toHaveLength(1)
    await close()
  })

  it('waits for the edge when it is approved in a browser', async () => {
    const { handle, published, close } = await startAt('browser')
    const { ask } = await asked(handle, 0)
    await handle.answer(ask, { approved: true })
    const { live } = await handle.until((view) => view.live.calls.some(({ waits }) => waits?.for === 'place'))
    expect(live.calls).toMatchObject([{ path: '2/publish', waits: { need: 'publish', at: 'edge' } }])
    expect(published).toEqual([])
    await close()
  })
})

const fetchText: FetchText = (url) =>
  url === '/sources/idb.md'
    ? Promise.resolve({ text: guide, type: 'text/markdown' })
    : Promise.reject(Object.assign(new Error('the server answered 404'), { retryable: false }))

async function startAt(place: Place) {
  const published: string[] = []
  const agent = askTheDocs.provide({
    fetchText,
    writer: extractWriter(() => Promise.resolve()),
    publish: {
      publish: ({ title }) => Promise.resolve({ number: published.push(title) }),
      lookup: () => Promise.resolve({ done: false }),
    },
  })
  const runtime = await Runtime.open({
    store: memoryLogStore(),
    blobs: memoryBlobs(),
    inbox: memoryInbox(),
    streams: memoryStreams(),
    locks: memoryLocks(),
    channel: memoryChannels()(),
    me: 'test' as OwnerId,
    place,
    clock,
    random,
    agents: [agent],
  })
  const input = { question: 'How do I open a database?', sources }
  const run = await runtime.start(agent.name, input, {})
  const handle = await RunHandle.open<AskState, Published>(run, runtime, random)
  return { handle, published, close: () => runtime.close() }
}

/** The question of a round, once it waits. */
async function asked(handle: RunHandle<AskState, Published>, round: number) {
  const { asks, state } = await handle.until(
    (view) => view.asks.length > 0 && view.state.drafts.length === round,
  )
  const [open] = asks
  if (open === undefined) throw new Error('nothing is asked')
  return { ask: open.ask, text: (open.question as { text: string }).text, state }
}
