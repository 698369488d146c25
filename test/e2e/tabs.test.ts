import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entriesOf, ofKind, resultOf, until } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

/** What the issue of two tabs promises; far above what a takeover takes (14 ms in Chromium 156). */
const takeOverMsMax = 1_000

describe('two tabs', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld({ edge: false })
  })
  afterAll(() => world.close())

  it('the second follows live, and takes over when the first is closed', async () => {
    const device = await world.device()
    const { effects } = world
    const first = await device.open()
    const held = effects.hold('/effect/walk-2')
    await first.evaluate(`rig.start('walker', { server: '${effects.url}', steps: 6 }, { id: 'tabs' })`)
    const second = await device.open()
    await held.arrived
    await until(
      second,
      'tabs',
      `view.head.seq === 3 && view.live.calls.some(({ path }) => path === '0/step-2')`,
    )
    expect(ofKind(await entriesOf(second, 'tabs'), 'open')).toEqual([])

    await first.close()
    await second.waitFor(`rig.view('tabs').then((view) => view.term === 2)`, { timeoutMs: takeOverMsMax })
    held.release()
    expect(await resultOf(second, 'tabs')).toBe(6)
    expect(ofKind(await entriesOf(second, 'tabs'), 'open')).toHaveLength(1)
    await device.close()
  })

  it('a worker in which a timer of the application throws goes on, and its page with it', async () => {
    const device = await world.device()
    const page = await device.open()
    await page.evaluate(`rig.start('clumsy', null, { id: 'clumsy' })`)
    expect(await resultOf(page, 'clumsy')).toBe('worked')
    await page.evaluate(`rig.start('clumsy', null, { id: 'clumsy-again' })`)
    expect(await resultOf(page, 'clumsy-again')).toBe('worked')
    await device.close()
  })

  it('a run that is started in one is listed in the other, and its worker may be replaced at any time', async () => {
    const device = await world.device()
    const { effects } = world
    const first = await device.open()
    const second = await device.open()
    const held = effects.hold('/effect/walk-1')
    await first.evaluate(`rig.start('walker', { server: '${effects.url}', steps: 3 }, { id: 'replaced' })`)
    await held.arrived
    await second.waitFor(`rig.runs().then((runs) => runs.some(({ run }) => run === 'replaced'))`)
    await first.evaluate(`rig.restartWorker()`)
    held.release()
    expect(await resultOf(first, 'replaced')).toBe(3)
    expect(await resultOf(second, 'replaced')).toBe(3)
    await device.close()
  })
})
