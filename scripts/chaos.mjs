// `npm run test:chaos -- --kills N --engine chromium|firefox|webkit|workerd [--seed S] [--json]`: kills for real, see test/chaos.
// `npm run test:chaos -- --soak [--runs N] [--kills N] [--turns N]`: many runs in use at an edge that is killed and deployed anew.
import { runSource } from './process.mjs'
import { setupOrExit } from './setup.mjs'

setupOrExit({ browsers: true })
const { code } = await runSource('test/chaos/main.ts', process.argv.slice(2))
process.exit(code)
