import { defineAgent, done, next } from '@waystone/core'
import { textOf } from '../_text.ts'

const messageChars = 1_000

/** A conversation that grows by two messages a turn. */
export const talker = defineAgent({
  name: 'talker',
  version: 1,
  retention: 'all',
  initial: ({ turns }: { turns: number }) => ({ turns, messages: [] as string[] }),
  async turn(ctx, state) {
    const asked = await ctx.step('ask', () => textOf(2 * ctx.turn, messageChars))
    const said = await ctx.step('say', () => textOf(2 * ctx.turn + 1, messageChars))
    state.messages.push(asked, said)
    return ctx.turn + 1 < state.turns ? next() : done(state.messages.length)
  },
})
