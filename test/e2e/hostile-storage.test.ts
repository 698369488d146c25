import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ChromiumPage } from '../harness/engines.ts'
import { entriesOf, ofKind, resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, type Device, type World } from './world.ts'

interface StorageFacts {
  readonly state: string
  readonly code?: string
  readonly actions?: readonly string[]
}

/** How the storage of a page was, from its beginning on. */
function storageOf(tab: Pick<ChromiumPage, 'evaluate'>): Promise<readonly StorageFacts[]> {
  return tab.evaluate('rig.storage')
}

describe('a storage that fails', () => {
  let world: World
  let device: Device
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  const fresh = async (): Promise<ChromiumPage> => {
    device = await world.device()
    return device.open()
  }
  const walk = (tab: ChromiumPage, run: string, steps: number, options: object = {}): Promise<unknown> =>
    tab.evaluate(
      `rig.start('walker', { server: '${world.effects.url}', steps: ${String(steps)} }, ${JSON.stringify({ id: run, ...options })})`,
    )
  const origin = (tab: ChromiumPage): string => new URL(tab.raw.url()).origin
  it('is refused: everything is in memory, the page is told, and runs end', async () => {
    const tab = await fresh()
    await tab.evaluate(`(async () => {
      const code = await (await fetch('/page.js')).text()
      const frame = document.createElement('iframe')
      frame.setAttribute('sandbox', 'allow-scripts')
      frame.srcdoc = '<script>rigQuery = "inPage"</' + 'script><script type="module">' + code.replaceAll('</script', '<\\\\/script') + '</' + 'script>'
      document.body.append(frame)
    })()`)
    const frame = await tab.raw.waitForSelector('iframe').then((element) => element.contentFrame())
    if (frame === null) throw new Error('the frame is not there')
    await frame.waitForFunction('window.rig !== undefined && rig.storage.length > 0')
    expect(await frame.evaluate('rig.storage')).toMatchObject([{ state: 'memory', code: 'storage_failed' }])
    const started = `rig.start('walker', { server: '${world.effects.url}', steps: 3 }, { id: 'refused' })`
    expect(
      await frame.evaluate(`${started}.then(() => rig.run('refused')).then((run) => run.result())`),
    ).toBe(3)
    await device.close()
  })

  it('is full: the page is told, nothing is acknowledged that is not stored, and runs go on when there is room', async () => {
    device = await world.device()
    let setQuota: (quotaSize?: number) => Promise<unknown> = () => Promise.resolve()
    // Before the page stores anything: Chromium believes for a while what it once heard of much room (156, 2026-11).
    const tab = await device.open(async (empty, site) => {
      const session = await empty.raw.context().newCDPSession(empty.raw)
      setQuota = (quotaSize) =>
        session.send('Storage.overrideQuotaForOrigin', {
          origin: site,
          ...(quotaSize === undefined ? {} : { quotaSize }),
        })
      await setQuota(200_000)
    })
    const input = { server: world.effects.url, rounds: 20, bytes: 150_000 }
    await tab.evaluate(`rig.start('branches', ${JSON.stringify(input)}, { id: 'full' })`)
    await tab.waitFor(`rig.storage.at(-1).state === 'full'`)
    expect((await storageOf(tab)).at(-1)).toEqual({
      state: 'full',
      code: 'storage_full',
      actions: ['move', 'retry'],
    })
    const before = ofKind(await entriesOf(tab, 'full'), 'step').map(({ body }) => body.path)
    await setQuota()
    expect(await resultOf(tab, 'full')).toBe(20)
    // A small entry may still fit now and then.
    const states = (await storageOf(tab)).map(({ state }) => state)
    expect([...new Set(states)]).toEqual(['kept', 'full'])
    expect(states.at(-1)).toBe('kept')
    const after = ofKind(await entriesOf(tab, 'full'), 'step').map(({ body }) => body.path)
    expect(after.slice(0, before.length)).toEqual(before)
    expect(new Set(after).size).toBe(after.length)
    await device.close()
  })

  it('is evicted while the page is open: the page is told, and after a reload the run is pulled and goes on', async () => {
    const tab = await fresh()
    const held = world.effects.hold('/effect/walk-3')
    await walk(tab, 'evicted', 6)
    await held.arrived
    await until(tab, 'evicted', `view.sync.synced?.seq === view.head.seq`)
    const session = await tab.raw.context().newCDPSession(tab.raw)
    await session.send('Storage.clearDataForOrigin', { origin: origin(tab), storageTypes: 'indexeddb' })
    held.release()
    await tab.waitFor(`rig.storage.at(-1).state === 'lost'`)
    expect((await storageOf(tab)).at(-1)).toMatchObject({ code: 'storage_lost', actions: ['reload'] })

    await tab.raw.reload()
    await tab.waitFor('window.rig?.storage.length > 0')
    expect(await storageOf(tab)).toMatchObject([{ state: 'emptied', code: 'storage_lost' }])
    await until(tab, 'evicted', 'view.head.seq >= 3')
    const counted = world.effects.starts()
    expect(await tab.evaluate<Tried>(`rig.move('evicted', 'here', { force: true })`)).toEqual({ ok: true })
    expect(await resultOf(tab, 'evicted')).toBe(6)
    const steps = ofKind(await entriesOf(tab, 'evicted'), 'step').map(({ body }) => body.path)
    expect(new Set(steps).size).toBe(6)
    expect(steps).toHaveLength(6)
    // The one that was under way, and those after it.
    expect(world.effects.starts() - counted).toBeLessThanOrEqual(3)
    await device.close()
  })

  it('is damaged on the disk: the page is told, and the run is pulled and goes on', async () => {
    const tab = await fresh()
    const held = world.effects.hold('/effect/walk-2')
    await walk(tab, 'damaged', 4)
    await held.arrived
    await until(tab, 'damaged', `view.sync.synced?.seq === view.head.seq`)
    const again = await device.relaunch(damageDatabases)
    held.release()
    expect(await again.evaluate<Tried>(`rig.opened()`)).toEqual({ ok: true })
    expect(await storageOf(again)).toMatchObject([{ state: 'emptied', code: 'storage_lost' }])
    expect(await again.evaluate<string>('rig.storageMessage')).toContain('The browser says why: total')
    await until(again, 'damaged', 'view.head.seq >= 2')
    expect(await again.evaluate<Tried>(`rig.move('damaged', 'here', { force: true })`)).toEqual({ ok: true })
    expect(await resultOf(again, 'damaged')).toBe(4)
    await device.close()
  })

  it('is made while another tab opens it too: nothing is told', async () => {
    const tab = await fresh()
    // What the other tab remembers of the database, while this one makes it.
    const state = await tab.evaluate(`(() => {
      const open = indexedDB.open
      indexedDB.open = (...args) => {
        localStorage.setItem('waystone-both', 'open')
        return open.apply(indexedDB, args)
      }
      const opening = rig.openOther({ name: 'both', agents: [] })
      return opening.then((way) => way.storageState.state)
    })()`)
    expect(state).toBe('kept')
    await device.close()
  })

  it('loses its connection again and again while a run writes: the run ends, and nothing is told', async () => {
    const tab = await fresh()
    const other = await device.open()
    const ended = walk(tab, 'connections', 30).then(() => resultOf(tab, 'connections'))
    await until(tab, 'connections', 'view.head.seq > 1').catch(() => undefined)
    for (let count = 0; count < 10; count += 1) {
      await other.evaluate(`new Promise((resolve) => {
        const request = indexedDB.open('waystone-default', 1000)
        request.onupgradeneeded = () => request.transaction.abort()
        request.onerror = () => resolve()
      })`)
    }
    expect(await ended).toBe(30)
    const steps = ofKind(await entriesOf(tab, 'connections'), 'step')
    expect(steps).toHaveLength(30)
    expect((await storageOf(tab)).map(({ state }) => state)).toEqual(['kept'])
    await device.close()
  })

  it('cannot be upgraded since another tab holds an old version: opening says so after a time, and works later', async () => {
    device = await world.device()
    const other = await device.open()
    await other.evaluate(`rig.opened()`)
    await other.raw.goto(`${origin(other)}/empty`)
    await other.evaluate(`new Promise((resolve, reject) => {
      indexedDB.deleteDatabase('waystone-default').onsuccess = () => {
        const request = indexedDB.open('waystone-default', 1)
        request.onsuccess = () => resolve(globalThis.held = request.result)
        request.onerror = () => reject(request.error)
      }
    }).then(() => true)`)
    const tab = await device.open()
    expect(await tab.evaluate<Tried>(`rig.opened()`)).toMatchObject({ ok: false, code: 'storage_failed' })
    await other.close()
    await tab.raw.reload()
    await tab.waitFor('window.rig !== undefined')
    expect(await tab.evaluate<Tried>(`rig.opened()`)).toEqual({ ok: true })
    await device.close()
  })

  it('was upgraded by a later version in another tab: the page is told to load itself anew', async () => {
    const tab = await fresh()
    const other = await device.open()
    const held = world.effects.hold('/effect/walk-1')
    await walk(tab, 'later', 3)
    await held.arrived
    await other.evaluate(`new Promise((resolve) => {
      const request = indexedDB.open('waystone-default', 1000)
      request.onsuccess = () => resolve(request.result.close())
    })`)
    held.release()
    await tab.waitFor(`rig.storage.at(-1).state === 'failing'`)
    expect((await storageOf(tab)).at(-1)).toEqual({
      state: 'failing',
      code: 'format_newer',
      actions: ['reload'],
    })
    await device.close()
  })
})

/** Overwrites what Chromium keeps of IndexedDB with something else. */
async function damageDatabases(profile: string): Promise<void> {
  const folder = join(profile, 'Default/IndexedDB')
  for (const name of await readdir(folder, { recursive: true })) {
    if (/\.(log|ldb)$|MANIFEST|CURRENT|\.sqlite|\.db/.test(name))
      await writeFile(join(folder, name), 'no database'.repeat(50))
  }
}
