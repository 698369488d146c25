import { expect, it } from 'vitest'
import { defineAgent, done, next } from '../engine/agent.ts'
import type { Schema } from '../engine/ctx.ts'
import type { RunId } from '../ids.ts'
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
