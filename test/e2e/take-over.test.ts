import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entriesOf, ofKind, resultOf, until } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

describe('an owner that is gone, with the policy `edge`', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  it('is followed by the edge when its lease is over; what it had not synced is set aside, visible, when it is back', async () => {
    const laptop = await world.device()
    const { effects } = world
    let tab = await laptop.open()
    const third = effects.hold('/effect/walk-3')
    await tab.evaluate(
      `rig.start('walker', { server: '${effects.url}', steps: 8 }, { id: 'gone', whenGone: 'edge', leaseMs: 2000 })`,
    )
    await third.arrived
    await until(tab, 'gone', `view.sync.synced?.seq === view.head.seq`)
    const synced = await tab.evaluate<number>(`rig.view('gone').then((view) => view.head.seq)`)
    laptop.network.cut()
    const sixth = effects.hold('/effect/walk-6')
    third.release()
    await sixth.arrived
    await tab.close()
    sixth.drop()

    // Nobody is left but the edge.
    const phone = await world.device()
    const there = await phone.open()
    expect(await resultOf(there, 'gone')).toBe(8)
    const atEdge = await entriesOf(there, 'gone')
    expect(ofKind(atEdge, 'claim').map(({ owner, body }) => [owner, body.reason])).toEqual([
      ['edge', 'expired'],
    ])

    laptop.network.mend()
    tab = await laptop.open()
    expect(await resultOf(tab, 'gone')).toBe(8)
    expect(await entriesOf(tab, 'gone')).toEqual(atEdge)
    const [tail] =
      await tab.evaluate<readonly { reason: string; lines: readonly string[] }[]>(`rig.setAside('gone')`)
    const kept = tail?.lines.map((line) => JSON.parse(line) as { seq: number; body: { path: string } })
    expect(kept?.map(({ seq, body }) => [seq, body.path]).slice(0, 3)).toEqual([
      [synced + 1, '0/step-3'],
      [synced + 2, '0/step-4'],
      [synced + 3, '0/step-5'],
    ])
    // The keys are those of the run's origin, so the outside saw each effect once, whoever asked.
    for (const { key } of effects.effects()) expect(effects.count(key)).toBe(1)
    expect(effects.count()).toBe(8)
    await laptop.close()
    await phone.close()
  })
})
