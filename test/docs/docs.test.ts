import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchEngine, skipWithout, type ChromiumEngine } from '../harness/engines.ts'
import { bundle } from '../harness/static-server.ts'
import { forgotten, isRun, needsBrowser, needsNode, readPages } from './examples.ts'
import { runInNode, runInPage, typeErrors, writeExamples } from './run-example.ts'

const root = join(import.meta.dirname, '../..')
const pages = readPages(join(root, 'docs'))

describe('the pages of docs', () => {
  let folder: string
  let chromium: Promise<ChromiumEngine> | undefined
  beforeAll(async () => {
    // Inside the repository, so that the packages are found as an application finds them.
    await mkdir(join(root, '.waystone'), { recursive: true })
    folder = await mkdtemp(join(root, '.waystone/docs-'))
    await writeExamples(folder, pages)
  })
  afterAll(async () => {
    await (await chromium)?.close()
    await rm(folder, { recursive: true, force: true })
  })

  it('have examples that the compiler accepts at its strictest', async () => {
    expect(await typeErrors(root, folder)).toBe('')
  })

  it('are linked from the README', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    expect(pages.length).toBeGreaterThan(0)
    for (const { name } of pages) expect(readme).toContain(`(docs/${name}.md)`)
  })

  describe.each(pages.map((page) => [`${page.name}.md`, page] as const))('%s', (_, page) => {
    it('has no example that nothing runs, unless it is marked', () => {
      expect(forgotten(page)).toEqual([])
    })

    for (const example of page.examples.filter(({ notRun }) => notRun)) {
      const platform = needsNode(example) ? 'node' : 'browser'
      it(`${example.name}: bundles for ${platform === 'node' ? 'Node' : 'a browser'}`, async () => {
        const file = join(folder, page.name, example.name)
        expect(Object.keys(await bundle(file, { platform }))).toHaveLength(1)
      })
    }

    for (const example of page.examples.filter(isRun)) {
      const { name, output } = example
      it(`${name}: ${output === undefined ? 'passes' : 'prints what the page shows'}`, async (context) => {
        const file = join(folder, page.name, name)
        if (needsBrowser(example)) skipWithout('chromium', context)
        const printed = needsBrowser(example)
          ? await runInPage(await (chromium ??= launchEngine('chromium')), file)
          : await runInNode(file)
        if (output !== undefined) expect(printed).toBe(output)
      })
    }
  })
})
