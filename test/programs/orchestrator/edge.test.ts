import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEventStream } from '../../harness/event-stream.ts'
import { poll } from '../../harness/poll.ts'
import { pushRun } from '../../e2e/pushed-run.ts'
import { startWorld, type World } from '../../e2e/world.ts'
import { purchaser } from './agents.ts'
import { answerTo, prices, requestOf, requestsOfAll, soldOut } from './shops.ts'

/** When workerd dies: the requests that are still unanswered then, and how many of the workers have ended. */
const deaths = [
  {
    when: 'nobody has an answer',
    run: 'none',
    open: prices.map((_, n) => `price shop-${String(n)}`),
    ended: 0,
  },
  {
    when: 'some have ended and some have not',
    run: 'some',
    open: ['hold shop-1', 'hold shop-6', 'price shop-5'],
    ended: 7,
  },
  { when: 'the last one is about to end', run: 'last', open: ['hold shop-8'], ended: 9 },
]

describe('an orchestrator of ten workers at the edge', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld({ answer: ({ path }) => answerTo(requestOf(path)) })
  })
  afterAll(() => world.close())

  it.each(deaths)(
    'finishes by itself after workerd was killed when $when: seven results, three failed, nobody is sent twice',
    async ({ run, open, ended }) => {
      const { effects } = world
      const before = new Set(effects.effects().map(({ key }) => key))
      const holds = open.map((request) => effects.hold(`/effect/${encodeURIComponent(request)}`))
      await pushRun(world, run, purchaser, {
        goods: 'lamps',
        shops: prices.map((_, n) => `shop-${String(n)}`),
      })
      await Promise.all(holds.map(({ arrived }) => arrived))
      await poll(async () => (await joinsOf(run)) === ended || undefined, {
        timeoutMs: 30_000,
        message: async () => `${String(await joinsOf(run))} of ${String(ended)} workers have ended`,
      })
      await world.killEdge()
      for (const hold of holds) hold.drop()

      // Nobody asks for the run: its workers ask their shops again by themselves.
      const again = effects.hold(`/effect/${encodeURIComponent(open.at(-1) ?? '')}`)
      await world.startEdge()
      await again.arrived
      again.release()
      const stream = await openEventStream(`${world.edge().url}/v1/runs/${run}/events`, world.headers)
      await stream.closed
      expect(JSON.parse(stream.events().at(-1)?.data ?? '{}')).toEqual({
        status: 'done',
        result: {
          best: { shop: 'shop-6', price: 48, hold: 'held lamps at shop-6' },
          offers: 7,
          without: soldOut,
        },
      })
      // What was not answered is asked for again, by the same key. Nothing else.
      const now = effects.effects().filter(({ key }) => !before.has(key))
      expect(Object.fromEntries(now.map(({ key, path }) => [requestOf(path), effects.starts(key)]))).toEqual(
        Object.fromEntries(requestsOfAll.map((request) => [request, open.includes(request) ? 2 : 1])),
      )
    },
  )

  /** How many workers the orchestrator knows to have ended. */
  async function joinsOf(run: string): Promise<number> {
    const url = `${world.edge().url}/v1/runs/${run}/entries?from=0`
    const text = await (await fetch(url, { headers: world.headers })).text()
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.filter((line) => (JSON.parse(line) as { kind: string }).kind === 'join').length
  }
})
