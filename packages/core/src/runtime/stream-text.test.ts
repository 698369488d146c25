import { expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import type { Schema } from '../engine/ctx.ts'
import type { RunId } from '../ids.ts'
import type { WatchEvent } from '../ports/watch.ts'
import type { Edge } from '../sync/syncer.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, testClock, testDevice } from './memory-world.test-support.ts'

const text: Schema<string> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: String(value) }) },
}

/** Says a word in each of two turns, and waits in between for a message. */
const speaker = defineAgent({
  name: 'speaker',
  version: 1,
  inbox: { go: text },
  initial: () => ({ turns: 0 }),
  async turn(ctx, state) {
    await ctx.stream('speech', async ({ out }) => out.write('some words'))
    await ctx.receive('go')
    state.turns += 1
    return state.turns < 2 ? next() : done(null)
  },
})

const run = 'speech' as RunId
const [first, second] = ['0/speech', '1/speech']

it('of a turn that was committed is kept nowhere, and that of the open turn is', async () => {
  const edge = memoryEdge({ clock: testClock, agents: [speaker] })
  const laptop = testDevice([speaker], { edge })
  const phone = testDevice([speaker], { name: 'phone', edge })
  const texts = async ({ streams }: typeof laptop): Promise<readonly string[]> =>
    Promise.all([first, second].map(async (stream) => (await streams.read(run, stream, 0)).text))
  const [here, there] = [await laptop.open(), await phone.open()]
  await here.start('speaker', null, { id: run })
  const [mine, followed] = [await handleOf(here, run), await handleOf(there, run)]
  await mine.until(({ status }) => status === 'waiting')
  await followed.until(({ head }) => head.seq >= 2)
  expect(await texts(laptop)).toEqual(['some words', ''])
  await mine.send('go', null)
  await mine.until(({ turn, status }) => turn === 1 && status === 'waiting')
  await followed.until(({ turn, head }) => turn === 1 && head.seq >= 6)
  expect(await texts(laptop)).toEqual(['', 'some words'])
  expect((await texts(phone))[0]).toBe('')
  await mine.send('go', null)
  await mine.result()
  await followed.until(({ status }) => status === 'done')
  expect(await texts(laptop)).toEqual(['', ''])
  expect(await texts(phone)).toEqual(['', ''])
  await here.close()
  await there.close()
})

/** An edge whose live connection opens when a test says so; what is said before is lost, as on a socket. */
function quietEdge(): { readonly edge: Edge; readonly open: () => void; readonly heard: WatchEvent[] } {
  const { remote, blobs } = memoryEdge({ clock: testClock })
  const heard: WatchEvent[] = []
  let open: (() => void) | undefined
  let isOpen = false
  const follow: typeof remote.follow = (_, { onState }) => {
    open = () => {
      isOpen = true
      onState(true)
    }
    return { tell: (event) => void (isOpen && heard.push(event)), close: () => undefined }
  }
  return { edge: { remote: { ...remote, follow }, blobs }, open: () => open?.(), heard }
}

it('is told whole to the edge when that could not hear its beginning, and goes on from there', async () => {
  const { edge, open, heard } = quietEdge()
  const goOn = Promise.withResolvers<void>()
  const slow = defineAgent({
    name: 'slow',
    version: 1,
    initial: () => ({}),
    async turn(ctx) {
      await ctx.stream('speech', async ({ out }) => {
        await out.write('some ')
        await goOn.promise
        await out.write('words')
      })
      return done()
    },
  })
  const runtime = await testDevice([slow], { edge }).open()
  await runtime.start('slow', null, { id: run })
  const handle = await handleOf(runtime, run)
  await handle.until(({ streams, sync }) => streams[first] === 'some ' && sync.synced !== undefined)
  expect(heard).toEqual([])
  open()
  const told = (): readonly WatchEvent[] => heard.filter(({ type }) => type === 'stream')
  while (told().length === 0) await testClock.task()
  expect(heard[0]).toMatchObject({ type: 'live', live: { calls: [{ path: first, kind: 'stream' }] } })
  goOn.resolve()
  await handle.result()
  expect(told()).toEqual([
    { type: 'stream', stream: first, at: 0, text: 'some ' },
    { type: 'stream', stream: first, at: 5, text: 'words' },
  ])
  await runtime.close()
})
