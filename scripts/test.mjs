// `npm test`: every test there is. What follows `--` goes to Vitest: npm test -- --project unit, npm test -- test/moves.test.ts
import { runCommand } from './process.mjs'
import { setupOrExit } from './setup.mjs'

setupOrExit({ browsers: true })
const { code } = await runCommand('vitest', ['run', ...process.argv.slice(2)])
process.exit(code)
