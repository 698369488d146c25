import { defineAgent, done, next, type StepTools } from '@waystone/core'

/** What the effect server answers. */
interface Receipt {
  readonly ok: true
  readonly key: string
  readonly number: number
}

/** Has an effect at the outside server, which counts it by its key. */
async function effect(
  server: string,
  name: string,
  tools: Pick<StepTools, 'idempotencyKey' | 'signal'>,
): Promise<Receipt> {
  const response = await fetch(`${server}/effect/${name}`, {
    method: 'POST',
    headers: { 'idempotency-key': tools.idempotencyKey },
    body: name,
    signal: tools.signal,
  })
  return (await response.json()) as Receipt
}

async function lookUp(
  server: string,
  key: string,
): Promise<{ done: true; value: Receipt } | { done: false }> {
  const response = await fetch(`${server}/effect/any?key=${key}`)
  const found = (await response.json()) as { done: boolean; result: Receipt }
  return found.done ? { done: true, value: found.result } : { done: false }
}

/** Leaves a timer behind that throws where nobody catches it. */
export const clumsy = defineAgent({
  name: 'clumsy',
  version: 1,
  initial: () => ({}),
  async turn(ctx) {
    await ctx.step('leave', () => {
      setTimeout(() => {
        throw new Error('of a timer that the application forgot')
      })
    })
    // After the timer, whatever it does.
    await ctx.step('work', () => new Promise((resolve) => setTimeout(resolve)))
    return done('worked')
  },
})

/** Turns of steps, a stream, parallel branches and an effect of class once: every kind of point to die at. */
export const journey = defineAgent({
  name: 'journey',
  version: 1,
  initial: (input: { server: string; turns: number }) => ({ ...input, receipts: [] as string[], text: '' }),
  async turn(ctx, state) {
    const { server, turns } = state
    const step = (c: typeof ctx, name: string): Promise<Receipt> =>
      c.step(name, { attempts: 1 }, (tools) => effect(server, `${String(ctx.turn)}-${name}`, tools))
    const one = await step(ctx, 'one')
    const both = await ctx.all('both', {
      left: async (c) => [await step(c, 'left-1'), await step(c, 'left-2')],
      right: async (c) => [await step(c, 'right-1'), await step(c, 'right-2')],
    })
    const text = await ctx.stream('text', async ({ out, ...tools }) => {
      for (const word of ['some ', 'words ', 'in ', 'a ', 'row']) {
        if (out.text.endsWith(word)) continue
        await out.write(word)
        if (word === 'in ') await effect(server, `${String(ctx.turn)}-text`, tools)
      }
      return out.text
    })
    const paid = await ctx.once(
      'pay',
      { timeout: '1s', verify: ({ idempotencyKey }) => lookUp(server, idempotencyKey) },
      (tools) => effect(server, `${String(ctx.turn)}-pay`, tools),
    )
    state.receipts.push(...[one, ...both.left, ...both.right, paid].map(({ key }) => key))
    state.text = text
    return ctx.turn + 1 < turns ? next() : done(state.receipts.length)
  },
})

/** One branch that ends at once with a large result, one that waits for its server: for moving in the middle. */
export const branches = defineAgent({
  name: 'branches',
  version: 1,
  initial: (input: { server: string; rounds: number; bytes: number }) => ({
    ...input,
    sizes: [] as number[],
    places: [] as string[],
  }),
  async turn(ctx, state) {
    const { server, bytes, rounds } = state
    const name = `round-${String(ctx.turn)}`
    const both = await ctx.all('both', {
      quick: (c) =>
        c.step('get', async (tools) => {
          await effect(server, `${name}-quick`, tools)
          return 'x'.repeat(bytes)
        }),
      slow: (c) =>
        c.step(
          'get',
          { attempts: 5, backoff: 50 },
          async (tools) => (await effect(server, `${name}-slow`, tools)).number,
        ),
    })
    state.sizes.push(both.quick.length)
    return ctx.turn + 1 < rounds ? next() : done(state.sizes.length)
  },
})

