import { defineAgent, done, next, type StepTools } from '@waystone/core'

/** Tells the outside server that it got this far; a test may hold back the answer. */
async function reach(server: string, name: string, tools: Pick<StepTools, 'idempotencyKey' | 'signal'>) {
  await fetch(`${server}/effect/${name}`, {
    method: 'POST',
    headers: { 'idempotency-key': `${tools.idempotencyKey} ${name}` },
    signal: tools.signal,
  })
}

/** Says its parts letter by letter, and reaches the outside after each; a part that is `<` takes back what was said. */
export const speaker = defineAgent({
  name: 'speaker',
  version: 1,
  initial: (input: { server: string; run: string; parts: readonly string[] }) => ({ ...input, said: '' }),
  async turn(ctx, state) {
    const { server, run, parts } = state
    const said = await ctx.stream('speech', async ({ out, ...tools }) => {
      for (const [number, part] of parts.entries()) {
        if (part === '<') await out.reset()
        else if (!out.text.endsWith(part)) for (const letter of part) await out.write(letter)
        await reach(server, `${run}-${String(number)}`, tools)
      }
      return out.text
    })
    state.said = said
    return done(said)
  },
})

/** Sleeps between two effects. */
export const sleeper = defineAgent({
  name: 'sleeper',
  version: 1,
  initial: (input: { server: string; run: string; ms: number }) => ({ ...input }),
  async turn(ctx, state) {
    const { server, run, ms } = state
    await ctx.step('before', (tools) => reach(server, `${run}-before`, tools))
    await ctx.sleep('nap', ms)
    await ctx.step('after', (tools) => reach(server, `${run}-after`, tools))
    return done('rested')
  },
})

/** Asks, and ends with the answer. */
export const questioner = defineAgent({
  name: 'questioner',
  version: 1,
  initial: (input: object) => ({ ...input }),
  async turn(ctx) {
    const answer = await ctx.ask<string>('colour', { question: 'Which colour?' })
    return done(answer.status === 'answered' ? answer.value : 'none')
  },
})

/** Writes one page after the other into its state. */
export const writer = defineAgent({
  name: 'writer',
  version: 1,
  initial: (input: { pages: number }) => ({ ...input, written: [] as string[] }),
  async turn(_, state) {
    const number = state.written.length
    state.written.push(
      Array.from({ length: 1_000 }, (__, index) => `${String(number * index)} words`).join(' '),
    )
    return state.written.length < state.pages ? next() : done(state.written.length)
  },
})

export const edgeAgents = [speaker, sleeper, questioner, writer]
