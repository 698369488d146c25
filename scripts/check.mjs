// `npm run check`: the gate that is not a test. Every step runs, also after one has failed.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, runCommand, runSource } from './process.mjs'
import { setupOrExit } from './setup.mjs'

setupOrExit({ browsers: false })

const packages = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'package.json')),
)
const sizes = 'test/bench/size.ts'
const command = (name, args, options) => runCommand(name, args, { ...options, capture: true })

const steps = [
  { name: 'format', run: () => command('prettier', ['--check', '.']) },
  { name: 'lint', run: () => command('oxlint', ['--deny-warnings']) },
  { name: 'build', run: buildPackages },
  { name: 'types', run: () => command('typescript', ['-b'], { command: 'tsc' }) },
  { name: 'client types', run: () => runSource('scripts/client-types.mjs', ['--check'], { capture: true }) },
  ...packages.map((name) => ({
    name: `publint ${name}`,
    run: () => command('publint', [join('packages', name), '--strict', '--pack', 'npm']),
  })),
  { name: 'demo', run: () => command('vite', ['build', '--logLevel', 'warn'], { cwd: join(root, 'demo') }) },
  { name: 'worker', run: dryRunWorker },
  ...(existsSync(join(root, sizes))
    ? [{ name: 'sizes', run: () => runSource(sizes, [], { capture: true }) }]
    : []),
]

let failed = 0
for (const step of steps) {
  const { code, output } = await step
    .run()
    .catch((error) => ({ code: 1, output: String(error?.stack ?? error) }))
  if (code !== 0) failed++
  console.log(`${code === 0 ? 'ok    ' : 'failed'} ${step.name}`)
  if (code !== 0) console.log(indent(output))
}
process.exit(failed === 0 ? 0 : 1)

/** Emits the packages from nothing, so that no file of a removed source stays in what is published. */
function buildPackages() {
  for (const name of packages) {
    rmSync(join(root, 'packages', name, 'dist'), { recursive: true, force: true })
    rmSync(join(root, `node_modules/.tmp/${name}.tsbuildinfo`), { force: true })
  }
  return command('typescript', ['-b', ...packages.map((name) => join('packages', name))], { command: 'tsc' })
}

/** Bundles the worker as a deployment would, without sending it anywhere. */
function dryRunWorker() {
  const args = ['deploy', '--dry-run', '--outdir', join(root, '.waystone/worker')]
  return command('wrangler', args, { env: { CI: '1' } })
}

function indent(text) {
  return text.trimEnd().replace(/^/gm, '       ')
}
