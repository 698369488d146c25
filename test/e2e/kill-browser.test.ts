import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchEngine, skipWithout, type Engine, type EnginePage } from '../harness/engines.ts'
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
})
