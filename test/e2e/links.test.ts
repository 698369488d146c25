import { afterAll, beforeAll, expect, it } from 'vitest'
import { entriesOf, ofKind, resultOf, until, type Tried } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

it('a browser with a link to a run follows it live, changes nothing, and is cut off when the link is taken back', async () => {
  const { effects } = world
  const laptop = await world.device()
  const guest = await world.device()
  const tab = await laptop.open()
  await tab.evaluate(`rig.start('asker', { server: '${effects.url}' }, { id: 'shown' })`)
  await until(tab, 'shown', `view.asks.length === 1 && view.sync.synced?.seq === view.head.seq`)
  const link = await tab.evaluate<{ id: string; token: string }>(`rig.link('shown', 'read')`)

  const there = await guest.open(undefined, link.token)
  await until(there, 'shown', `view.asks.length === 1`)
  expect(await there.evaluate<Tried>(`rig.answer('shown', 'red', 'the guest')`)).toMatchObject({
    code: 'forbidden',
  })
  expect(await there.evaluate<Tried>(`rig.move('shown', 'here', { force: true })`)).toMatchObject({
    ok: false,
  })

  expect(await tab.evaluate<Tried>(`rig.answer('shown', 'green', 'the laptop')`)).toEqual({ ok: true })
  await resultOf(tab, 'shown')
  await until(there, 'shown', `view.status === 'done'`)
  expect(await there.evaluate(`rig.view('shown').then(({ state }) => state.by)`)).toBe('the laptop')
  const answers = ofKind(await entriesOf(tab, 'shown'), 'answer')
  expect(answers).toHaveLength(1)

  await tab.evaluate(`rig.revoke('shown', '${link.id}')`)
  const late = await world.device()
  const nobody = await late.open(undefined, link.token)
  await nobody.evaluate(`rig.run('shown').then((run) => { window.shown = run })`)
  await nobody.waitFor(`window.shown.sync.error?.code === 'unauthorized'`)
  expect(await nobody.evaluate(`window.shown.view()`)).toBeUndefined()
})
