// `npm run test:chaos -- --kills N --engine chromium|firefox|webkit|workerd [--seed S] [--json]`: kills for real, see test/chaos.
import { join } from 'node:path'
import { childEnvironment, node24, root, run } from './process.mjs'
import { setupOrExit } from './setup.mjs'

setupOrExit({ browsers: true })
const { code } = await run(
  node24,
  ['--conditions=@waystone/source', join(root, 'test/chaos/main.ts'), ...process.argv.slice(2)],
  { env: childEnvironment() },
)
process.exit(code)
