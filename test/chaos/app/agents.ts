import { defineAgent, done, next, type Schema, type StepTools } from '@waystone/core'

/** What a run of the porter is started with. */
export interface PorterInput {
  /** The outside server that counts effects. */
  readonly server: string
  /** Names the run's effects at the outside. */
  readonly name: string
  /** Characters of cargo in the state, which the run carries from turn to turn. */
  readonly chars: number
  /** The run ends after so many turns, or when it is told to stop. */
  readonly turns: number
}

/** What the state of a porter comes to, for whoever checks it. */
export interface PorterState extends PorterInput {
  readonly cargo: readonly string[]
  /** The keys of the effects of each turn, in the order of the turn's calls. */
  readonly receipts: readonly (readonly string[])[]
  readonly news: readonly string[]
  readonly answers: readonly string[]
  readonly text: string
}

/** The effects of one turn in the order of the receipts; the last is of class once. */
export const effectNames = ['first', 'left', 'right', 'text', 'pay'] as const

/** What is streamed in every turn. */
export const words = ['some ', 'words ', 'in ', 'a ', 'row']

/** What a person is to answer in a turn, if anything. */
export function answerOf(turn: number): string {
  return `answer of turn ${String(turn)}`
}

/** A page of cargo: every turn writes one anew. */
export function pageOf(number: number): string {
  return `${String(number)} `.repeat(Math.ceil(pageChars / (String(number).length + 1))).slice(0, pageChars)
}

const pageChars = 10_000

const text: Schema<string> = {
  '~standard': { version: 1, vendor: 'chaos', validate: (value) => ({ value: String(value) }) },
}

interface Receipt {
  readonly key: string
}

/** Has an effect at the outside, which counts it by its key and knows it by run, turn and name. */
async function reach(
  { server, name, by }: PorterInput & { readonly by: string },
  turn: number,
  what: string,
  tools: Pick<StepTools, 'idempotencyKey' | 'signal'>,
): Promise<string> {
  const response = await fetch(`${server}/effect/${name}.${what}`, {
    method: 'POST',
    headers: { 'idempotency-key': tools.idempotencyKey },
    body: JSON.stringify({ run: name, turn, what, by }),
    signal: tools.signal,
  })
  return ((await response.json()) as Receipt).key
}

/** The life of the page that this worker belongs to; empty at the edge. */
function host(): string {
  const { location } = globalThis as { readonly location?: { readonly search: string } }
  return new URLSearchParams(location?.search).get('life') ?? ''
}

async function lookUp(server: string, key: string): Promise<{ done: true; value: string } | { done: false }> {
  const response = await fetch(`${server}/effect/any?key=${key}`)
  const found = (await response.json()) as { readonly done: boolean }
  return found.done ? { done: true, value: key } : { done: false }
}

/**
 * Carries a state of some size through turns of steps, branches, a stream, an effect of class once, questions and
 * messages: every kind of point to die at. In even turns nobody can look up whether the effect happened: a person decides.
 */
export const porterOf = (life: () => string) =>
  defineAgent({
    name: 'porter',
    version: 1,
    inbox: { news: text },
    initial: (input: PorterInput) => ({
      ...input,
      cargo: Array.from({ length: Math.ceil(input.chars / pageChars) }, (_, number) => pageOf(number)),
      receipts: [] as (readonly string[])[],
      news: [] as string[],
      answers: [] as string[],
      text: '',
    }),
    async turn(ctx, state) {
      const { server, name, chars, turns } = state
      const input = { server, name, chars, turns, by: life() }
      const { turn } = ctx
      const step = (c: Pick<typeof ctx, 'step'>, what: string): Promise<string> =>
        c.step(what, { attempts: 20, backoff: 50, backoffMax: '1s' }, (tools) =>
          reach(input, turn, what, tools),
        )
      const first = await step(ctx, 'first')
      const { left, right } = await ctx.all('both', {
        left: (c) => step(c, 'left'),
        right: (c) => step(c, 'right'),
      })
      const said = await ctx.stream('text', { attempts: 20, backoff: 50 }, async ({ out, ...tools }) => {
        for (const [index, word] of words.entries()) {
          if (out.text.startsWith(words.slice(0, index + 1).join(''))) continue
          await out.write(word)
          if (index === 2) await reach(input, turn, 'text', tools)
        }
        return { key: tools.idempotencyKey, text: out.text }
      })
      const pay = await ctx.once(
        'pay',
        {
          timeout: '2s',
          ...(turn % 2 === 0 ? {} : { verify: ({ idempotencyKey }) => lookUp(server, idempotencyKey) }),
        },
        (tools) => reach(input, turn, 'pay', tools),
      )
      if (turn % 3 === 2) {
        const answer = await ctx.ask<string>('which', { question: turn })
        if (answer.status === 'answered') state.answers.push(answer.value)
      }
      const news = await ctx.drain('news')
      state.news.push(...news)
      state.receipts.push([first, left, right, said.key, pay])
      state.text = said.text
      state.cargo[turn % state.cargo.length] = pageOf(turn)
      return news.includes('stop') || turn + 1 >= turns ? done(turn + 1) : next()
    },
  })

/** The porter of a page, and of the edge. */
export const porter = porterOf(host)
