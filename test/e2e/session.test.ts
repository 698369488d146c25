import type { Head } from '@waystone/core'
import type { SessionRetention } from '@waystone/core/session'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchEngine, type Engine, type EnginePage } from '../harness/engines.ts'
import { startLastingEdge, type LastingEdge } from '../harness/lasting-edge.ts'
import { poll } from '../harness/poll.ts'
import { startLossyProxy, type LossyProxy } from '../harness/lossy-proxy.ts'
import { bundle, serveStatic, type StaticServer } from '../harness/static-server.ts'

const app = join(import.meta.dirname, 'app')
const token = 'a-secret-of-the-tests'

/** What the page tells of a session. */
interface View {
  readonly notes: readonly string[]
  readonly role: string
  readonly head: Head
  readonly keys: readonly string[]
  readonly parted: readonly object[]
}

describe('sessions of two devices in Chromium, with the edge in workerd', () => {
  let site: StaticServer
  let chromium: Engine
  let page: EnginePage
  let edge: LastingEdge
  const networks = new Map<string, LossyProxy>()

  beforeAll(async () => {
    const html =
      '<!doctype html><title>Sessions</title><body><script type="module" src="./session-page.js"></script>'
    site = await serveStatic({ 'index.html': html, ...(await bundle(join(app, 'session-page.ts'))) })
    const vars = { TOKEN: token, ORIGINS: site.url }
    edge = await startLastingEdge({ config: join(app, 'wrangler.toml'), vars })
    for (const me of ['laptop', 'phone']) networks.set(me, await startLossyProxy(() => edge.process.url))
    chromium = await launchEngine('chromium')
    page = await chromium.newPage()
    await page.goto(`${site.url}/`)
    await page.waitFor('globalThis.sessions')
  })
  afterAll(async () => {
    await chromium.close()
    await edge.close()
    for (const network of networks.values()) await network.close()
    await site.close()
  })

  const network = (me: string): LossyProxy => networks.get(me) as LossyProxy
  const call = <T = void>(name: string, ...args: readonly unknown[]): Promise<T> =>
    page.evaluate<T>(`sessions.${name}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`)
  const open = (me: string, id: string, retention?: SessionRetention): Promise<void> =>
    call('open', me, id, { url: network(me).url, token }, ...(retention ? [retention] : []))
  const view = (me: string): Promise<View> => call<View>('view', me)

  it('go from device to device, whoever writes', async () => {
    await open('laptop', 'to-and-fro')
    await call('note', 'laptop', 'from the laptop')
    await call('put', 'laptop', 'large', 'x'.repeat(200_000))
    await call('synced', 'laptop')
    await open('phone', 'to-and-fro')
    expect(await view('phone')).toMatchObject({ role: 'reader', notes: ['from the laptop'], keys: ['large'] })
    expect(await call<string>('get', 'phone', 'large')).toHaveLength(200_000)
    await call('note', 'phone', 'from the phone')
    await page.waitFor(`sessions.view('laptop').notes.length === 2`)
    expect(await view('laptop')).toMatchObject({ role: 'reader' })
    await call('synced', 'phone')
    await call('put', 'laptop', 'small', 1)
    expect(await view('laptop')).toMatchObject({ role: 'writer' })
    await page.waitFor(`sessions.view('phone').keys.length === 2`)
    expect((await view('phone')).head).toEqual((await view('laptop')).head)
  })

  it('set aside and tell what was written without a network while the other one wrote', async () => {
    await open('laptop', 'parted')
    await call('note', 'laptop', 'shared')
    await call('synced', 'laptop')
    await open('phone', 'parted')
    network('laptop').cut()
    await call('note', 'laptop', 'of the laptop')
    await call('note', 'phone', 'of the phone')
    await call('synced', 'phone')
    network('laptop').mend()
    await page.waitFor(`sessions.view('laptop').parted.length > 0`)
    const { notes, parted } = await view('laptop')
    expect(notes).toEqual(['shared', 'of the phone'])
    expect(parted).toEqual([
      {
        base: { notes: ['shared'] },
        mine: { notes: ['shared', 'of the laptop'] },
        theirs: { notes: ['shared', 'of the phone'] },
      },
    ])
  })

  it('keep no more at the edge than their owner says', async () => {
    await open('laptop', 'short', { saves: 3 })
    // What is pushed at once is kept, and let go, at once.
    for (let round = 0; round < 6; round += 1) {
      await call('rewrite', 'laptop', 30_000, 12)
      await call('synced', 'laptop')
    }
    const firstThere = async (): Promise<number> => {
      const answer = await fetch(`${edge.process.url}/v1/runs/short/entries?from=0`, {
        headers: { authorization: `Bearer ${token}`, 'waystone-device': 'the-test' },
      })
      const [line = ''] = (await answer.text()).split('\n')
      return (JSON.parse(line) as { readonly seq: number }).seq
    }
    await poll(async () => (await firstThere()) > 20 || undefined, {
      timeoutMs: 20_000,
      message: async () => `it is kept from entry ${String(await firstThere())} on`,
    })
    await open('phone', 'short')
    expect((await view('phone')).notes).toEqual((await view('laptop')).notes)
    await call('note', 'phone', 'goes on')
    await page.waitFor(`sessions.view('laptop').notes.length === 2`)
  })

  it('are there after the edge was killed', async () => {
    await open('laptop', 'killed')
    await call('put', 'laptop', 'key', 'before')
    await call('synced', 'laptop')
    await edge.process.kill()
    await call('put', 'laptop', 'key', 'meanwhile')
    await edge.start()
    await call('synced', 'laptop')
    await open('phone', 'killed')
    expect(await call('get', 'phone', 'key')).toBe('meanwhile')
  })

  it('are there after the page was left, without a network too', async () => {
    await open('laptop', 'left')
    await call('note', 'laptop', 'kept')
    await page.goto(`${site.url}/`)
    await page.waitFor('globalThis.sessions')
    network('laptop').cut()
    await open('laptop', 'left')
    expect(await view('laptop')).toMatchObject({ role: 'writer', notes: ['kept'] })
    network('laptop').mend()
    await call('synced', 'laptop')
  })
})
