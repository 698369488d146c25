import { openWaystone } from '@waystone/browser'
import { buyer, purchaser, type AskShop } from './agents.ts'

const service = new URLSearchParams(location.search).get('service') ?? location.origin

const askShop: AskShop = async (request, body, { idempotencyKey, signal }) => {
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

// A page that opens anew goes on with the orchestrator and with each of its workers, wherever they were.
const waystone = await openWaystone({ agents: [purchaser, buyer.provide({ askShop })] })
const shops = Array.from({ length: 10 }, (_, n) => `shop-${String(n)}`)
const run = await waystone.start(purchaser, { goods: 'lamps', shops }, { id: 'lamps' })

// For the console, and for whoever looks at this page from outside.
Object.assign(globalThis, { waystone, run })
