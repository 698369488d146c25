import { describe, expectTypeOf, it } from 'vitest'
import { defineAgent, done, need, next, type InputOf, type ResultOf, type StateOf } from './agent.ts'
import type { Schema } from './ctx.ts'

/** What must compile, and (`@ts-expect-error`) what must not. `tsc` is the judge; nothing here runs. */
interface Llm {
  complete(prompt: string): Promise<string>
}
declare const text: Schema<string>

describe('types', () => {
  it('infer state, needs, inbox, answers and result from the definition', () => {
    const agent = defineAgent({
      name: 'typed',
      version: 1,
      needs: { llm: need<Llm>(), publish: need<(text: string) => Promise<{ url: string }>>({ at: 'edge' }) },
      inbox: { hint: text },
      config: { model: 'small', tries: 3 },
      initial: (input: { question: string }) => ({ question: input.question, notes: [], tries: 0 }),
      async turn(ctx, state) {
        expectTypeOf(ctx.config).toEqualTypeOf<{ readonly model: 'small'; readonly tries: 3 }>()
        // A list that begins empty takes items in the first paste.
        state.notes.push('a note')
        const plan = await ctx.step('plan', ({ signal }) => {
          expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
          return ctx.use.llm.complete(state.question)
        })
        expectTypeOf(plan).toEqualTypeOf<string>()
        const hint = await ctx.receive('hint')
        expectTypeOf(hint).toEqualTypeOf<string>()
        expectTypeOf(await ctx.drain('hint', { key: 'rest' })).toEqualTypeOf<string[]>()
        const answer = await ctx.ask('sure', { question: 'sure?', schema: text })
        if (answer.status === 'answered') expectTypeOf(answer.value).toEqualTypeOf<string>()
        const { a, b } = await ctx.all('both', {
          a: (c) => c.step('x', () => 1),
          b: async (c) => (await c.step('x', () => true)) && 'yes',
        })
        expectTypeOf(a).toEqualTypeOf<number>()
        expectTypeOf(b).toEqualTypeOf<false | 'yes'>()
        const won = await ctx.race('first', {
          one: (c) => c.step('x', () => 1),
          two: (c) => c.step('x', () => 'b'),
        })
        if (won.name === 'one') expectTypeOf(won.value).toEqualTypeOf<number>()
        else expectTypeOf(won.value).toEqualTypeOf<string>()
        const settled = await ctx.allSettled('each', { one: (c) => c.step('x', () => 1) })
        if (settled.one.status === 'fulfilled') expectTypeOf(settled.one.value).toEqualTypeOf<number>()
        const paid = await ctx.once(
          'pay',
          {
            timeout: '30s',
            verify: async () => ({ done: true as const, value: { url: 'x' } }),
            undo: ({ value }) => void value,
          },
          () => ctx.use.publish('x'),
        )
        expectTypeOf(paid).toEqualTypeOf<{ url: string }>()
        interface Login {
          user: string
          token: string
        }
        const redact = (login: Login): Login => ({ ...login, token: '' })
        const login = await ctx.step('log in', { redact }, async ({ signal }) => ({
          user: String(signal.aborted),
          token: 'secret',
        }))
        expectTypeOf(login).toEqualTypeOf<{ user: string; token: string }>()
        const hidden = await ctx.step('hide', { redact: () => 'x' }, () => 'secret')
        expectTypeOf(hidden).toEqualTypeOf<string>()
        const scoped = await ctx.scope('chat', { sequential: true }, (c) =>
          c.step(c.numbered('model'), () => 5),
        )
        expectTypeOf(scoped).toEqualTypeOf<number>()
        const child = await ctx.spawn('helper', helper, { n: 1 })
        expectTypeOf(await ctx.join(child)).toEqualTypeOf<number>()
        return state.tries > 3 ? done({ text: plan }) : next({ after: '1h' })
      },
    })
    const helper = defineAgent({
      name: 'helper',
      version: 1,
      initial: (input: { n: number }) => input,
      turn: async (_, state) => done(state.n + 0),
    })
    expectTypeOf<InputOf<typeof agent>>().toEqualTypeOf<{ question: string }>()
    expectTypeOf<ResultOf<typeof helper>>().toEqualTypeOf<number>()
    expectTypeOf<StateOf<typeof agent>['tries']>().toEqualTypeOf<number>()
    agent.provide({ llm: { complete: async () => 'x' } })
  })

  it('take every kind of value as a result', () => {
    defineAgent({
      name: 'kinds',
      version: 1,
      initial: () => ({
        seen: new Map<URL, Error>(),
        vector: new Float32Array(3),
        buffer: new ArrayBuffer(1),
      }),
      async turn(ctx, state) {
        expectTypeOf(await ctx.step('error', () => new TypeError('x'))).toEqualTypeOf<TypeError>()
        expectTypeOf(await ctx.step('pattern', () => /x/g)).toEqualTypeOf<RegExp>()
        expectTypeOf(await ctx.step('url', () => new URL('https://example.org'))).toEqualTypeOf<URL>()
        state.vector = await ctx.step('vector', () => new Float32Array(3))
        state.buffer = await ctx.step('buffer', async () => new ArrayBuffer(1))
        return done(await ctx.step('kinds', () => ({ set: new Set([1n]), view: new DataView(state.buffer) })))
      },
    })
  })

  it('refuse what would fail later', () => {
    const agent = defineAgent({
      name: 'strict',
      version: 1,
      needs: { llm: need<Llm>() },
      inbox: { hint: text },
      initial: () => ({ notes: [] as string[], count: 0 }),
      async turn(ctx, state) {
        // @ts-expect-error a Response is no record
        await ctx.step('page', () => fetch('https://example.org'))
        // @ts-expect-error nor is a stream
        await ctx.step('stream', async () => new ReadableStream<string>())
        // @ts-expect-error nor a function
        await ctx.step('code', () => () => 1)
        // @ts-expect-error nor the result of an effect
        await ctx.once('effect', { timeout: '1s' }, () => new Blob([]))
        // @ts-expect-error an effect needs a time-out
        await ctx.once('effect', {}, () => 1)
        // @ts-expect-error what is recorded has the type of the result
        await ctx.step('hide', { redact: () => 5 }, () => 'secret')
        // @ts-expect-error what is streamed is stored as it is written
        await ctx.stream('text', { redact: () => 'x' }, () => 'secret')
        // @ts-expect-error a duration has a unit
        await ctx.sleep('nap', '5 minutes')
        // @ts-expect-error a message that the inbox does not have
        await ctx.receive('remark')
        // @ts-expect-error a need that was not declared
        await ctx.step('x', () => ctx.use.search)
        // @ts-expect-error an item of another kind
        state.notes.push(5)
        // @ts-expect-error a map names its items
        await ctx.map('each', [1], { concurrency: 2 }, async () => 1)
        // @ts-expect-error a branch is a function
        await ctx.all('both', { a: ctx.step('x', () => 1) })
        // @ts-expect-error numbers are given in a sequential scope alone
        ctx.numbered('model')
        return done()
      },
    })
    // @ts-expect-error what is provided has the type that was declared
    agent.provide({ llm: { complete: () => 5 } })
    // @ts-expect-error a turn returns next, done or fail
    defineAgent({ name: 'x', version: 1, initial: () => ({}), turn: async () => 5 })
    // @ts-expect-error an agent has a version
    defineAgent({ name: 'x', initial: () => ({}), turn: async () => done() })
  })
})
