import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const bin = join(root, 'node_modules/.bin')

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waystone-rules-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('import rules', () => {
  const refused: readonly (readonly [file: string, source: string, message: string])[] = [
    ['packages/core/src/log/a.ts', imports('@waystone/browser'), 'core imports no other package'],
    ['packages/core/src/log/a.ts', imports('@waystone/edge'), 'core imports no other package'],
    ['packages/core/src/log/a.ts', imports('@waystone/core'), 'Inside core a file imports the file it means'],
    ['packages/core/src/a.ts', imports('../../edge/src/b.ts'), 'never by a path into it'],
    ['packages/browser/src/a.ts', imports('@waystone/edge'), 'browser imports core only'],
    ['packages/browser/src/a.ts', imports('@waystone/testing'), 'browser imports core only'],
    ['packages/browser/src/a.ts', imports('../../core/src/errors.ts'), 'never by a path into it'],
    ['packages/edge/src/a.ts', imports('@waystone/browser'), 'edge imports core, access and encryption only'],
    [
      'packages/edge/src/deep/a.ts',
      imports('@waystone/demo/agent'),
      'edge imports core, access and encryption only',
    ],
    ['packages/core/src/log/a.ts', imports('@waystone/node'), 'core imports no other package'],
    ['packages/browser/src/a.ts', imports('@waystone/node'), 'browser imports core only'],
    ['packages/edge/src/a.ts', imports('@waystone/node'), 'edge imports core, access and encryption only'],
    ['packages/node/src/a.ts', imports('@waystone/edge'), 'node imports core only'],
    ['packages/access/src/a.ts', imports('@waystone/edge'), 'access imports core only'],
    ['packages/core/src/log/a.ts', imports('@waystone/access'), 'core imports no other package'],
    ['packages/core/src/log/a.ts', imports('@waystone/encryption'), 'core imports no other package'],
    ['packages/browser/src/a.ts', imports('@waystone/encryption'), 'browser imports core only'],
    ['packages/encryption/src/a.ts', imports('@waystone/access'), 'encryption imports core only'],
    ['packages/browser/src/a.ts', imports('@waystone/access'), 'browser imports core only'],
    ['packages/client/src/a.ts', imports('@waystone/edge'), 'client imports core only'],
    ['packages/client/src/a.ts', imports('@waystone/access'), 'client imports core only'],
    [
      'packages/client/src/a.ts',
      imports('@waystone/client'),
      'Inside client a file imports the file it means',
    ],
    ['packages/client/src/a.ts', imports('../../edge/src/http/openapi.ts'), 'never by a path into it'],
    ['packages/core/src/log/a.ts', imports('@waystone/client'), 'core imports no other package'],
    ['packages/browser/src/a.ts', imports('@waystone/client'), 'browser imports core only'],
    ['packages/edge/src/a.ts', imports('@waystone/client'), 'edge imports core, access and encryption only'],
    ['packages/access/src/a.ts', imports('@waystone/client'), 'access imports core only'],
    ['worker/src/a.ts', imports('@waystone/client'), 'worker imports edge, core and the agents of the demo'],
    ['demo/src/a.ts', imports('@waystone/client'), 'demo imports browser and core'],
    ['packages/node/src/a.ts', imports('@waystone/browser'), 'node imports core only'],
    ['packages/node/src/deep/a.ts', imports('../index.ts'), 'never imports the index of its own package'],
    ['packages/node/src/a.ts', imports('../../core/src/sql/sql.ts'), 'never by a path into it'],
    ['packages/testing/src/a.ts', imports('@waystone/edge'), 'testing imports core only'],
    ['packages/testing/src/a.ts', imports('@waystone/node'), 'testing imports core only'],
    ['packages/testing/src/a.ts', imports('@waystone/browser'), 'testing imports core only'],
    ['worker/src/a.ts', imports('@waystone/browser'), 'worker imports edge, core and the agents of the demo'],
    ['worker/src/a.ts', imports('@waystone/demo'), 'worker imports edge, core and the agents of the demo'],
    [
      'worker/src/a.ts',
      imports('@waystone/demo/page'),
      'worker imports edge, core and the agents of the demo',
    ],
    ['demo/src/a.ts', imports('@waystone/edge'), 'demo imports browser and core'],
    ['demo/src/a.ts', imports('../../worker/src/index.ts'), 'never by a path into it'],
    ['test/a.test.ts', imports('@waystone/worker'), 'Nothing imports the worker'],
    ['test/a.test.ts', imports('@waystone/demo'), 'Nothing imports the worker'],
    ['packages/browser/src/a.ts', imports('../../../test/harness/engines.ts'), 'never by a path into it'],
    ['packages/core/src/log/a.ts', imports('./index.ts'), 'never imports the index of its own package'],
    ['packages/edge/src/deep/a.ts', imports('../index.ts'), 'never imports the index of its own package'],
    ['packages/core/src/log/a.ts', imports('..'), 'never imports the index of its own package'],
    [
      'packages/core/src/log/a.ts',
      "export { value } from '@waystone/edge'\n",
      'core imports no other package',
    ],
    [
      'packages/core/src/log/a.ts',
      "import type { T } from '@waystone/edge'\nexport type U = T\n",
      'core imports no other',
    ],
  ]
  it.each(refused)('refuses in %s: %s', async (file, source, message) => {
    const result = await lint({ [file]: source })
    expect(result.output).toContain(message)
    expect(result.code).not.toBe(0)
  })

  const allowed: readonly (readonly [file: string, source: string])[] = [
    ['packages/browser/src/a.ts', imports('@waystone/core')],
    ['packages/browser/src/a.ts', imports('@waystone/core/memory')],
    ['packages/edge/src/a.ts', imports('@waystone/core')],
    ['packages/node/src/a.ts', imports('@waystone/core')],
    ['packages/access/src/a.ts', imports('@waystone/core')],
    ['packages/client/src/a.ts', imports('@waystone/core')],
    ['packages/edge/src/a.ts', imports('@waystone/access')],
    ['packages/edge/src/a.ts', imports('@waystone/encryption')],
    ['packages/node/src/a.ts', imports('@waystone/core/sql')],
    ['packages/testing/src/a.ts', imports('@waystone/core')],
    ['worker/src/a.ts', imports('@waystone/edge')],
    ['worker/src/a.ts', imports('@waystone/demo/agent')],
    ['demo/src/a.ts', imports('@waystone/browser')],
    ['packages/edge/src/a.ts', imports('./deep/b.ts')],
  ]
  it.each(allowed)('allows in %s: %s', async (file, source) => {
    const result = await lint({ [file]: source })
    expect(result.output).not.toContain('no-restricted-imports')
    expect(result.code).toBe(0)
  })
})

