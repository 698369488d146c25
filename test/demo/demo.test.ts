import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDemo, type DemoEdge } from '../harness/demo-edge.ts'
import { startEffectServer, type EffectServer } from '../harness/effect-server.ts'
import { startLossyProxy } from '../harness/lossy-proxy.ts'
import { engineNames, launchEngine, skipWithout, type Engine, type EnginePage } from '../harness/engines.ts'

const token = 'the-token-of-this-test'
const question = 'How do I open an IndexedDB database and run a transaction?'

/** The text of an element of the page; empty when it is not there. */
const textOf = (page: EnginePage, test: string): Promise<string> =>
  page.evaluate<string>(`document.querySelector('[data-test="${test}"]')?.textContent ?? ''`)
const sees = (page: EnginePage, test: string, part: string): Promise<void> =>
  page.waitFor(
    `document.querySelector('[data-test="${test}"]')?.textContent.includes(${JSON.stringify(part)})`,
    {
      timeoutMs: 60_000,
    },
  )
const click = (page: EnginePage, test: string): Promise<void> => page.click(`[data-test="${test}"]`)

describe('the demo, driven as a person would', () => {
  let edge: DemoEdge
  let ledger: EffectServer
  beforeAll(async () => {
    ledger = await startEffectServer()
    edge = await startDemo({ WAYSTONE_TOKEN: token, LEDGER_URL: ledger.url })
  })
  afterAll(async () => {
    await edge.close()
    await ledger.close()
  })

  for (const name of engineNames) {
    it(`in ${name}: asked, killed in mid-sentence, sent back, moved, approved elsewhere, published once`, async (context) => {
      skipWithout(name, context)
      const laptop = await launchEngine(name)
      const page = await laptop.newPage()
      const before = ledger.count()
      await page.goto(`${edge.url}/#token=${token}`)
      await page.fill('[data-test="ask-input"]', question)
      await click(page, 'ask-start')

      // The worker dies in the middle of a sentence; the text goes on where it was.
      await page.waitFor(`document.querySelector('[data-test="stream"]')?.textContent.length > 60`, {
        timeoutMs: 60_000,
      })
      const written = await textOf(page, 'stream')
      await click(page, 'kill-worker')
      await page.waitFor(
        `(document.querySelector('[data-test="stream"]')?.textContent.length ?? 0) > ${String(written.length + 40)}`,
        { timeoutMs: 60_000 },
      )
      expect((await textOf(page, 'stream')).startsWith(written.slice(0, 40))).toBe(true)

      await page.waitFor(`document.querySelector('[data-test="approve-card"]') !== null`, {
        timeoutMs: 60_000,
      })
      await page.fill('[data-test="remark"]', 'shorter, and about transactions')
      await click(page, 'send-back')
      await page.waitFor(`document.querySelector('[data-test="approve-card"]') === null`)
      await click(page, 'move-edge')
      await sees(page, 'owner', 'edge')
      await page.waitFor(`document.querySelector('[data-test="approve-card"]') !== null`, {
        timeoutMs: 60_000,
      })

      const phone = await otherDevice(page)
      await click(phone.page, 'approve')
      await page.waitFor(`document.querySelector('[data-test="published"]') !== null`, { timeoutMs: 60_000 })
      await sees(page, 'ledger', '1')
      expect(ledger.count()).toBe(before + 1)
      expect(ledger.starts()).toBe(before + 1)
      await phone.engine.close()
      await laptop.close()
    })
  }

  it('taken along in mid-sentence by another device, which goes on with the sentence', async (context) => {
    skipWithout('chromium', context)
    const [laptop, other] = [await launchEngine('chromium'), await launchEngine('chromium')]
    const page = await laptop.newPage()
    // Its draft takes minutes: whatever the other device waits for, it comes in the middle.
    await page.goto(`${edge.url}/?pace=500#token=${token}`)
    await page.fill('[data-test="ask-input"]', question)
    await click(page, 'ask-start')
    const isLonger = (chars: number): string =>
      `(document.querySelector('[data-test="stream"]')?.textContent.length ?? 0) > ${String(chars)}`
    await page.waitFor(isLonger(10), { timeoutMs: 60_000 })
    const phone = await otherDevice(page, { shown: 'owner', engine: other })
    await sees(phone.page, 'owner', 'Another device')
    await phone.page.waitFor(isLonger(60), { timeoutMs: 60_000 })
    const written = await textOf(phone.page, 'stream')
    await click(phone.page, 'move-here')
    await sees(phone.page, 'owner', 'This browser')
    await sees(page, 'owner', 'Another device')
    await phone.page.waitFor(isLonger(written.length + 40), { timeoutMs: 60_000 })
    expect((await textOf(phone.page, 'stream')).startsWith(written.slice(0, 40))).toBe(true)
    await phone.page.waitFor(`document.querySelector('[data-test="approve-card"]') !== null`, {
      timeoutMs: 60_000,
    })
    await click(phone.page, 'approve')
    await page.waitFor(`document.querySelector('[data-test="approve-card"]') === null`)
    // Nothing is left that the edge would publish by itself, in the middle of a later test, once the phone is gone.
    await click(phone.page, 'move-edge')
    await page.waitFor(`document.querySelector('[data-test="published"]') !== null`, { timeoutMs: 60_000 })
    await phone.engine.close()
    await laptop.close()
  })

  it('by keyboard alone: asked and approved', async (context) => {
    skipWithout('chromium', context)
    const engine = await launchEngine('chromium')
    const page = await engine.newPage()
    await page.goto(`${edge.url}/#token=${token}`)
    await page.waitFor(`document.querySelector('[data-test="ask-input"]') !== null`)
    await tabTo(page, 'ask-input')
    await page.raw.keyboard.type(question)
    await tabTo(page, 'ask-start')
    await page.press('Enter')
    await page.waitFor(`document.querySelector('[data-test="approve-card"]') !== null`, { timeoutMs: 60_000 })
    await tabTo(page, 'approve')
    await page.press('Enter')
    await page.waitFor(`document.querySelector('[data-test="approve-card"]') === null`)
    await tabTo(page, 'move-edge')
    await page.press('Enter')
    await page.waitFor(`document.querySelector('[data-test="published"]') !== null`, { timeoutMs: 60_000 })
    await engine.close()
  })

  it('by an impatient hand: Enter pressed twice, or held, asks once', async (context) => {
    skipWithout('chromium', context)
    const engine = await launchEngine('chromium')
    const page = await engine.newPage()
    await page.goto(`${edge.url}/#token=${token}`)
    await sees(page, 'edge', 'Edge connected')
    await page.fill('[data-test="ask-input"]', question)
    await page.evaluate(`(() => {
      const input = document.querySelector('[data-test="ask-input"]')
      for (const repeat of [false, false, true, true])
        input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', repeat, bubbles: true, cancelable: true }))
    })()`)
    await page.waitFor(`document.querySelector('[data-test="approve-card"]') !== null`, { timeoutMs: 60_000 })
    expect(await page.evaluate(`document.querySelectorAll('[data-test="run-item"]').length`)).toBe(1)
    expect(await page.evaluate(`document.querySelector('[data-test="ask-input"]').value`)).toBe('')
    await engine.close()
  })

  it('by a link with the token of somebody else: the person is asked before anything is sent there', async (context) => {
    skipWithout('chromium', context)
    const engine = await launchEngine('chromium')
    const page = await engine.newPage({ colorScheme: 'dark' })
    const used = new Set<string>()
    page.raw.context().on('request', (request) => {
      const { authorization } = request.headers()
      if (authorization !== undefined) used.add(authorization.replace('Bearer ', ''))
    })
    const kept = (): Promise<string> => page.evaluate<string>(`localStorage.getItem('waystone token')`)
    const isAsked = `document.querySelector('[data-test="token-dialog"]')?.open === true`
    const isNotAsked = `document.querySelector('[data-test="token-dialog"]') === null`
    await page.goto(`${edge.url}/#token=${token}`)
    await sees(page, 'edge', 'Edge connected')
    const theirs = '#run=theirs&token=of+a%26stranger'
    // Both in a page that is open, and in one that opens with it.
    for (const link of [`${edge.url}/${theirs}`, `${edge.url}/?again${theirs}`]) {
      await page.goto(link)
      await page.waitFor(isAsked)
      expect(await page.evaluate<string>('location.hash')).not.toContain('stranger')
      await page.press('Escape')
      await page.waitFor(isNotAsked)
      expect([await kept(), await page.evaluate<string>('location.hash')]).toEqual([token, ''])
    }
    await page.goto(`${edge.url}/${theirs}`)
    await tabTo(page, 'token-decline')
    await page.press('Enter')
    await page.waitFor(isNotAsked)
    await sees(page, 'edge', 'Edge connected')
    expect([...used]).toEqual([token])

    await page.goto(`${edge.url}/${theirs}`)
    await click(page, 'token-take')
    await sees(page, 'edge', 'refuses')
    expect(await kept()).toBe('of a&stranger')
    expect([...used]).toContain('of a&stranger')
    // The way back is the same.
    await page.goto(`${edge.url}/#token=${token}`)
    await click(page, 'token-take')
    await sees(page, 'edge', 'Edge connected')
    await engine.close()
  })

  it('in airplane mode: reloaded, asked and approved without a network, published when it is back', async (context) => {
    skipWithout('chromium', context)
    const engine = await launchEngine('chromium')
    const page = await engine.newPage()
    const network = await startLossyProxy(() => edge.url)
    const before = ledger.starts()
    await page.goto(`${network.url}/#token=${token}`)
    // The page's shell is kept for later once its service worker is there.
    await page.waitFor(`navigator.serviceWorker.ready.then(({ active }) => active?.state === 'activated')`, {
      timeoutMs: 60_000,
    })
    await page.waitFor(`document.querySelector('[data-test="ask-input"]') !== null`)
    network.cut()
    await page.goto(`${network.url}/`)
    await page.fill('[data-test="ask-input"]', question)
    await click(page, 'ask-start')
    await page.waitFor(`document.querySelector('[data-test="approve-card"]') !== null`, { timeoutMs: 60_000 })
    await click(page, 'approve')
    await page.waitFor(`document.querySelector('[data-test="approve-card"]') === null`)
    expect(ledger.starts()).toBe(before)
    network.mend()
    await click(page, 'move-edge')
    await page.waitFor(`document.querySelector('[data-test="published"]') !== null`, { timeoutMs: 60_000 })
    expect(ledger.starts()).toBe(before + 1)
    await engine.close()
    await network.close()
  })

  it('after an edit of its code: the turn that this does not fit is restarted, or goes on in a fork', async (context) => {
    skipWithout('chromium', context)
    const engine = await launchEngine('chromium')
    const page = await engine.newPage()
    // A service worker would keep the code as it was, as it should.
    await page.raw.addInitScript(
      `Object.defineProperty(Navigator.prototype, 'serviceWorker', { value: undefined })`,
    )
    await page.goto(`${edge.url}/#token=${token}`)
    await page.fill('[data-test="ask-input"]', question)
    await click(page, 'ask-start')
    await page.waitFor(`document.querySelector('[data-test="approve-card"]') !== null`, { timeoutMs: 60_000 })

    // The author asks in another way now: the same name by another verb.
    let edits = 0
    await page.raw.route(/\/assets\/worker-[^/]*\.js$/, async (route) => {
      const response = await route.fetch()
      const code = await response.text()
      const edited = code.replace(/\.ask\((["'`])approve\1/, '.receive("approve"')
      if (edited !== code) edits += 1
      await route.fulfill({ response, body: edited })
    })
    await page.raw.reload()
    await sees(page, 'pause-card', 'code')
    expect(edits).toBeGreaterThan(0)
    await sees(page, 'pause-restart', 'Restart')
    await sees(page, 'pause-fork', 'Fork')

    // The fork goes on with the edited code; this run stays.
    const address = await page.evaluate<string>('location.href')
    await click(page, 'pause-fork')
    await page.waitFor(`location.href !== ${JSON.stringify(address)}`)
    await sees(page, 'status', 'Waiting for a message')
    await page.raw.goto(address)
    await sees(page, 'pause-card', 'code')
    await click(page, 'pause-restart')
    await sees(page, 'status', 'Waiting for a message')
    await engine.close()
  })

  /** Presses Tab until an element has the focus. */
  async function tabTo(page: EnginePage, test: string): Promise<void> {
    for (let presses = 0; presses < 100; presses += 1) {
      if (await page.evaluate<boolean>(`document.activeElement?.dataset?.test === '${test}'`)) return
      await page.press('Tab')
    }
    throw new Error(`Tab never reached ${test}`)
  }

  /** Opens the link that the page offers for another device, in a browser of its own. */
  async function otherDevice(
    page: EnginePage,
    given: { readonly shown?: string; readonly engine?: Engine } = {},
  ): Promise<{ engine: Engine; page: EnginePage }> {
    await click(page, 'open-device')
    await page.waitFor(`document.querySelector('[data-test="device-link"]') !== null`)
    const link = await page.evaluate<string>(
      `(() => { const link = document.querySelector('[data-test="device-link"]'); return link.href ?? link.value ?? link.textContent })()`,
    )
    await click(page, 'close-dialog')
    expect(decodeURIComponent(link)).toMatch(/#run=[^&]+&seen=\d+:[0-9a-f]{64}&token=/)
    const { shown = 'approve-card', engine = await launchEngine('chromium') } = given
    const there = await engine.newPage({ viewport: { width: 390, height: 844 } })
    await there.goto(link)
    await there.waitFor(`document.querySelector('[data-test="${shown}"]') !== null`, {
      timeoutMs: 60_000,
    })
    return { engine, page: there }
  }
})
