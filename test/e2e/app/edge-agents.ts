import { defineAgent, done, need, next, type StepTools } from '@waystone/core'

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

/** Throws dice that no record has. */
export const gambler = defineAgent({
  name: 'gambler',
  version: 1,
  initial: () => ({ won: 0 }),
  async turn(ctx, state) {
    await ctx.step('bet', () => 1)
    state.won = Math.random()
    return done()
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

/** Does so many steps in one turn, each of which costs 1, and says so where it does them. */
export const hurrying = defineAgent({
  name: 'hurrying',
  version: 1,
  needs: { tell: need<() => void>() },
  initial: (input: { steps: number }) => ({ ...input }),
  async turn(ctx, { steps }) {
    for (let step = 0; step < steps; step += 1)
      await ctx.step(`step-${String(step)}`, ({ cost }) => {
        ctx.use.tell()
        cost(1)
      })
    return done(steps)
  },
})

/** How many runs of `together` are in their first step: all objects of the tests share one isolate. */
let inFirstStep = 0

/** Ends only when so many runs have been in their first step at once. */
export const together = defineAgent({
  name: 'together',
  version: 1,
  initial: (input: { runs: number }) => ({ ...input }),
  async turn(ctx, { runs }) {
    await ctx.step('meet', async ({ attempt }) => {
      if (attempt === 1) inFirstStep += 1
      while (inFirstStep < runs) await new Promise((resolve) => setTimeout(resolve, 1_000))
    })
    return done(runs)
  },
})

/** Ends the object that it is in, whenever it is started. */
export const deadly = defineAgent({
  name: 'deadly',
  version: 1,
  needs: { die: need<() => void>() },
  initial: (input: object) => ({ ...input }),
  async turn(ctx) {
    await ctx.step('die', () => ctx.use.die())
    return done('lived')
  },
})

/** Reaches the outside once, which is down: its circuit breaker opens. */
export const caller = defineAgent({
  name: 'caller',
  version: 1,
  initial: (input: { server: string; run: string; breaker: string }) => ({ ...input }),
  async turn(ctx, { server, run, breaker: name }) {
    const breaker = { name, failures: 1, cooldown: '1h' } as const
    await ctx.step('call', { attempts: 1, breaker }, async (tools) => {
      await reach(server, run, tools)
      throw new Error('the service is down')
    })
    return done()
  },
})

/** Fails as often as it may be tried; its object lets go of it while it waits for its breaker. */
export const failing = defineAgent({
  name: 'failing',
  version: 1,
  initial: (input: { server: string; run: string }) => ({ ...input }),
  async turn(ctx, { server, run }) {
    const breaker = { name: run, failures: 1, cooldown: '3s' } as const
    await ctx.step('call', { attempts: 3, backoff: '100ms', breaker }, async (tools) => {
      await reach(server, `${run}-${String(tools.attempt)}`, tools)
      throw new Error('the service is down')
    })
    return done()
  },
})

export const edgeAgents = [failing, gambler, caller, speaker, sleeper, questioner, writer, hurrying, together]
