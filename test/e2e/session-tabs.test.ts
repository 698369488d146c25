import { join } from 'node:path'
import type { Browser, Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evaluate, launchShown, until } from '../harness/shown-chromium.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

describe('tabs with one session in Chromium', () => {
  let site: StaticServer
  let browser: Browser
  beforeAll(async () => {
    const html =
      '<!doctype html><title>A tab</title><body><script type="module" src="./tab-page.js"></script>'
    const scripts = await bundle(join(import.meta.dirname, 'app/tab-page.ts'))
    site = await serveStatic({ 'index.html': html, ...scripts })
    browser = await launchShown()
  })
  afterAll(async () => {
    await browser.close()
    await site.close()
  })

  /** Two tabs with the session, the first of them behind the other. */
  async function twoTabs() {
    const profile = await browser.createBrowserContext()
    const open = async (): Promise<Page> => {
      const page = await profile.newPage()
      await page.goto(`${site.url}/`)
      await until(page, 'window.tab !== undefined')
      await evaluate(page, 'tab.open()')
      return page
    }
    const [behind, front] = [await open(), await open()]
    await front.bringToFront()
    const session = await behind.createCDPSession()
    const set = (state: 'frozen' | 'active') => session.send('Page.setWebLifecycleState', { state })
    return { behind, front, set, close: () => profile.close() }
  }

  it('one that is frozen lets go of the lock that it holds', async () => {
    const { behind, front, set, close } = await twoTabs()
    await evaluate(behind, 'tab.hold()')
    await until(front, 'tab.locks().then((locks) => locks.length > 0)')
    await set('frozen')
    await until(front, 'tab.locks().then((locks) => locks.length === 0)')
    await close()
  })

  it('one that comes back shows what it was told nothing of', async () => {
    const { behind, front, set, close } = await twoTabs()
    await set('frozen')
    await evaluate(front, `tab.noteQuietly('meanwhile')`)
    await set('active')
    await until(behind, `tab.notes().includes('meanwhile')`)
    await close()
  })

  it('a session that is closed leaves nothing in its tab', async () => {
    const { behind, close } = await twoTabs()
    const { storage } = await evaluate<{ storage: number }>(behind, 'tab.count()')
    await evaluate(behind, 'tab.close()')
    expect(await evaluate(behind, 'tab.count()')).toEqual({ channels: 0, storage })
    await evaluate(behind, 'tab.open()')
    expect(await evaluate(behind, 'tab.count()')).toEqual({ channels: 1, storage: storage + 1 })
    expect(await evaluate(behind, 'tab.throwAway()')).toBe('storage_lost')
    expect(await evaluate(behind, 'tab.count()')).toEqual({ channels: 1, storage: storage + 2 })
    // The next page is told that there was something.
    await behind.reload()
    await until(behind, 'window.tab !== undefined')
    await evaluate(behind, 'tab.open()')
    expect(await evaluate(behind, 'tab.state()')).toMatchObject({
      state: 'emptied',
      error: { code: 'storage_lost' },
    })
    await close()
  })
})
