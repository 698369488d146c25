import { defineAgent, done } from '@waystone/core'
import { textOf } from '../_text.ts'
import { anything } from './anything.ts'

const messageChars = 1_000
/** Twenty steps, with a question to a person and a sleep between them, in one turn. */
export const twentySteps = defineAgent({
  name: 'twenty-steps',
  version: 1,
  initial: ({ stepMs }: { stepMs: number }) => ({ stepMs, notes: [] as string[] }),
  async turn(ctx, state) {
    const { stepMs } = state
    const notes: string[] = []
    const work = async (from: number): Promise<void> => {
      for (let number = from; number < from + 10; number += 1)
        notes.push(
          await ctx.step(`step-${String(number)}`, async () => {
            await new Promise((resolve) => setTimeout(resolve, stepMs))
            return textOf(number, messageChars)
          }),
        )
    }
    await work(0)
    await ctx.ask('go on', { question: 'Shall it go on?', schema: anything })
    await ctx.sleep('a while', '1s')
    await work(10)
    state.notes = notes
    return done(notes.length)
  },
})
