import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchEngine, type Engine, type EnginePage } from '../harness/engines.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

/** What the page tells of a run. */
interface Shown {
  readonly status: string
  readonly turn: number
  readonly head: { readonly seq: number }
  readonly pause?: { readonly reason: string; readonly actions: readonly string[] }
}

describe('code that is edited while a run goes on, in Chromium', () => {
  let site: StaticServer
  let chromium: Engine
  let page: EnginePage
  beforeAll(async () => {
    const html = '<!doctype html><title>Hot</title><body><script type="module" src="./hot-page.js"></script>'
    const app = (file: string): string => join(import.meta.dirname, 'app', file)
    const scripts = await bundle([app('hot-page.ts'), app('agent.worker.ts')])
    site = await serveStatic({ 'index.html': html, 'mistaken.worker.js': 'serveAgents({', ...scripts })
    chromium = await launchEngine('chromium')
  })
  afterAll(async () => {
    await chromium.close()
    await site.close()
  })
  beforeEach(async () => {
    page = await chromium.newPage()
    await visit()
    await page.evaluate('localStorage.clear()')
  })

  async function visit(): Promise<void> {
    await page.goto(`${site.url}/`)
    await page.waitFor('globalThis.hot')
  }
  const view = (run: string): Promise<Shown> => page.evaluate<Shown>(`hot.view('${run}')`)
  const until = (run: string, fits: string): Promise<void> =>
    page.waitFor(`hot.view('${run}').then((view) => view !== undefined && (${fits}))`)
  const started = (): Promise<unknown> => page.evaluate(`hot.started()`)

  /** A run that waits for an answer in the middle of a turn that has recorded a step and a payment. */
  async function waiting(run: string): Promise<void> {
    expect(await page.evaluate(`hot.load('first')`)).toBe(true)
    await page.evaluate(`hot.start('${run}')`)
    await until(run, `view.asks.length === 1`)
  }
  /** Offers both ways on, and has started nothing again. */
  async function offersWays(run: string): Promise<void> {
    await until(run, `view.status === 'paused'`)
    const { pause } = await view(run)
    expect(pause?.reason).toBe('divergence')
    expect(pause?.actions).toEqual(expect.arrayContaining(['restart', 'fork']))
    expect(await started()).toEqual({ draft: 1, pay: 1 })
  }
  /** Comes to the end of the new code, with the payment asked about and not made again. */
  async function endsAnew(run: string): Promise<void> {
    await until(run, `view.pause?.reason === 'outcome'`)
    await page.evaluate(`hot.paid('${run}')`)
    expect(await page.evaluate(`hot.answer('${run}')`)).toBe('a nap, then a payment')
    expect(await started()).toEqual({ draft: 1, pay: 1 })
  }

  it('the same code loaded anew: the open turn goes on, and nothing runs again', async () => {
    await waiting('same')
    await page.evaluate(`hot.load('first')`)
    expect(await page.evaluate(`hot.answer('same')`)).toBe('a step, then a payment')
    expect(await started()).toEqual({ draft: 1, pay: 1 })
    await page.close()
  })

  it('another code: the open turn pauses, and is restarted with it', async () => {
    await waiting('edited')
    await page.evaluate(`hot.load('edited')`)
    await offersWays('edited')
    await page.evaluate(`hot.restart('edited')`)
    await endsAnew('edited')
    await page.close()
  })

  it('another code after a reload of the page: a fork from where the turn began goes on, and the run stays', async () => {
    await waiting('reloaded')
    await visit()
    await page.evaluate(`hot.load('edited')`)
    await offersWays('reloaded')
    const { head } = await view('reloaded')
    const fork = await page.evaluate<string>(`hot.fork('reloaded')`)
    await endsAnew(fork)
    expect(await view('reloaded')).toMatchObject({ status: 'paused', head })
    await page.close()
  })

  it('a worker with a mistake says so, and once that is mended its runs go on without a reload', async () => {
    expect(await page.evaluate(`hot.mendWorker('/mistaken.worker.js', '/agent.worker.js')`)).toEqual({
      refused: 'closed',
      status: 'cancelled',
    })
    await page.close()
  })
})
