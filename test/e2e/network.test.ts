import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fate } from '../harness/lossy-proxy.ts'
import { entriesOf, ofKind, resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, type Device, type World } from './world.ts'

describe('a lost network', () => {
  let world: World
  let device: Device
  beforeAll(async () => {
    world = await startWorld()
    device = await world.device()
  })
  afterAll(() => world.close())

  it('for a whole run: it goes on here, its `once` waits, and everything is synced when the network is back', async () => {
    const { effects } = world
    device.network.cut()
    const tab = await device.open()
    await tab.evaluate(`rig.start('offline', { server: '${effects.url}' }, { id: 'offline' })`)
    await until(tab, 'offline', `view.live.calls.some(({ waits }) => waits?.for === 'network')`)
    expect(ofKind(await entriesOf(tab, 'offline'), 'step')).toHaveLength(3)
    expect(effects.count()).toBe(0)
    device.network.mend()
    expect(await resultOf(tab, 'offline')).toBe(3)
    await tab.evaluate(`rig.run('offline').then((run) => run.synced())`)
    expect(effects.starts()).toBe(1)
    await tab.close()
  })

  it('until the page is closed in which a run has ended: the next page brings it to the edge, and nobody asks for it', async () => {
    device.network.cut()
    const tab = await device.open()
    await tab.evaluate(`rig.start('walker', { server: '${world.effects.url}', steps: 2 }, { id: 'ended' })`)
    expect(await resultOf(tab, 'ended')).toBe(2)
    const [last] = (await entriesOf(tab, 'ended')).slice(-1)
    await tab.close()
    device.network.mend()
    const next = await device.open()
    await next.waitFor(
      `rig.runs().then((all) => all.find(({ run }) => run === 'ended').synced !== undefined)`,
    )
    const response = await fetch(`${world.edge().url}/v1/runs/ended/entries?from=0`, {
      headers: world.headers,
    })
    const there = JSON.parse((await response.text()).trim().split('\n').at(-1) ?? '') as { seq: number }
    expect(there.seq).toBe(last?.seq)
    await next.close()
  })

  it('when it is to be moved: that is refused, and it goes on here', async () => {
    const tab = await device.open()
    const held = await startHeld(tab, 'not-moved')
    device.network.cut()
    const moved = await tab.evaluate<Tried>(`rig.move('not-moved', 'edge', { drainMs: 5000 })`)
    expect(moved).toMatchObject({ ok: false, code: 'unreachable' })
    held.release()
    expect(await resultOf(tab, 'not-moved')).toBe(1)
    device.network.mend()
    await checkOneOwner(tab, 'not-moved')
    await tab.close()
  })

  for (const fate of ['lose request', 'lose answer'] as const) {
    it(`in a move to the edge, whichever message meets "${fate}": one owner in the end, nothing twice`, async () => {
      const tab = await device.open()
      let lost = true
      for (let number = 1; lost; number += 1) {
        const run = `to-edge-${fate.replace(' ', '-')}-${String(number)}`
        const held = await startHeld(tab, run)
        lost = await moveLosing(tab, run, 'edge', number, fate)
        held.release()
        await checkOneOwner(tab, run)
        expect(number).toBeLessThan(30)
      }
      await tab.close()
    })

    it(`in a move from the edge, whichever message meets "${fate}": one owner in the end, nothing twice`, async () => {
      const tab = await device.open()
      let lost = true
      for (let number = 1; lost; number += 1) {
        const run = `to-here-${fate.replace(' ', '-')}-${String(number)}`
        const held = await startHeld(tab, run)
        expect(await tab.evaluate<Tried>(`rig.move('${run}', 'edge', { drainMs: 50 })`)).toEqual({ ok: true })
        lost = await moveLosing(tab, run, 'here', number, fate)
        held.release()
        await checkOneOwner(tab, run)
        expect(number).toBeLessThan(30)
      }
      await tab.close()
    })
  }

  /** Starts a run whose one branch has finished and whose other waits for the outside. */
  async function startHeld(tab: Awaited<ReturnType<Device['open']>>, run: string) {
    const held = world.effects.hold('/effect/round-0-slow')
    await tab.evaluate(
      `rig.start('branches', { server: '${world.effects.url}', rounds: 1, bytes: 10 }, { id: '${run}' })`,
    )
    await held.arrived
    await until(tab, run, `view.head.seq === 2 && view.sync.synced?.seq === 2`)
    return held
  }

  /** Moves while one message of the move is lost. False when there were fewer messages than that. */
  async function moveLosing(
    tab: Awaited<ReturnType<Device['open']>>,
    run: string,
    to: 'edge' | 'here',
    number: number,
    fate: Fate,
  ): Promise<boolean> {
    let lost = false
    device.network.decide((count, { path }) => {
      if (count !== number || path.includes('/live')) return 'pass'
      lost = true
      return fate
    })
    const moved = await tab.evaluate<Tried>(`rig.move('${run}', '${to}', { drainMs: 50 })`)
    device.network.decide(() => 'pass')
    if (!moved.ok) expect(['move_refused', 'unreachable', 'head_moved']).toContain(moved.code)
    return lost
  }

  /** The run finishes, both logs are the same, ownership changed by claims alone, and the finished branch ran once. */
  async function checkOneOwner(tab: Awaited<ReturnType<Device['open']>>, run: string): Promise<void> {
    expect(await resultOf(tab, run)).toBe(1)
    await tab.evaluate(`rig.run('${run}').then((run) => run.synced())`)
    const here = await entriesOf(tab, run)
    const response = await fetch(`${world.edge().url}/v1/runs/${run}/entries?from=0`, {
      headers: world.headers,
    })
    const lines = (await response.text()).trim().split('\n')
    const there = lines.map(
      (line) => JSON.parse(line) as { seq: number; kind: string; owner: string; epoch: number },
    )
    expect(there.map(({ seq, kind, owner, epoch }) => [seq, kind, owner, epoch])).toEqual(
      here.map(({ seq, kind, owner, epoch }) => [seq, kind, owner, epoch]),
    )
    const epochs = ofKind(here, 'claim').map(({ epoch }) => epoch)
    expect(epochs).toEqual(epochs.map((_, index) => index + 1))
    expect(ofKind(here, 'step').filter(({ body }) => body.path === '0/both/quick/get')).toHaveLength(1)
    expect(await tab.evaluate(`rig.setAside('${run}')`)).toEqual([])
  }
})
