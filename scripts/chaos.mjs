// `npm run test:chaos -- --kills N --engine chromium|firefox|webkit|workerd [--seed S] [--json]`: kills for real, see test/chaos.
import { runSource } from './process.mjs'
import { setupOrExit } from './setup.mjs'

setupOrExit({ browsers: true })
const { code } = await runSource('test/chaos/main.ts', process.argv.slice(2))
process.exit(code)
