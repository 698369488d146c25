import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ChromiumPage } from '../harness/engines.ts'
import type { Fate } from '../harness/lossy-proxy.ts'
import { entriesOf, ofKind, resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, type Device, type World } from './world.ts'

describe('a move from device to device', () => {
  let world: World
  let laptop: Device
  let phone: Device
  beforeAll(async () => {
    world = await startWorld()
    laptop = await world.device()
    phone = await world.device()
  })
  afterAll(() => world.close())

  it('in the middle of a step: it ends where it began, goes on elsewhere, and is asked of no person', async () => {
    const [tab, there] = [await laptop.open(), await phone.open()]
    const claims = await movedInAStep(tab, there, 'handed-over', 'here')
    expect(claims).toEqual([[await idOf(there), 'moved']])
    // The slow step, too, was recorded by the laptop and never ran again.
    const { effects } = world
    const starts = effects.effects().map(({ key }) => effects.starts(key))
    expect(starts).toEqual(starts.map(() => 1))
    await tab.close()
    await there.close()
  })

  it('to the edge, which another device asks for: whoever has the run moves it there', async () => {
    const [tab, there] = [await laptop.open(), await phone.open()]
    const claims = await movedInAStep(tab, there, 'sent-on', 'edge')
    expect(claims).toEqual([['edge', 'moved']])
    await tab.close()
    await there.close()
  })

  it('there and back while it works, each time by who wants it', async () => {
    const [tab, there] = [await laptop.open(), await phone.open()]
    const turns = [there, tab, there].map((asking, index) => ({
      asking,
      held: world.effects.hold(`/effect/walk-${String(2 * index + 1)}`),
    }))
    await tab.evaluate(
      `rig.start('walker', { server: '${world.effects.url}', steps: 6 }, { id: 'to-and-fro' })`,
    )
    await until(tab, 'to-and-fro', `view.sync.online`)
    for (const { asking, held } of turns) {
      await held.arrived
      const moving = asking.evaluate<Tried>(`rig.move('to-and-fro', 'here', { drainMs: 10000 })`)
      await until(asking, 'to-and-fro', `view.live.phase === 'moving'`)
      held.release()
      expect(await moving).toEqual({ ok: true })
    }
    expect(await resultOf(there, 'to-and-fro')).toBe(6)
    const claims = ofKind(await entriesOf(there, 'to-and-fro'), 'claim')
    const [one, other] = [await idOf(tab), await idOf(there)]
    expect(claims.map(({ owner }) => owner)).toEqual([other, one, other])
    for (const page of [tab, there]) expect(await page.evaluate(`rig.setAside('to-and-fro')`)).toEqual([])
    await tab.close()
    await there.close()
  })

  it('whose owner cannot be reached is refused at once while its lease lasts, and force takes it', async () => {
    const [tab, there] = [await laptop.open(), await phone.open()]
    const held = await startHeld(tab, there, 'gone')
    laptop.network.cut()
    for (const to of ['here', 'edge'])
      expect(await there.evaluate<Tried>(`rig.move('gone', '${to}', { drainMs: 50 })`)).toMatchObject({
        ok: false,
        code: 'move_refused',
      })
    expect(await there.evaluate<Tried>(`rig.move('gone', 'here', { drainMs: 50, force: true })`)).toEqual({
      ok: true,
    })
    await tab.close()
    laptop.network.mend()
    held.release()
    expect(await resultOf(there, 'gone')).toBe(1)
    await there.close()
  })

  for (const whose of ['asks', 'owns it'] as const) {
    for (const fate of ['lose request', 'lose answer'] as const) {
      it(`whichever message of the device that ${whose} meets "${fate}": one owner in the end, nothing twice`, async () => {
        const [tab, there] = [await laptop.open(), await phone.open()]
        const { network } = whose === 'asks' ? phone : laptop
        let lost = true
        for (let number = 1; lost; number += 1) {
          const run = `${whose.slice(0, 4)}-${fate.replace(' ', '-')}-${String(number)}`
          const held = await startHeld(tab, there, run)
          lost = await moveLosing(network, number, fate, async () => {
            const moving = there.evaluate<Tried>(`rig.move('${run}', 'here', { drainMs: 2000 })`)
            const over = moving.then(() => true)
            const isMoving = until(tab, run, `view.live.phase === 'moving'`).then(() => false)
            isMoving.catch(() => undefined)
            await Promise.race([over, isMoving])
            held.release()
            const moved = await moving
            if (!moved.ok) expect(['move_refused', 'unreachable', 'head_moved']).toContain(moved.code)
          })
          expect(await resultOf(there, run)).toBe(1)
          await checkOneOwner(tab, there, run)
          expect(number).toBeLessThan(30)
        }
        await tab.close()
        await there.close()
      })
    }
  }

  /** Moves a run of a device in the middle of its step, as another one asks for it. Who has claimed it, and why. */
  async function movedInAStep(tab: ChromiumPage, there: ChromiumPage, run: string, to: 'here' | 'edge') {
    const held = await startHeld(tab, there, run)
    const moving = there.evaluate<Tried>(`rig.move('${run}', '${to}', { drainMs: 10000 })`)
    await until(tab, run, `view.live.phase === 'moving'`)
    held.release()
    expect(await moving).toEqual({ ok: true })
    expect(await resultOf(there, run)).toBe(1)
    await checkOneOwner(tab, there, run)
    const claims = ofKind(await entriesOf(there, run), 'claim')
    return claims.map(({ owner, body }) => [owner, body.reason])
  }

  /** Starts a run whose one branch has finished and whose other waits for the outside; the phone has it, too. */
  async function startHeld(tab: ChromiumPage, there: ChromiumPage, run: string) {
    const held = world.effects.hold('/effect/round-0-slow')
    await tab.evaluate(
      `rig.start('branches', { server: '${world.effects.url}', rounds: 1, bytes: 10 }, { id: '${run}' })`,
    )
    await held.arrived
    await until(tab, run, `view.head.seq === 2 && view.sync.synced?.seq === 2`)
    await until(there, run, `view.head.seq === 2`)
    return held
  }

  /** Moves while one message of a device is lost. False when it sent fewer than that. */
  async function moveLosing(
    network: Device['network'],
    number: number,
    fate: Fate,
    move: () => Promise<void>,
  ): Promise<boolean> {
    let lost = false
    network.decide((count, { path }) => {
      if (count !== number || path.includes('/live')) return 'pass'
      lost = true
      return fate
    })
    await move().finally(() => network.decide(() => 'pass'))
    return lost
  }

  /** Both devices and the edge have one log, in which ownership changed by claims alone, and no step is recorded twice. */
  async function checkOneOwner(tab: ChromiumPage, there: ChromiumPage, run: string): Promise<void> {
    for (const page of [tab, there]) {
      await resultOf(page, run)
      await page.evaluate(`rig.run('${run}').then((run) => run.synced())`)
      expect(await page.evaluate(`rig.setAside('${run}')`)).toEqual([])
    }
    const [one, other] = [await entriesOf(tab, run), await entriesOf(there, run)]
    expect(one).toEqual(other)
    const epochs = ofKind(one, 'claim').map(({ epoch }) => epoch)
    expect(epochs).toEqual(epochs.map((_, index) => index + 1))
    const steps = ofKind(one, 'step').map(({ body }) => body.path)
    expect(new Set(steps).size).toBe(steps.length)
  }

  function idOf(tab: ChromiumPage): Promise<string> {
    return tab.evaluate<string>('rig.device()')
  }
})
