import { defineAgent, next, type AnyAgent } from '../engine/agent.ts'
import type { RunHandle } from './run-handle.ts'

/** What a listener remembers. */
export interface Heard {
  readonly heard: readonly string[]
  readonly count: number
}

/**
 * Remembers the last of what it is told, in a state that outgrows what a snapshot waits for. Keeps so many turns, and
 * a label of the one that hears word number `labelled`. With `writes` it makes an artifact of each word.
 */
export const listener = ({
  turns,
  labelled,
  writes = false,
}: {
  readonly turns: number
  readonly labelled?: number
  readonly writes?: boolean
}): AnyAgent =>
  defineAgent({
    name: 'listener',
    version: 1,
    retention: { turns, age: 0 },
    inbox: {},
    initial: () => ({ heard: [] as string[], count: 0 }),
    async turn(ctx, state) {
      const word = (await ctx.receive('word' as never)) as unknown as string
      state.heard = [...state.heard, word.repeat(2_000)].slice(-20)
      state.count += 1
      if (writes) await ctx.artifact(word, word)
      if (state.count === labelled) await ctx.label('labelled')
      return next()
    },
  })

/** Tells a listener words of a speaker, each when it has heard those before. */
export async function tell(handle: RunHandle, from: number, to: number, by = 'w'): Promise<void> {
  for (let count = from; count < to; count += 1) {
    await handle.send('word', `${by}${String(count)} `, { id: `${by}-${String(count)}` })
    await handle.until(({ state }) => (state as Heard).count > count)
  }
}
