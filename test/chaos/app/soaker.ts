import { defineAgent, done, next } from '@waystone/core'

/** What a run of the soak is started with. */
export interface SoakerInput {
  /** The outside server that counts effects. */
  readonly server: string
  readonly name: string
  readonly turns: number
}

/** Characters that change in each turn, so that there is history to let go of. */
const pageChars = 9_000

/**
 * An agent in daily use: steps, an effect of class once, a question, and rests between its turns. `release` is the version of the
 * deployment: each has another one, and brings older states along.
 */
export function soaker(release: number) {
  const same = (state: never): unknown => state
  return defineAgent({
    name: 'soaker',
    version: release,
    migrate: Object.fromEntries(Array.from({ length: release - 1 }, (_, index) => [index + 2, same])),
    retention: { turns: 2, age: 0, labels: false },
    initial: (input: SoakerInput) => ({ ...input, page: '', receipts: [] as string[], answer: '' }),
    async turn(ctx, state) {
      const { server, name, turns } = state
      const { turn } = ctx
      const reach = async (what: string, key: string, signal: AbortSignal): Promise<string> => {
        const headers = { 'idempotency-key': key }
        const response = await fetch(`${server}/effect/${name}.${what}`, {
          method: 'POST',
          headers,
          body: JSON.stringify({ name, turn, what }),
          signal,
        })
        return ((await response.json()) as { readonly key: string }).key
      }
      const patient = { attempts: 30, backoff: 50, backoffMax: '1s' } as const
      const both = await ctx.all('both', {
        left: (c) => c.step('left', patient, (t) => reach('left', t.idempotencyKey, t.signal)),
        right: (c) => c.step('right', patient, (t) => reach('right', t.idempotencyKey, t.signal)),
      })
      const paid = await ctx.once(
        'pay',
        {
          timeout: '20s',
          async verify({ idempotencyKey }) {
            const response = await fetch(`${server}/effect/any?key=${idempotencyKey}`)
            const { done: isDone } = (await response.json()) as { readonly done: boolean }
            return isDone ? { done: true, value: idempotencyKey } : { done: false }
          },
        },
        (t) => reach('pay', t.idempotencyKey, t.signal),
      )
      if (turn === Math.floor(turns / 2)) {
        const answer = await ctx.ask<string>('which', { question: name })
        if (answer.status === 'answered') state.answer = answer.value
      }
      state.receipts.push(both.left, both.right, paid)
      state.page = `${String(turn)} ${paid} `.repeat(pageChars).slice(0, pageChars)
      return turn + 1 < turns ? next({ after: 300 + ((turn * 7) % 5) * 200 }) : done(state.receipts.length)
    },
  })
}
