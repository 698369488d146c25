import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startWorld, type World } from './world.ts'

/** Every request that the journey makes to the outside, in its two turns: the points at which its renderer dies. */
const requests = [0, 1].flatMap((turn) =>
  ['one', 'left-1', 'left-2', 'right-1', 'right-2', 'text', 'pay'].map((name) => `${String(turn)}-${name}`),
)

describe('a renderer killed in the middle of a step', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld({ edge: false })
  })
  afterAll(() => world.close())

  it('at every request of a run in turn: the run finishes, recorded steps ran once, nothing `once` started twice', async () => {
    const device = await world.device()
    const { effects } = world
    let tab = await device.open()
    await tab.evaluate(`rig.start('journey', { server: '${effects.url}' }, { id: 'journey' })`)
    for (const name of requests) {
      const held = effects.hold(`/effect/${name}`)
      await held.arrived
      await tab.killRenderer()
      held.drop()
      await tab.close()
      tab = await device.open()
    }
    await tab.evaluate(`rig.run('journey').then((run) => run.result())`)

    const entries = await tab.evaluate<{ kind: string; body: { path?: string; how?: string; start?: string } }[]>(`rig.entries('journey')`)
    const outcomes = entries.filter(({ kind }) => kind === 'step' || kind === 'once').map(({ body }) => body.path)
    expect(new Set(outcomes).size).toBe(outcomes.length)
    expect(outcomes).toHaveLength(14)
    for (const { key, path } of effects.effects()) {
      // A step that was killed ran once more; an effect of class once was looked up instead.
      expect({ path, starts: effects.starts(key) }).toEqual({ path, starts: path.endsWith('-pay') ? 1 : expect.toSatisfy((starts: number) => starts >= 2) })
    }
    expect(entries.filter(({ kind }) => kind === 'once').map(({ body }) => body.how)).toEqual(['verified', 'verified'])
    await device.close()
  })
})