describe('layers of core', () => {
  const layers = ['runtime', 'engine', 'session', 'sync', 'log', 'state', 'ports'] as const
  const bases = ['errors', 'limits', 'ids'] as const

  it.each(pairs(layers))('%s is not imported by %s, which is below it', async (above, below) => {
    const result = await lint({ [`packages/core/src/${below}/a.ts`]: imports(`../${above}/b.ts`) })
    expect(result.output).toContain(`${below} imports only the layers below it`)
    expect(result.code).not.toBe(0)
  })

  it.each(pairs(layers))('%s may import %s', async (above, below) => {
    const result = await lint({ [`packages/core/src/${above}/a.ts`]: imports(`../${below}/b.ts`) })
    expect(result).toMatchObject({ code: 0 })
  })

  it.each(layers)('%s may import errors, limits and ids, and is not imported by them', async (layer) => {
    for (const base of bases) {
      const down = await lint({ [`packages/core/src/${layer}/a.ts`]: imports(`../${base}.ts`) })
      expect(down).toMatchObject({ code: 0 })
    }
    for (const base of bases) {
      const up = await lint({ [`packages/core/src/${base}.ts`]: imports(`./${layer}/a.ts`) })
      expect(up.output).toContain(`${base} is below every layer`)
      expect(up.code).not.toBe(0)
      await rm(join(folder, `packages/core/src/${base}.ts`))
    }
  })

  it.each(['runtime', 'engine', 'session', 'sync'])('memory does not import %s', async (layer) => {
    const result = await lint({ 'packages/core/src/memory/a.ts': imports(`../${layer}/b.ts`) })
    expect(result.output).toContain('memory imports only')
    expect(result.code).not.toBe(0)
  })

  it.each(['runtime', 'engine', 'session', 'memory'])('sql does not import %s', async (layer) => {
    const result = await lint({ 'packages/core/src/sql/a.ts': imports(`../${layer}/b.ts`) })
    expect(result.output).toContain('sql imports only')
    expect(result.code).not.toBe(0)
  })

  it.each([...layers, 'memory'])('%s does not import sql', async (layer) => {
    const result = await lint({ [`packages/core/src/${layer}/a.ts`]: imports('../sql/b.ts') })
    expect(result.output).toContain(`${layer} imports only`)
    expect(result.code).not.toBe(0)
  })

  it('memory may import ports, log and state', async () => {
    const source = `import '../ports/a.ts'\nimport '../log/a.ts'\nimport '../state/a.ts'\n`
    expect(await lint({ 'packages/core/src/memory/a.ts': source })).toMatchObject({ code: 0 })
  })
})

