import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entriesOf, ofKind, resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

describe('the edge killed with SIGKILL while it owns a run', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  it('finishes by itself once it is started again, with nobody asking', async () => {
    const laptop = await world.device()
    const { effects } = world
    const tab = await laptop.open()
    const before = effects.hold('/effect/walk-3')
    await tab.evaluate(`rig.start('walker', { server: '${effects.url}', steps: 12 }, { id: 'walk' })`)
    await before.arrived
    expect(await tab.evaluate<Tried>(`rig.move('walk', 'edge', { drainMs: 50 })`)).toEqual({ ok: true })
    const atEdge = effects.hold('/effect/walk-7')
    before.release()
    await until(tab, 'walk', `view.live.calls.some(({ path }) => path === '0/step-7')`)
    await laptop.close()
    await atEdge.arrived
    await world.killEdge()
    atEdge.drop()

    const last = effects.hold('/effect/walk-11')
    await world.startEdge()
    await last.arrived
    last.release()
    const phone = await world.device()
    const there = await phone.open()
    expect(await resultOf(there, 'walk')).toBe(12)
    expect(ofKind(await entriesOf(there, 'walk'), 'step')).toHaveLength(12)
    for (const { key, path } of effects.effects()) {
      const interrupted = ['/effect/walk-3', '/effect/walk-7'].includes(path)
      expect({ path, starts: effects.starts(key) }).toEqual({ path, starts: interrupted ? 2 : 1 })
    }
    await phone.close()
  })
})
