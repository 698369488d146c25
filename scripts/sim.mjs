// `npm run sim`: simulates devices, an edge, people and faults by seed; see test/sim/sim.ts for what can be asked for.
import { join } from 'node:path'
import { childEnvironment, node24, root, run } from './process.mjs'
import { setupOrExit } from './setup.mjs'

setupOrExit({ browsers: false })
const { code } = await run(
  node24,
  ['--conditions=@waystone/source', join(root, 'test/sim/sim.ts'), ...process.argv.slice(2)],
  { env: childEnvironment() },
)
process.exit(code)
