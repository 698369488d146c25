import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchEngine, skipWithout, type Engine, type EnginePage } from '../harness/engines.ts'
import { poll } from '../harness/poll.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

describe('a browser that is killed while it writes', () => {
  let site: StaticServer
  beforeAll(async () => {
    const html =
      '<!doctype html><title>Writes</title><body><script type="module" src="./writes-page.js"></script>'
    const scripts = await bundle(join(import.meta.dirname, 'app/writes-page.ts'))
    site = await serveStatic({ 'index.html': html, ...scripts })
  })
  afterAll(() => site.close())

  const open = async (engine: Engine): Promise<EnginePage> => {
    const page = await engine.newPage()
    await page.goto(`${site.url}/`)
    await page.waitFor('window.writes !== undefined')
    return page
  }

  it.for(['chromium', 'firefox'] as const)(
    'has what was stored before: two writes at once, %s',
    async (name, context) => {
      skipWithout(name, context)
      const profileDir = await mkdtemp(join(tmpdir(), 'waystone-profile-'))
      const first = await launchEngine(name, { profileDir })
      const page = await open(first)
      await page.evaluate('writes.keep()')
      await page.evaluate('writes.hold()')
      await first.kill()
      const second = await launchEngine(name, { profileDir })
      const again = await open(second)
      expect(await again.evaluate('writes.damage()')).toBeUndefined()
      expect(await again.evaluate('writes.kept()')).toEqual([1, 2, 3])
      await second.close()
      await rm(profileDir, { recursive: true, force: true, maxRetries: 5 })
    },
  )

  it('has what was stored before and after a write of which only the beginning was written, Chromium', async (context) => {
    skipWithout('chromium', context)
    const profileDir = await mkdtemp(join(tmpdir(), 'waystone-profile-'))
    const first = await launchEngine('chromium', { profileDir })
    await (await open(first)).evaluate('writes.keep()')
    await first.kill()
    const torn = await tearLog(profileDir)
    const second = await launchEngine('chromium', { profileDir })
    await (await open(second)).evaluate(`writes.keep('b')`)
    // What the log had is put elsewhere beside other work.
    await poll(async () => ((await logsOf(profileDir)).includes(torn) ? undefined : true), {
      timeoutMs: 20_000,
      message: async () => `the browser still has ${(await logsOf(profileDir)).join(', ')}`,
    })
    await second.kill()
    const third = await launchEngine('chromium', { profileDir })
    const last = await open(third)
    expect(await last.evaluate('writes.damage()')).toBeUndefined()
    expect(await last.evaluate('writes.kept()')).toEqual([1, 2, 3])
    expect(await last.evaluate(`writes.kept('b')`)).toEqual([1, 2, 3])
    await third.close()
    await rm(profileDir, { recursive: true, force: true, maxRetries: 5 })
  })
})

/** The logs in which Chromium has what it was told last. */
async function logsOf(profileDir: string): Promise<readonly string[]> {
  const folder = join(profileDir, 'Default/IndexedDB')
  const names = await readdir(folder, { recursive: true })
  return names.filter((name) => name.endsWith('.log')).map((name) => join(folder, name))
}

/** Adds the header of a record, and less than follows by that, as a kill in the middle of a write leaves it. Returns the log. */
async function tearLog(profileDir: string): Promise<string> {
  const log = (await logsOf(profileDir)).toSorted().at(-1) as string
  const [checksum, length, whole] = [[1, 2, 3, 4], [0, 8], [1]]
  await appendFile(log, Uint8Array.from([...checksum, ...length, ...whole, ...Array<number>(500).fill(7)]))
  return log
}
