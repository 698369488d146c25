import { parseLine } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { poll } from '../harness/poll.ts'
import { entriesOf, ofKind, resultOf, until, type EntryFacts, type Tried } from './run-facts.ts'
import { startWorld, type World } from './world.ts'

/** What the test's agents say: it may be nowhere at the edge. */
const secrets = [
  'Which colour?',
  'colour',
  'ultramarine',
  'asker-pay',
  'round-0-quick',
  'quick/get',
  'xxxxxxxxxxxx',
]

describe('an encrypted run', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  async function expectNothingSaid(): Promise<void> {
    const stored = Buffer.from(await world.stored())
    expect(stored.byteLength).toBeGreaterThan(10_000)
    expect(secrets.filter((secret) => stored.includes(secret))).toEqual([])
  }

  it('end-to-end: another device of its person goes on with it, the edge can neither read nor run it', async () => {
    const { effects } = world
    const laptop = await world.device()
    const tab = await laptop.open(undefined, undefined, 'end-to-end')
    await tab.evaluate(`rig.start('asker', { server: '${effects.url}' }, { id: 'sealed' })`)
    await until(tab, 'sealed', `view.asks.length === 1 && view.sync.synced?.seq === view.head.seq`)
    expect(await tab.evaluate(`rig.blockers('sealed', 'edge')`)).toEqual([
      'it is end-to-end encrypted: the edge cannot read it',
    ])
    expect(await tab.evaluate<Tried>(`rig.move('sealed', 'edge')`)).toMatchObject({ code: 'move_refused' })
    const asks = await fetch(`${world.edge().url}/v1/runs/sealed/asks`, { headers: world.headers })
    expect(await asks.json()).toMatchObject({ asks: [{ path: '', question: null }] })
    const blockers = await fetch(`${world.edge().url}/v1/runs/sealed/blockers`, { headers: world.headers })
    expect(await blockers.json()).toEqual({ blockers: [] })
    await laptop.engine.kill()

    const phone = await world.device()
    const stranger = await phone.open()
    await stranger.evaluate(`rig.run('sealed').then((run) => { window.sealed = run })`)
    await stranger.waitFor(`window.sealed.sync.error?.code === 'key_missing'`)
    expect(await stranger.evaluate(`window.sealed.view()`)).toBeUndefined()
    await stranger.close()
    const there = await phone.open(undefined, undefined, 'end-to-end')
    await until(there, 'sealed', `view.asks.length === 1`)
    expect(await there.evaluate<Tried>(`rig.move('sealed', 'here', { force: true })`)).toEqual({ ok: true })
    await until(there, 'sealed', `view.status === 'waiting'`)
    expect(await there.evaluate<Tried>(`rig.answer('sealed', 'ultramarine')`)).toEqual({ ok: true })
    expect(await resultOf(there, 'sealed')).toEqual(expect.any(String))
    await until(there, 'sealed', `view.sync.synced?.seq === view.head.seq`)
    const started = effects.effects().filter(({ path }) => path === '/effect/asker-pay')
    expect(started).toHaveLength(1)
    await expectNothingSaid()
    await phone.close()
  })

  it('end-to-end: the edge keeps as much of it as its device does, and that is enough for another one', async () => {
    const laptop = await world.device()
    const tab = await laptop.open(undefined, undefined, 'end-to-end')
    await tab.evaluate(`rig.start('diarist', { turns: 20 }, { id: 'diary' })`)
    await until(tab, 'diary', `view.asks.length === 1 && view.sync.synced?.seq === view.head.seq`)
    const half = await tab.evaluate<number>(`rig.view('diary').then((view) => view.head.seq)`)
    // What the edge has can go, and the next snapshots say so: in each of these turns there is time for one.
    for (let turn = 10; turn < 20; turn += 1) {
      expect(await tab.evaluate<Tried>(`rig.answer('diary', 'ultramarine')`)).toEqual({ ok: true })
      await until(tab, 'diary', `view.turn === ${String(turn)} && view.asks.length === 1`)
      await until(tab, 'diary', `view.sync.synced?.seq === view.head.seq`)
    }
    const isShort = async (): Promise<true | undefined> => {
      const pulled = await fetch(`${world.edge().url}/v1/runs/diary/entries?from=0`, {
        headers: world.headers,
      })
      const [line = ''] = (await pulled.text()).split('\n')
      return parseLine(Buffer.from(line)).seq > half / 2 || undefined
    }
    await poll(isShort, { timeoutMs: 30_000, message: () => 'the edge has let go of nothing' })
    await laptop.engine.kill()

    await world.killEdge()
    await world.startEdge()
    const phone = await world.device()
    const there = await phone.open(undefined, undefined, 'end-to-end')
    await until(there, 'diary', `view.asks.length === 1 && view.state.pages.length === 19`)
    expect(await there.evaluate<Tried>(`rig.move('diary', 'here', { force: true })`)).toEqual({ ok: true })
    await until(there, 'diary', `view.status === 'waiting'`)
    expect(await there.evaluate<Tried>(`rig.answer('diary', 'ultramarine')`)).toEqual({ ok: true })
    expect(await resultOf(there, 'diary')).toBe(20)
    const photo = `rig.run('diary').then((run) => run.artifact(run.view().artifacts[0])).then((bytes) => [bytes.length, bytes[0]])`
    expect(await there.evaluate(photo)).toEqual([100_000, 19])
    await until(there, 'diary', `view.sync.synced?.seq === view.head.seq`)
    await expectNothingSaid()
    await phone.close()
  })

  it('lent: goes on at the edge for a time, through its crash, and comes back with a key that the edge never had', async () => {
    const { effects } = world
    const device = await world.device()
    const tab = await device.open(undefined, undefined, 'lent')
    const first = effects.hold('/effect/round-0-slow')
    await tab.evaluate(
      `rig.start('branches', { server: '${effects.url}', rounds: 2, bytes: 200000 }, { id: 'lent' })`,
    )
    await first.arrived
    await until(tab, 'lent', `view.head.seq === 2`)
    expect(await tab.evaluate<Tried>(`rig.move('lent', 'edge', { drainMs: 50 })`)).toEqual({ ok: true })
    await until(tab, 'lent', `view.owner === 'edge'`)

    await world.killEdge()
    const second = effects.hold('/effect/round-1-slow')
    first.release()
    await world.startEdge()
    await second.arrived
    await until(tab, 'lent', `view.turn === 1 && view.state.sizes[0] === 200000`)
    expect(await tab.evaluate<Tried>(`rig.move('lent', 'here', { drainMs: 50 })`)).toEqual({ ok: true })
    await until(tab, 'lent', `view.place === 'browser'`)
    second.release()
    expect(await resultOf(tab, 'lent')).toBe(2)
    await until(tab, 'lent', `view.sync.synced?.seq === view.head.seq`)

    const claims = ofKind(await entriesOf(tab, 'lent'), 'claim')
    expect(claims.map(({ body }) => (body as { lent?: { key: string } }).lent?.key)).toEqual([
      'person.lent.0',
      undefined,
    ])
    const pulled = await fetch(`${world.edge().url}/v1/runs/lent/entries?from=0`, { headers: world.headers })
    const entries = (await pulled.text())
      .trim()
      .split('\n')
      .map((line) => parseLine(Buffer.from(line)))
    const back = claims[1]?.seq as number
    const keys = (which: (seq: number) => boolean): readonly unknown[] => [
      ...new Set(entries.filter(({ seq, key }) => which(seq) && key !== undefined).map(({ key }) => key)),
    ]
    expect(keys((seq) => seq < back)).toEqual(['person.lent.0'])
    expect(keys((seq) => seq > back)).toEqual(['person.lent.1'])
    expect(entries.some(({ owner, enc }) => owner === 'edge' && enc !== undefined)).toBe(true)
    await expectNothingSaid()
    await device.close()
  })

  it('lent for a time that is over: stands still at the edge, and goes on where it is taken back', async () => {
    const { effects } = world
    const device = await world.device()
    const tab = await device.open(undefined, undefined, 'lent briefly')
    await tab.evaluate(`rig.start('asker', { server: '${effects.url}' }, { id: 'briefly' })`)
    await until(tab, 'briefly', `view.asks.length === 1`)
    expect(await tab.evaluate<Tried>(`rig.move('briefly', 'edge')`)).toEqual({ ok: true })
    await until(tab, 'briefly', `view.owner === 'edge' && view.status === 'waiting'`)
    const claims = ofKind(await entriesOf(tab, 'briefly'), 'claim')
    const { body } = claims[0] as EntryFacts
    const { lent } = body as { readonly lent: { readonly until: number } }
    expect(await world.rowsIn('waystone_lent')).toBe(1)
    await tab.waitFor(`Date.now() > ${String(lent.until)}`)
    await poll(async () => ((await world.rowsIn('waystone_lent')) === 0 ? true : undefined), {
      timeoutMs: 20_000,
      message: () => 'the edge keeps the keys that it was lent',
    })
    expect(await tab.evaluate<Tried>(`rig.answer('briefly', 'ultramarine')`)).toEqual({ ok: true })
    const started = () => effects.effects().filter(({ path }) => path === '/effect/asker-pay').length
    const before = started()
    expect(await tab.evaluate<Tried>(`rig.move('briefly', 'here')`)).toEqual({ ok: true })
    expect(await resultOf(tab, 'briefly')).toEqual(expect.any(String))
    expect(started()).toBe(before + 1)
    const entries = await entriesOf(tab, 'briefly')
    const taken = ofKind(entries, 'claim')[1]?.seq as number
    expect(ofKind(entries, 'answer').map(({ seq }) => seq > taken)).toEqual([true])
    await expectNothingSaid()
    await device.close()
  })

  it('is not begun in the open by a worker that was given no keys', async () => {
    const device = await world.device()
    const tab = await device.open()
    const opened = `(() => {
      const plain = () => new Worker('/agent.worker.js', { type: 'module' })
      return rig.tried(() => rig.openOther({ name: 'other', worker: plain, encryption: rig.encryption }))
    })()`
    expect(await tab.evaluate<Tried>(opened)).toMatchObject({ ok: false, code: 'input_refused' })
    await device.close()
  })
})
