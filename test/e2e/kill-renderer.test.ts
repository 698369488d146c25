import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Hold } from '../harness/effect-server.ts'
import { startWorld, type World } from './world.ts'

/** Every request that the journey makes to the outside, in its three turns: the points at which its renderer dies. */
const requests = [0, 1, 2].flatMap((turn) =>
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
    const remaining = new Set(requests)
    const holdAll = (): ReadonlyMap<string, Hold> =>
      new Map([...remaining].map((name) => [name, effects.hold(`/effect/${name}`)]))
    let holds = holdAll()
    let tab = await device.open()
    await tab.evaluate(`rig.start('journey', { server: '${effects.url}', turns: 3 }, { id: 'journey' })`)
    while (remaining.size > 0) {
      const name = await Promise.race([...holds].map(([held, { arrived }]) => arrived.then(() => held)))
      await tab.killRenderer()
      remaining.delete(name)
      for (const hold of holds.values()) hold.drop()
      holds = holdAll()
      await tab.close()
      tab = await device.open()
    }
    expect(await tab.evaluate(`rig.run('journey').then((run) => run.result())`)).toBe(18)

    const entries =
      await tab.evaluate<{ kind: string; body: { path?: string; how?: string; start?: string } }[]>(
        `rig.entries('journey')`,
      )
    const outcomes = entries
      .filter(({ kind }) => kind === 'step' || kind === 'once')
      .map(({ body }) => body.path)
    expect(new Set(outcomes).size).toBe(outcomes.length)
    expect(outcomes).toHaveLength(requests.length)
    for (const { key, path } of effects.effects()) {
      // A step that was killed ran once more; an effect of class once was looked up instead.
      expect({ path, starts: effects.starts(key) }).toEqual({
        path,
        starts: path.endsWith('-pay') ? 1 : expect.toSatisfy((starts: number) => starts >= 2),
      })
    }
    expect(entries.filter(({ kind }) => kind === 'once').map(({ body }) => body.how)).toEqual([
      'verified',
      'verified',
      'verified',
    ])
    await device.close()
  })
})
