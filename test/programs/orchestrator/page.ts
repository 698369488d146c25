import { openWaystone } from '@waystone/browser'
import { askShopAt, buyer, purchaser } from './agents.ts'

const service = new URLSearchParams(location.search).get('service') ?? location.origin
const askShop = askShopAt(service)

// A page that opens anew goes on with the orchestrator and with each of its workers, wherever they were.
const waystone = await openWaystone({ agents: [purchaser, buyer.provide({ askShop })] })
const shops = Array.from({ length: 10 }, (_, n) => `shop-${String(n)}`)
const run = await waystone.start(purchaser, { goods: 'lamps', shops }, { id: 'lamps' })

// For the console, and for whoever looks at this page from outside.
Object.assign(globalThis, { waystone, run })