describe('rules of style', () => {
  it('refuses any', async () => {
    const result = await lint({ 'packages/core/src/log/a.ts': 'export const value: any = 1\n' })
    expect(result.output).toContain('no-explicit-any')
    expect(result.code).not.toBe(0)
  })

  it('refuses a default export', async () => {
    const result = await lint({ 'packages/core/src/log/a.ts': 'export default 1\n' })
    expect(result.output).toContain('no-default-export')
    expect(result.code).not.toBe(0)
  })

  it('refuses the console in a package', async () => {
    const result = await lint({ 'packages/edge/src/a.ts': "console.log('x')\n" })
    expect(result.output).toContain('no-console')
    expect(result.code).not.toBe(0)
  })

  it('refuses a cycle of imports', async () => {
    const result = await lint({
      'packages/core/src/log/a.ts': "import { b } from './b.ts'\nexport const a = () => b\n",
      'packages/core/src/log/b.ts': "import { a } from './a.ts'\nexport const b = () => a\n",
    })
    expect(result.output).toContain('no-cycle')
    expect(result.code).not.toBe(0)
  })
})

describe('types of core', () => {
  it.each(['document', 'caches', 'process', 'indexedDB', 'Buffer', 'window'])(
    'do not know %s',
    async (name) => {
      const result = await compileLikeCore(`export const value = ${name}\n`)
      expect(result.output).toContain(name)
      expect(result.output).toMatch(/error TS(2304|2580|2584|2591|2867|2868):/)
      expect(result.code).not.toBe(0)
    },
  )

  it('know what ECMAScript has', async () => {
    const result = await compileLikeCore('export const value = new Map([[1, new Uint8Array(1)]])\n')
    expect(result).toMatchObject({ code: 0 })
  })
})

function imports(specifier: string): string {
  return `import { value } from '${specifier}'\nexport const used = value\n`
}

/** Every pair of an upper and a lower layer. */
function pairs(layers: readonly string[]): (readonly [above: string, below: string])[] {
  return layers.flatMap((above, index) => layers.slice(index + 1).map((below) => [above, below] as const))
}

/** Lints files in a folder laid out like the repository, with the repository's own rules. */
async function lint(files: Readonly<Record<string, string>>): Promise<Outcome> {
  await copyFile(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  for (const [path, source] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), source)
  }
  return run(join(bin, 'oxlint'), ['--deny-warnings'], folder)
}

async function compileLikeCore(source: string): Promise<Outcome> {
  await writeFile(join(folder, 'a.ts'), source)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  const config = {
    extends: join(root, 'packages/core/tsconfig.json'),
    compilerOptions: { rootDir: '.', noEmit: true, composite: false, tsBuildInfoFile: null },
    files: ['a.ts'],
    // What core declares for itself counts as known to it.
    include: [join(root, 'packages/core/src/**/*.d.ts')],
    exclude: [],
    references: [],
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
  return run(join(bin, 'tsc'), ['-p', 'tsconfig.json'], folder)
}

interface Outcome {
  readonly code: number
  readonly output: string
}

function run(file: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ code, output: stdout + stderr })
    })
  })
}
