import { defineAgent, done, fail, isWaystoneError, need, type StepTools } from '@waystone/core'

/** Asks a shop something; the name of a request is that of its step and its shop. */
export type AskShop = (request: string, body: string, tools: StepTools) => Promise<string>

const needs = { askShop: need<AskShop>() }

/** Asks the shops behind one service. */
export function askShopAt(service: string): AskShop {
  return async (request, body, { idempotencyKey, signal }) => {
    const response = await fetch(`${service}/effect/${encodeURIComponent(request)}`, {
      method: 'POST',
      headers: { 'idempotency-key': idempotencyKey },
      body,
      signal,
    })
    if (!response.ok) throw new Error(`${request}: the shop answered ${String(response.status)}`)
    const { answer } = (await response.json()) as { readonly answer: string }
    return answer
  }
}

/** Asks one shop for a price and holds the goods there. Fails when they are sold out. */
export const buyer = defineAgent({
  name: 'buyer',
  version: 1,
  needs,
  initial: (input: { readonly shop: string; readonly goods: string }) => input,
  async turn(ctx, { shop, goods }) {
    const answer = await ctx.step('price', (tools) => ctx.use.askShop(`price ${shop}`, goods, tools))
    if (answer === 'sold out') return fail(`${goods}: sold out`)
    const hold = await ctx.step('hold', (tools) => ctx.use.askShop(`hold ${shop}`, goods, tools))
    return done({ shop, price: Number(answer), hold })
  },
})

/** Sends a buyer to every shop at once, goes on without those that fail, and takes the best offer of the others. */
export const purchaser = defineAgent({
  name: 'purchaser',
  version: 1,
  initial: (input: { readonly goods: string; readonly shops: readonly string[] }) => ({ ...input, asked: 0 }),
  async turn(ctx, state) {
    const { goods } = state
    const shops = ctx.current(state.shops)
    const options = { key: String, concurrency: shops.length }
    const ends = await ctx.map('shops', shops, options, async (c, shop) => {
      const child = await c.spawn('buyer', buyer, { shop, goods })
      try {
        return { offer: await c.join(child) }
      } catch (error) {
        if (isWaystoneError(error, 'child_failed')) return { without: shop }
        throw error
      }
    })
    const offers = ends.flatMap(({ offer }) => offer ?? []).toSorted((a, b) => a.price - b.price)
    state.asked = shops.length
    return done({
      best: offers[0],
      offers: offers.length,
      without: ends.flatMap(({ without }) => without ?? []),
    })
  },
})
