import { defineAgent, next } from '@waystone/core'
import { textOf } from '../_text.ts'

const ticksATurn = 25
const messageChars = 1_000

/**
 * A conversation of so many bytes that is at work until it is cancelled. Between two steps that take `tickMs` there is one
 * that takes no time: it is the first thing that whoever goes on with the run has to say.
 */
export const ticker = defineAgent({
  name: 'ticker',
  version: 1,
  initial: ({ bytes, tickMs }: { bytes: number; tickMs: number }) => ({
    tickMs,
    messages: Array.from({ length: bytes / messageChars }, (_, number) => textOf(number, messageChars)),
    ticks: 0,
  }),
  async turn(ctx, state) {
    const { tickMs } = state
    for (let number = 0; number < ticksATurn; number += 1) {
      await ctx.step(`mark-${String(number)}`, () => number)
      await ctx.step(`tick-${String(number)}`, () => new Promise<void>((done) => setTimeout(done, tickMs)))
    }
    state.ticks += ticksATurn
    return next()
  },
})