/** Asks a person, then acts once. */
export const asker = defineAgent({
  name: 'asker',
  version: 1,
  initial: (input: { server: string }) => ({ ...input, answer: '', by: '' }),
  async turn(ctx, state) {
    const { server } = state
    const answer = await ctx.ask<string>('colour', { question: 'Which colour?' })
    const paid = await ctx.once(
      'pay',
      { timeout: '2s', verify: ({ idempotencyKey }) => lookUp(server, idempotencyKey) },
      (tools) => effect(server, 'asker-pay', tools),
    )
    if (answer.status === 'answered') {
      state.answer = answer.value
      state.by = answer.by
    }
    return done(paid.key)
  },
})

/** Many short steps, each an effect: for a network that goes away and a process that is killed. */
export const walker = defineAgent({
  name: 'walker',
  version: 1,
  initial: (input: { server: string; steps: number }) => ({ ...input, done: 0 }),
  async turn(ctx, state) {
    const { server, steps } = state
    for (let number = 0; number < steps; number += 1) {
      await ctx.step(`step-${String(number)}`, { attempts: 20, backoff: 20 }, (tools) =>
        effect(server, `walk-${String(number)}`, tools),
      )
    }
    state.done = steps
    return done(steps)
  },
})

/** Works without any network, then acts once: the effect has to wait for the edge. */
export const offline = defineAgent({
  name: 'offline',
  version: 1,
  initial: (input: { server: string }) => ({ ...input, numbers: [] as number[] }),
  async turn(ctx, state) {
    const { server } = state
    const numbers = [await ctx.step('a', () => 1), await ctx.step('b', () => 2), await ctx.step('c', () => 3)]
    state.numbers.push(...numbers)
    await ctx.once(
      'publish',
      { timeout: '2s', verify: ({ idempotencyKey }) => lookUp(server, idempotencyKey) },
      (tools) => effect(server, 'publish', tools),
    )
    return done(numbers.length)
  },
})

/** Is given a secret by the outside, which is recorded only when it may be. */
export const guest = defineAgent({
  name: 'guest',
  version: 1,
  initial: (input: { server: string; redacts: boolean }) => ({ ...input, number: 0 }),
  async turn(ctx, state) {
    const { server, redacts } = state
    const redact = ({ number }: Receipt): Receipt => ({ ok: true, key: 'left out', number })
    const login = await ctx.step('log in', redacts ? { redact } : {}, (tools) =>
      effect(server, 'log-in', tools),
    )
    state.number = login.number
    return done(login.key)
  },
})

/** Tells a tale word by word, and goes on after what was told before; the outside hears of each word. */
export const teller = defineAgent({
  name: 'teller',
  version: 1,
  initial: (input: { server: string; words: readonly string[] }) => ({ ...input, told: '' }),
  async turn(ctx, state) {
    const { server, words } = state
    const told = await ctx.stream('tale', async ({ out, signal, idempotencyKey }) => {
      for (const [index, word] of words.entries()) {
        const before = words.slice(0, index).join('')
        if (out.text.length > before.length) continue
        await out.write(word)
        await effect(server, `told-${String(index)}`, { signal, idempotencyKey: `${idempotencyKey} ${word}` })
      }
      return out.text
    })
    state.told = told
    return done(told)
  },
})

/** Registered in the page alone. */
export const pageOnly = defineAgent({
  name: 'page-only',
  version: 1,
  initial: (input: { server: string }) => input,
  async turn(ctx, state) {
    const { server } = state
    await ctx.step('act', (tools) => effect(server, 'only-here', tools))
    return done('done here')
  },
})

/** Keeps little of its history: each turn writes a long page and takes another photo; from the middle on each turn asks. */
export const diarist = defineAgent({
  name: 'diarist',
  version: 1,
  retention: { turns: 1, age: '0s' },
  snapshots: { turns: 1 },
  initial: (input: { turns: number }) => ({ ...input, pages: [] as number[] }),
  async turn(ctx, state) {
    const { turn } = ctx
    const page = await ctx.step('write', () => `ultramarine ${String(turn)} `.repeat(3_000))
    await ctx.artifact('photo', new Uint8Array(100_000).fill(turn), { type: 'image/x' })
    state.pages.push(page.length)
    const isOver = turn + 1 === state.turns
    if (turn + 1 >= state.turns / 2) await ctx.ask('colour', { question: 'Which colour?' })
    return isOver ? done(state.pages.length) : next()
  },
})

export const agents = [journey, branches, asker, walker, offline, guest, teller, diarist, clumsy]
