// `npm run bench -- NAME`: runs test/bench/NAME.ts; what follows the name goes to it (--json prints one JSON document).
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root, runSource } from './process.mjs'
import { setupOrExit } from './setup.mjs'

const folder = join(root, 'test/bench')
const names = existsSync(folder)
  ? readdirSync(folder)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('_'))
      .map((file) => file.slice(0, -'.ts'.length))
  : []
const [name, ...args] = process.argv.slice(2)

if (name === undefined || !names.includes(name)) {
  const problem = name === undefined ? 'Name a benchmark' : `There is no benchmark "${name}"`
  console.error(`${problem}. There are: ${names.join(', ') || '(none yet)'}.`)
  process.exit(1)
}
setupOrExit({ browsers: false })
const { code } = await runSource(`test/bench/${name}.ts`, args)
process.exit(code)
