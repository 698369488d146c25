import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import type { ChromiumEngine } from '../harness/engines.ts'
import { bundle, serveStatic } from '../harness/static-server.ts'
import type { Page } from './examples.ts'

const html =
  '<!doctype html><meta charset="utf-8"><title>docs</title><body><script type="module" src="/page.js"></script>'

/** Writes the examples of pages, each page into a folder of its own, with what the compiler needs to check them all. */
export async function writeExamples(folder: string, pages: readonly Page[]): Promise<void> {
  for (const page of pages) {
    await mkdir(join(folder, page.name), { recursive: true })
    for (const { name, code } of page.examples) await writeFile(join(folder, page.name, name), code)
  }
  const config = {
    extends: '../../tsconfig.base.json',
    compilerOptions: {
      lib: ['ES2024', 'DOM', 'DOM.Iterable'],
      types: ['node'],
      noEmit: true,
      composite: false,
      declaration: false,
      declarationMap: false,
      sourceMap: false,
      rewriteRelativeImportExtensions: false,
    },
    include: ['.'],
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
}

/** What the compiler says about a folder: nothing when all is well. */
export async function typeErrors(root: string, folder: string): Promise<string> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  try {
    await promisify(execFile)(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { cwd: root })
    return ''
  } catch (error) {
    const { stdout } = error as { readonly stdout?: string }
    if (stdout === undefined || stdout === '') throw error
    // The sources of the packages are checked with the libraries of their own platforms, by `tsc -b`.
    const errors = stdout.split(/^(?=\S)/m).filter((one) => !one.startsWith('packages/'))
    return errors.join('')
  }
}

/** Runs a file in Node, with the packages taken from their sources. Gives what it printed; throws when it failed. */
export async function runInNode(file: string): Promise<string> {
  const outfile = file.replace(/\.ts$/, '.bundle.mjs')
  const conditions = ['@waystone/source']
  const format = 'esm'
  await build({ entryPoints: [file], outfile, bundle: true, platform: 'node', format, conditions })
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: 60_000 })
    return stdout.trimEnd()
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string }
    throw new Error(`it printed:\n${stdout}${stderr}`, { cause: error })
  }
}

/** Runs a file in a page of a real browser. Gives what it printed; throws when it failed. */
export async function runInPage(chromium: ChromiumEngine, file: string): Promise<string> {
  const entry = file.replace(/\.ts$/, '.page.ts')
  await writeFile(entry, `import '${file}'\nObject.assign(globalThis, { docsDone: true })\n`)
  const [page] = Object.values(await bundle(entry))
  const server = await serveStatic({ 'page.js': page ?? '', 'index.html': html })
  const tab = await chromium.newPage()
  const printed: string[] = []
  let failed: Error | undefined
  tab.raw.on('console', (message) => message.type() === 'log' && printed.push(message.text()))
  tab.raw.on('pageerror', (error) => (failed ??= error))
  try {
    await tab.goto(`${server.url}/`)
    await tab.waitFor('globalThis.docsDone', { timeoutMs: 30_000 }).catch((error: unknown) => {
      throw failed ?? new Error(`it printed:\n${printed.join('\n')}`, { cause: error })
    })
    return printed.join('\n')
  } finally {
    await tab.close()
    await server.close()
  }
}
