import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdge, type EdgeProcess } from '../harness/edge-process.ts'
import { launchEngine, type ChromiumEngine } from '../harness/engines.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

const root = join(import.meta.dirname, '../..')
const token = 'the-token-of-this-test'
const html =
  '<!doctype html><meta charset="utf-8"><title>README</title><body><script type="module" src="/main.js"></script>'
const texts = { 'one.txt': 'first', 'two.txt': 'second', 'three.txt': 'third' }

/** The code blocks of the README by the file that their first line names; those without one in order. */
async function examples(): Promise<{
  readonly files: ReadonlyMap<string, string>
  readonly rest: readonly string[]
}> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const files = new Map<string, string>()
  const rest: string[] = []
  for (const [, code = ''] of readme.matchAll(/```ts\n([\s\S]*?)```/g)) {
    const name = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1]
    if (name === undefined) rest.push(code)
    else files.set(name, code)
  }
  return { files, rest }
}

describe('the example of the README', () => {
  let folder: string
  let state: string
  let chromium: ChromiumEngine
  let page: StaticServer | undefined
  let edge: EdgeProcess | undefined
  beforeAll(async () => {
    // Inside the repository, so that the packages are found as an application finds them.
    await mkdir(join(root, '.waystone'), { recursive: true })
    folder = await mkdtemp(join(root, '.waystone/readme-'))
    state = await mkdtemp(join(tmpdir(), 'waystone-readme-'))
    chromium = await launchEngine('chromium')
  })
  afterAll(async () => {
    await chromium.close()
    await edge?.stop()
    await page?.close()
    await rm(folder, { recursive: true, force: true })
    await rm(state, { recursive: true, force: true, maxRetries: 5 })
  })

  async function write(files: ReadonlyMap<string, string>): Promise<void> {
    for (const [name, code] of files) await writeFile(join(folder, name), code)
  }

  it('runs, and survives that its renderer is killed', async () => {
    await write((await examples()).files)
    page = await serveStatic({ ...(await bundle(join(folder, 'main.ts'))), ...texts, 'index.html': html })
    const tab = await chromium.newPage()
    const asked: string[] = []
    await tab.raw.route('**/two.txt', (route) => {
      asked.push('two')
      return asked.length === 1 ? undefined : route.continue()
    })
    await tab.goto(`${page.url}/`)
    await tab.waitFor(`document.body.textContent.includes('first')`)
    await tab.killRenderer()
    await tab.close()

    const again = await chromium.newPage()
    await again.goto(`${page.url}/`)
    await again.waitFor(`document.body.textContent === 'done (page): first, second, third'`)
    await again.close()
    await page.close()
  })

  it('moves with two more lines, and with the worker that it shows', async () => {
    const { files, rest } = await examples()
    const [opens = '', moves = ''] = (rest[0] ?? '').trim().split('\n')
    await write(files)
    const config = `name = "readme"\nmain = "worker.ts"\ncompatibility_date = "2026-10-23"\n
[[durable_objects.bindings]]\nname = "RUNS"\nclass_name = "RunObject"\n
[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["RunObject"]\n
[[r2_buckets]]\nbinding = "BLOBS"\nbucket_name = "readme"\n`
    await writeFile(join(folder, 'wrangler.toml'), config)
    edge = await startEdge({
      persistTo: state,
      config: join(folder, 'wrangler.toml'),
      vars: { TOKEN: token },
    })

    const main = (files.get('main.ts') ?? '').replace(/const waystone = .*\n/, `${opens}\n`) + `${moves}\n`
    expect(main).toContain('edge:')
    const proxied = main.replace('EDGE_URL', 'location.origin').replace('EDGE_TOKEN', `'${token}'`)
    await writeFile(join(folder, 'main.ts'), proxied)
    const { url } = edge
    page = await serveStatic({ ...(await bundle(join(folder, 'main.ts'))), ...texts, 'index.html': html })
    const tab = await chromium.newPage()
    // The page and the edge share an origin where they are deployed; here the browser brings them together.
    await tab.raw.route('**/v1/**', async (route) => {
      const request = route.request()
      const response = await fetch(request.url().replace(page?.url ?? '', url), {
        method: request.method(),
        headers: await request.allHeaders(),
        body: request.postDataBuffer() as BodyInit | null,
      })
      const body = Buffer.from(await response.arrayBuffer())
      await route.fulfill({ status: response.status, headers: Object.fromEntries(response.headers), body })
    })
    await tab.goto(`${page.url}/`)
    await tab.waitFor(`document.body.textContent === 'done (edge): first, second, third'`)
  })
})
