// `npm run sim`: simulates devices, an edge, people and faults by seed; see test/sim/sim.ts for what can be asked for.
import { runSource } from './process.mjs'
import { setupOrExit } from './setup.mjs'

setupOrExit({ browsers: false })
const { code } = await runSource('test/sim/sim.ts', process.argv.slice(2))
process.exit(code)
