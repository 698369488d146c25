import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startWorld, type World } from './world.ts'

describe('smoke', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  it('moves and finishes', async () => {
    const device = await world.device()
    const { effects } = world
    const tab = await device.open()
    const held = effects.hold('/effect/round-0-slow')
    await tab.evaluate(`rig.start('branches', { server: '${effects.url}', rounds: 1, bytes: 200000 }, { id: 'b1' })`)
    await held.arrived
    console.log(await tab.evaluate(`rig.view('b1').then(v => ({...v, state: 0}))`))
    const moved = await tab.evaluate(`rig.move('b1', 'edge', { drainMs: 100 })`)
    console.log(moved, world.edge().log())
    held.release()
    console.log(await tab.evaluate(`rig.run('b1').then((run) => run.result())`))
    console.log(effects.effects().map((e) => [e.path, effects.starts(e.key)]))
    console.log(((await tab.evaluate(`rig.entries('b1')`)) as any[]).map((e) => [e.seq, e.kind, e.owner, e.epoch]))
  })
})
