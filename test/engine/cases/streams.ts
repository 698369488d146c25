import { doneWith, oneTurn, type EngineCase } from '../engine-case.ts'

const words = ['one ', 'two ', 'three ', 'four ', 'five']

const stream: EngineCase = {
  name: 'the text of a stream outlives a kill, and no reader sees a part of it twice',
  agent: oneTurn('stream', async (ctx, reach) => {
    const said = await ctx.stream('speech', async ({ out, ...tools }) => {
      const found = out.text
      await reach(found === '' ? 'begins' : 'goes on', tools, found)
      for (const [index, word] of words.entries()) {
        if (found.includes(word)) continue
        await out.write(word)
        if (index === 2) await reach('middle', tools)
      }
      return out.text
    })
    return { said, after: await ctx.step('after', (tools) => reach('after', tools)) }
  }),
  async play({ begin, hold, kill, until }) {
    const [middle, after] = [hold('middle'), hold('after')]
    await begin()
    await middle.arrived
    const readers = await until(({ streams }) => streams['0/speech'] === 'one two three ')
    await kill()
    middle.release()
    await after.arrived
    await until(({ streams }) => streams['0/speech'] === words.join(''))
    after.release()
    return readers.streams
  },
  end: {
    seen: { '0/speech': 'one two three ' },
    view: doneWith({ said: words.join(''), after: 'after' }),
    starts: { begins: 1, middle: 1, 'goes on': 1, after: 1 },
    recorded: ['0/speech', '0/after'],
    text: words.join(''),
  },
}

/** Text that readers see as it is written. */
export const streamCases = [stream]
