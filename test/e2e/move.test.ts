import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entriesOf, ofKind, resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

/** What a checkpoint tells of whoever wrote it. */
interface Said {
  readonly trigger: string
  readonly host?: string
  readonly versions: object
}

describe('a move in the middle of a turn', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  it('to the edge and back: the branch that had finished never runs again', async () => {
    const device = await world.device()
    const { effects } = world
    const tab = await device.open()
    const first = effects.hold('/effect/round-0-slow')
    await tab.evaluate(
      `rig.start('branches', { server: '${effects.url}', rounds: 2, bytes: 200000 }, { id: 'there-and-back' })`,
    )
    await first.arrived
    await until(tab, 'there-and-back', `view.head.seq === 2`)
    expect(await tab.evaluate<Tried>(`rig.move('there-and-back', 'edge', { drainMs: 50 })`)).toEqual({
      ok: true,
    })
    await until(tab, 'there-and-back', `view.place === 'edge' && view.owner === 'edge'`)

    const second = effects.hold('/effect/round-1-slow')
    first.release()
    await second.arrived
    await until(tab, 'there-and-back', `view.turn === 1 && view.live.calls.length === 1`)
    expect(await tab.evaluate<Tried>(`rig.move('there-and-back', 'here', { drainMs: 50 })`)).toEqual({
      ok: true,
    })
    await until(tab, 'there-and-back', `view.place === 'browser'`)
    second.release()
    expect(await resultOf(tab, 'there-and-back')).toBe(2)

    const entries = await entriesOf(tab, 'there-and-back')
    expect(ofKind(entries, 'claim').map(({ owner, epoch }) => [owner === 'edge', epoch])).toEqual([
      [true, 1],
      [false, 2],
    ])
    const said = await tab.evaluate<readonly Said[]>(`rig.software('there-and-back')`)
    const browser = {
      host: expect.stringMatching(/^chromium \d+$/) as string,
      versions: { page: '1.2.3', ai: '7.0.1' },
    }
    expect(said[0]).toEqual({ trigger: 'start', ...browser })
    expect(said.find(({ trigger }) => trigger === 'commit')).toMatchObject({
      host: 'workerd',
      versions: { ai: '7.0.2' },
    })
    expect(said.at(-1)).toEqual({ trigger: 'commit', ...browser })
    const starts = Object.fromEntries(effects.effects().map(({ path, key }) => [path, effects.starts(key)]))
    expect(starts['/effect/round-0-quick']).toBe(1)
    expect(starts['/effect/round-1-quick']).toBe(1)
    await device.close()
  })

  it('with the laptop gone: the edge finishes, and another device has the large result', async () => {
    const laptop = await world.device()
    const { effects } = world
    const tab = await laptop.open()
    const held = effects.hold('/effect/round-0-slow')
    await tab.evaluate(
      `rig.start('branches', { server: '${effects.url}', rounds: 1, bytes: 200000 }, { id: 'laptop-gone' })`,
    )
    await held.arrived
    await until(tab, 'laptop-gone', `view.head.seq === 2`)
    expect(await tab.evaluate<Tried>(`rig.move('laptop-gone', 'edge', { drainMs: 50 })`)).toEqual({
      ok: true,
    })
    await laptop.engine.kill()
    held.release()

    const phone = await world.device()
    const there = await phone.open()
    expect(await resultOf(there, 'laptop-gone')).toBe(1)
    expect(await there.evaluate(`rig.view('laptop-gone').then((view) => view.state.sizes)`)).toEqual([
      200_000,
    ])
    await phone.close()
  })

  it('right after the worker was killed waits for the new one, and then moves', async () => {
    const device = await world.device()
    const { effects } = world
    const tab = await device.open()
    const held = effects.hold('/effect/walk-1')
    await tab.evaluate(
      `rig.start('walker', { server: '${effects.url}', steps: 3 }, { id: 'killed-and-moved' })`,
    )
    await held.arrived
    await tab.evaluate(`rig.restartWorker()`)
    expect(await tab.evaluate<Tried>(`rig.move('killed-and-moved', 'edge', { drainMs: 50 })`)).toEqual({
      ok: true,
    })
    held.release()
    expect(await resultOf(tab, 'killed-and-moved')).toBe(3)
    expect(ofKind(await entriesOf(tab, 'killed-and-moved'), 'claim').map(({ owner }) => owner)).toEqual([
      'edge',
    ])
    await device.close()
  })

  it('is refused when the edge cannot replay the turn, and the owner stays and goes on', async () => {
    const device = await world.device()
    const { effects } = world
    const tab = await device.open()
    const held = effects.hold('/effect/only-here')
    await tab.evaluate(`rig.start('page-only', { server: '${effects.url}' }, { id: 'stays' })`)
    await held.arrived
    await tab.waitFor(`rig.blockers('stays', 'edge').then(([one]) => one?.includes('page-only'))`)
    const moved = await tab.evaluate<Tried>(`rig.move('stays', 'edge', { drainMs: 50 })`)
    expect(moved).toMatchObject({ ok: false, code: 'move_refused' })
    expect(moved.message).toContain('page-only')
    held.release()
    expect(await resultOf(tab, 'stays')).toBe('done here')
    expect(ofKind(await entriesOf(tab, 'stays'), 'claim')).toEqual([])
    await device.close()
  })
})
