import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchEngine, type ChromiumEngine, type ChromiumPage } from '../../harness/engines.ts'
import { startLastingEdge, type LastingEdge } from '../../harness/lasting-edge.ts'
import { startLossyProxy, type LossyProxy } from '../../harness/lossy-proxy.ts'
import { bundle, serveStatic, type StaticServer } from '../../harness/static-server.ts'

const token = 'a-secret-of-the-tests'

/** A browser with a profile and a network of its own. */
interface Device {
  readonly engine: ChromiumEngine
  readonly network: LossyProxy
  open(letter: string): Promise<ChromiumPage>
}

describe('an editor of documents on sessions alone, on two devices', () => {
  let site: StaticServer
  let edge: LastingEdge
  let laptop: Device
  let phone: Device

  beforeAll(async () => {
    site = await serveStatic({
      'index.html': await readFile(join(import.meta.dirname, 'index.html'), 'utf8'),
      ...(await bundle(join(import.meta.dirname, 'page.ts'))),
    })
    edge = await startLastingEdge({
      config: join(import.meta.dirname, '../../e2e/app/wrangler.toml'),
      vars: { TOKEN: token, ORIGINS: site.url },
    })
    ;[laptop, phone] = [await newDevice(), await newDevice()]
  })
  afterAll(async () => {
    for (const { engine, network } of [laptop, phone]) {
      await engine.close()
      await network.close()
    }
    await edge.close()
    await site.close()
  })

  async function newDevice(): Promise<Device> {
    const network = await startLossyProxy(() => edge.process.url)
    const engine = await launchEngine('chromium')
    return {
      engine,
      network,
      async open(letter) {
        const page = await engine.newPage()
        const query = new URLSearchParams({ letter, edge: network.url, token })
        await page.goto(`${site.url}/?${String(query)}`)
        await page.waitFor('globalThis.letter')
        return page
      },
    }
  }
  const type = (page: ChromiumPage, words: string): Promise<void> =>
    page.raw.locator('#text').pressSequentially(words)
  const shows = (page: ChromiumPage, text: string): Promise<void> =>
    page.waitFor(`document.getElementById('text').value === ${JSON.stringify(text)}`)
  const says = (page: ChromiumPage, status: string): Promise<void> =>
    page.waitFor(`document.getElementById('status').textContent.startsWith(${JSON.stringify(status)})`)
  const lines = (page: ChromiumPage): Promise<readonly number[]> =>
    page.evaluate('Array.fromAsync(letter.export().lines(), (line) => line.length)')

  it('what is typed on the one is read on the other, which may go on with it', async () => {
    const [here, there] = [await laptop.open('dear'), await phone.open('dear')]
    await type(here, 'Dear Ada,')
    await shows(there, 'Dear Ada,')
    await there.press('End')
    await type(there, ' hello')
    await shows(here, 'Dear Ada, hello')
    await says(there, 'saved, synced, writer')
    await says(here, 'saved, synced, reader')
  })

  it('a renderer that is killed while somebody types takes nothing that was said to be saved', async () => {
    const page = await laptop.open('killed')
    await page.rendererPid()
    await type(page, 'It was the best of times')
    await says(page, 'saved')
    const typing = type(page, ', it was the worst of times').catch(() => undefined)
    await page.killRenderer()
    await typing
    const again = await laptop.open('killed')
    const text = await again.evaluate<string>(`letter.state.text`)
    expect('It was the best of times, it was the worst of times'.startsWith(text)).toBe(true)
    expect(text.startsWith('It was the best of times')).toBe(true)
    await again.press('End')
    await type(again, '!')
    await shows(again, `${text}!`)
  })

  it('one goes back to a version that was kept, on either device, and forth again', async () => {
    const page = await laptop.open('versions')
    await type(page, 'One.')
    await says(page, 'saved')
    await page.fill('#name', 'first')
    await page.click('#keep')
    await page.waitFor(`document.querySelector('[data-version=first]')`)
    await page.click('#text')
    await type(page, ' Two.')
    await says(page, 'saved, synced')
    const before = await page.evaluate<number>('letter.head.seq')
    const there = await phone.open('versions')
    await shows(there, 'One. Two.')
    await there.click('[data-version=first]')
    await shows(there, 'One.')
    await shows(page, 'One.')
    await page.evaluate(`letter.rewind({ seq: ${String(before)} })`)
    await shows(there, 'One. Two.')
  })

  it('what both type without a network is not mixed: one text goes on, the other is shown, and kept or dropped', async () => {
    const [here, there] = [await laptop.open('parted'), await phone.open('parted')]
    await type(here, 'Shared. ')
    await says(here, 'saved, synced')
    await shows(there, 'Shared. ')
    laptop.network.cut()
    await type(here, 'From the laptop.')
    await says(here, 'saved')
    await there.press('End')
    await type(there, 'From the phone.')
    await says(there, 'saved, synced, writer')
    laptop.network.mend()
    await here.waitFor(`!document.getElementById('parted').hidden`)
    await shows(here, 'Shared. From the phone.')
    expect(await here.evaluate('document.getElementById("mine").textContent')).toBe(
      'Shared. From the laptop.',
    )
    await here.click('#copy')
    await here.waitFor(`document.getElementById('note').textContent.startsWith('kept as ')`)
    const kept = await here.evaluate<string>('document.getElementById("note").textContent')
    const copy = await laptop.open(kept.replace('kept as ', ''))
    await shows(copy, 'Shared. From the laptop.')
    await copy.press('End')
    await type(copy, ' Still here.')
    await shows(copy, 'Shared. From the laptop. Still here.')
  })

  it('a letter in a text of 300 KB stores a letter', async () => {
    const page = await laptop.open('long')
    await page.evaluate(`(() => {
      const text = document.getElementById('text')
      text.value = 'All work and no play makes Jack a dull boy.\\n'.repeat(7_000)
      text.dispatchEvent(new InputEvent('input'))
    })()`)
    await says(page, 'saved, synced')
    await page.press('ArrowUp')
    await type(page, 'x')
    await says(page, 'saved, synced')
    // The last line of an export is the state, for people.
    expect((await lines(page)).at(-2)).toBeLessThan(600)
    expect(await page.evaluate('letter.state.text.includes("x")')).toBe(true)
  })
})
