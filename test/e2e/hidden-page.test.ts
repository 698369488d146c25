import { edgeClient } from '@waystone/browser'
import { parseOwnerId, parseRunId } from '@waystone/core'
import type { Browser } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { evaluate, launchShown, until } from '../harness/shown-chromium.ts'
import { startWorld, type World } from './world.ts'

describe('a page that holds entries back', () => {
  let world: World
  let browser: Browser
  let url: string
  beforeAll(async () => {
    world = await startWorld()
    const device = await world.device()
    url = await (await device.open()).evaluate<string>('location.href')
    browser = await launchShown()
  })
  afterAll(async () => {
    await browser.close()
    await world.close()
  })

  /** The last entry that the edge has. */
  async function edgeSeq(run: string): Promise<number | undefined> {
    const token = world.headers['authorization']?.replace('Bearer ', '') ?? ''
    const { remote } = edgeClient({ url: world.edge().url, token: () => token }, parseOwnerId('the-test'))
    return (await remote.pull(parseRunId(run), undefined, parseOwnerId('the-test'))).head?.seq
  }

  /** A page whose run has recorded a step that the edge has not, and stands in the next. */
  async function holdingBack(run: string) {
    const { effects } = world
    const [first, second] = [effects.hold('/effect/walk-0'), effects.hold('/effect/walk-1')]
    const page = await browser.newPage()
    await page.goto(`${url}&sync=held`)
    await until(page, 'window.rig !== undefined')
    await evaluate(page, `rig.start('walker', { server: '${effects.url}', steps: 2 }, { id: '${run}' })`)
    await first.arrived
    await until(page, `rig.view('${run}').then(({ sync, head }) => sync.synced?.seq === head.seq)`)
    first.release()
    await second.arrived
    await until(page, `rig.view('${run}').then(({ head }) => head.seq === 2)`)
    const { head } = await evaluate<{ head: { seq: number } }>(page, `rig.view('${run}')`)
    expect(await edgeSeq(run)).toBeLessThan(head.seq)
    const sent = (): Promise<number> =>
      poll(async () => (((await edgeSeq(run)) ?? -1) >= head.seq ? head.seq : undefined), {
        timeoutMs: 20_000,
        message: async () => `the edge has ${String(await edgeSeq(run))}, expected ${String(head.seq)}`,
      })
    return { page, second, sent }
  }

  it('sends them when another tab is put in front of it', async () => {
    const { page, second, sent } = await holdingBack('hidden')
    const other = await browser.newPage()
    await other.bringToFront()
    expect(await evaluate(page, 'document.visibilityState')).toBe('hidden')
    await sent()
    // It was only hidden: the run goes on.
    second.release()
    expect(await evaluate(page, `rig.run('hidden').then((run) => run.result())`)).toBe(2)
    await Promise.all([page.close(), other.close()])
  })

  it('that is left at once has them still: they go when the next one is opened', async () => {
    const { page, second, sent } = await holdingBack('left')
    await page.goto('about:blank')
    second.release()
    const next = await browser.newPage()
    await next.goto(`${url}&sync=held`)
    await sent()
    expect(await evaluate(next, `rig.run('left').then((run) => run.result())`)).toBe(2)
    await Promise.all([page.close(), next.close()])
  })

  it('lets go of its runs when it is frozen, and goes on when it is thawed', async () => {
    const { page, second, sent } = await holdingBack('frozen')
    const other = await browser.newPage()
    await other.bringToFront()
    const session = await page.createCDPSession()
    // Nothing leaves a frozen page: what it held back has gone since it was hidden.
    await sent()
    await session.send('Page.setWebLifecycleState', { state: 'frozen' })
    await session.send('Page.setWebLifecycleState', { state: 'active' })
    second.release()
    expect(await evaluate(page, `rig.run('frozen').then((run) => run.result())`)).toBe(2)
    const terms = await evaluate<readonly { term: number }[]>(page, `rig.entries('frozen')`)
    expect(new Set(terms.map(({ term }) => term)).size).toBeGreaterThan(1)
    await Promise.all([page.close(), other.close()])
  })
})
