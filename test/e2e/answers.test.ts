import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entriesOf, ofKind, resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

describe('a question', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  it('asked on one device is answered from another; the second answer is told, and one is recorded', async () => {
    const laptop = await world.device()
    const phone = await world.device()
    const { effects } = world
    const tab = await laptop.open()
    await tab.evaluate(`rig.start('asker', { server: '${effects.url}' }, { id: 'asked' })`)
    const there = await phone.open()
    await until(there, 'asked', `view.asks.length === 1`)
    const held = effects.hold('/effect/asker-pay')
    expect(await there.evaluate<Tried>(`rig.answer('asked', 'green', 'the phone')`)).toEqual({ ok: true })
    await held.arrived
    const second = await tab.evaluate<Tried>(
      `rig.tried(async () => { const run = await rig.run('asked'); await run.answer(run.entries().find(({ kind }) => kind === 'ask').digest, 'red') })`,
    )
    expect(second).toMatchObject({ ok: false, code: 'answer_taken' })
    held.release()
    await resultOf(tab, 'asked')
    expect(await tab.evaluate(`rig.view('asked').then(({ state }) => [state.answer, state.by])`)).toEqual([
      'green',
      'the phone',
    ])
    expect(ofKind(await entriesOf(tab, 'asked'), 'answer')).toHaveLength(1)
    await laptop.close()
    await phone.close()
  })

  it('of a run at the edge uses nothing while it waits, and two answers at once are one answer', async () => {
    const laptop = await world.device()
    const phone = await world.device()
    const { effects } = world
    const tab = await laptop.open()
    await tab.evaluate(`rig.start('asker', { server: '${effects.url}' }, { id: 'asked-there' })`)
    await until(tab, 'asked-there', `view.asks.length === 1 && view.sync.synced?.seq === view.head.seq`)
    expect(await tab.evaluate<Tried>(`rig.move('asked-there', 'edge')`)).toEqual({ ok: true })
    const there = await phone.open()
    await until(there, 'asked-there', `view.asks.length === 1 && view.owner === 'edge'`)
    // The run does not end before both have tried.
    const pays = effects.hold('/effect/asker-pay')
    const tried = await Promise.all([
      there.evaluate<Tried>(`rig.answer('asked-there', 'green', 'the phone')`),
      tab.evaluate<Tried>(`rig.answer('asked-there', 'red', 'the laptop')`),
    ])
    await pays.arrived
    pays.release()
    expect(tried.filter(({ ok }) => ok)).toHaveLength(1)
    expect(tried.find(({ ok }) => !ok)?.code).toBe('answer_taken')
    await resultOf(tab, 'asked-there')
    expect(ofKind(await entriesOf(tab, 'asked-there'), 'answer')).toHaveLength(1)
    await laptop.close()
    await phone.close()
  })
})
