import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Hold } from '../../harness/effect-server.ts'
import type { ChromiumPage } from '../../harness/engines.ts'
import { poll } from '../../harness/poll.ts'
import { inChromium, type Program } from '../in-chromium.ts'
import { answerTo, prices, requestOf, requestsOfAll, soldOut } from './shops.ts'

/** When the tab dies: the requests that are still unanswered then, and how many of its workers have ended. */
const deaths = [
  { when: 'nobody has an answer', open: prices.map((_, n) => `price shop-${String(n)}`), ended: 0 },
  {
    when: 'some have ended and some have not',
    open: ['hold shop-1', 'hold shop-6', 'price shop-5'],
    ended: 7,
  },
  { when: 'the last one is about to end', open: ['hold shop-8'], ended: 9 },
]

describe('an orchestrator of ten workers in a page', () => {
  let program: Program
  beforeEach(async () => {
    const page = join(import.meta.dirname, 'page.ts')
    program = await inChromium([page], { answer: ({ path }) => answerTo(requestOf(path)) })
  })
  afterEach(() => program.close())

  async function open(): Promise<ChromiumPage> {
    const tab = await program.open()
    await tab.waitFor('globalThis.run !== undefined')
    return tab
  }

  it.each(deaths)(
    'killed when $when: seven results are combined, three failed, nobody is sent twice',
    async (death) => {
      const holds = death.open.map((request): Hold =>
        program.service.hold(`/effect/${encodeURIComponent(request)}`),
      )
      const tab = await open()
      // A browser has six connections to a server: further requests wait for theirs inside it, and die with the tab.
      const arrivedMin = Math.min(death.open.length, 6)
      await poll(() => askedOf(death.open).length >= arrivedMin || undefined, {
        timeoutMs: 30_000,
        message: () => `only these have arrived: ${askedOf(death.open).join(', ')}`,
      })
      await tab.waitFor(
        `${workers}.then((all) => all.length === 10 && ${endedIn('all')} === ${String(death.ended)})`,
      )
      await tab.killRenderer()
      for (const hold of holds) hold.drop()
      await tab.close()
      const unanswered = askedOf(death.open)

      const again = await open()
      expect(await again.evaluate('run.result()')).toEqual({
        best: { shop: 'shop-6', price: 48, hold: 'held lamps at shop-6' },
        offers: 7,
        without: soldOut,
      })
      const children = await again.evaluate<{ status: string }[]>(workers)
      expect(children.map(({ status }) => status).toSorted()).toEqual([
        ...Array.from({ length: 7 }, () => 'done'),
        ...Array.from({ length: 3 }, () => 'failed'),
      ])
      // What the tab had asked for without an answer was asked for again, by the same key. Nothing else.
      expect(starts()).toEqual(
        Object.fromEntries(requestsOfAll.map((request) => [request, unanswered.includes(request) ? 2 : 1])),
      )
    },
  )

  /** Those of some requests that have reached the shops. */
  function askedOf(requests: readonly string[]): readonly string[] {
    const asked = program.service.effects().map(({ path }) => requestOf(path))
    return requests.filter((request) => asked.includes(request))
  }

  /** How often each request reached the shops. */
  function starts(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      program.service.effects().map(({ key, path }) => [requestOf(path), program.service.starts(key)]),
    )
  }
})

/** The children that this browser has, whoever started them. */
const workers = `waystone.runs().then((runs) => runs.filter(({ agent }) => agent === 'buyer'))`
const endedIn = (runs: string): string =>
  `${runs}.filter(({ status }) => status === 'done' || status === 'failed').length`
