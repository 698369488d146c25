import { limits } from '@waystone/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openEventStream } from '../harness/event-stream.ts'
import { poll } from '../harness/poll.ts'
import { openRawSocket } from '../harness/raw-socket.ts'
import { caller, deadly, failing, gambler, questioner, sleeper, speaker } from './app/edge-agents.ts'
import { pushRun } from './pushed-run.ts'
import { startWorld, type World } from './world.ts'

/** What the object of the tests tells of itself. */
interface Told {
  /** How often each reminder rang. */
  readonly rang: Readonly<Record<string, number>>
  readonly due: number | null
  readonly alarm: number | null
}

describe('a run in an object of the application, beside its own due times', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  const own = (run: string, route: string, query: Readonly<Record<string, string>> = {}): Promise<Response> =>
    fetch(`${world.edge().url}/own/${run}/${route}?${new URLSearchParams(query).toString()}`)
  const remind = (run: string, name: string, ms: number): Promise<Response> =>
    own(run, 'remind', { name, ms: String(ms), server: world.effects.url })
  const tell = async (run: string, name = ''): Promise<Told> =>
    (await (await own(run, 'tell', { name })).json()) as Told
  const sleep = (run: string, ms: number): Promise<void> =>
    pushRun(world, run, sleeper, { server: world.effects.url, run, ms })
  /** Waits until the run has ended, and gives its last event. */
  const endOf = async (run: string): Promise<unknown> => {
    const stream = await openEventStream(`${world.edge().url}/v1/runs/${run}/events`, world.headers)
    await stream.closed
    return JSON.parse(stream.events().at(-1)?.data ?? '{}')
  }

  it('answers its own routes, and those of the run', async () => {
    await sleep('own-routes', 1)
    expect(await endOf('own-routes')).toEqual({ status: 'done', result: 'rested' })
    expect(await tell('own-routes')).toEqual({ rang: {}, due: null, alarm: null })
  })

  it('has its names rung before and after the run wakes, and the run wakes', async () => {
    const run = 'own-both'
    const first = world.effects.hold('/effect/ring-early')
    const last = world.effects.hold('/effect/ring-late')
    await remind(run, 'late', 3_000)
    await sleep(run, 1_500)
    await remind(run, 'early', 100)
    await first.arrived
    first.release()
    expect(await endOf(run)).toEqual({ status: 'done', result: 'rested' })
    await last.arrived
    last.release()
    await poll(async () => ((await tell(run)).alarm === null ? true : undefined), {
      timeoutMs: 10_000,
      message: () => 'the alarm is still set',
    })
    expect(await tell(run)).toEqual({ rang: { early: 1, late: 1 }, due: null, alarm: null })
  })

  it('has a name rung while the run works, in the alarm of the run', async () => {
    const run = 'own-beside'
    const works = world.effects.hold(`/effect/${run}-0`)
    await pushRun(world, run, speaker, { server: world.effects.url, run, parts: ['words'] })
    await works.arrived
    const rings = world.effects.hold('/effect/ring-beside')
    await remind(run, 'beside', 100)
    await rings.arrived
    rings.release()
    works.release()
    expect(await endOf(run)).toEqual({ status: 'done', result: 'words' })
    expect((await tell(run)).rang).toEqual({ beside: 1 })
  })

  it('is woken once a year for a time that is too far for an alarm, its own or that of the run', async () => {
    const dayMs = 24 * 60 * 60_000
    const yearMs = 366 * dayMs
    const restsForLong = (run: string): Promise<number> =>
      poll(
        async () => {
          const { alarm } = await tell(run)
          return alarm !== null && alarm > Date.now() + dayMs ? alarm : undefined
        },
        {
          timeoutMs: 10_000,
          message: async () => `the object is woken sooner: ${String(await kindsOf(run))}`,
        },
      )
    expect((await remind('own-far', 'far', 1e16)).status).toBe(204)
    expect((await tell('own-far', 'far')).due).toBeGreaterThan(1e16)
    expect(await restsForLong('own-far')).toBeLessThanOrEqual(Date.now() + yearMs)
    await sleep('own-rests', 100_000 * dayMs)
    expect(await restsForLong('own-rests')).toBeLessThanOrEqual(Date.now() + yearMs)
    expect(await kindsOf('own-rests')).toContain('sleep')
  })

  it('tries work that throws again, later, and the run goes on meanwhile', async () => {
    const run = 'own-broken'
    await remind(run, 'broken', 0)
    await sleep(run, 500)
    expect(await endOf(run)).toEqual({ status: 'done', result: 'rested' })
    const { rang, due, alarm } = await tell(run, 'broken')
    expect(rang).toEqual({ broken: 1 })
    expect(due).toBeGreaterThan(Date.now())
    expect(alarm).toBe(due)
    await poll(async () => ((await tell(run)).rang['broken'] === 2 ? true : undefined), {
      timeoutMs: 30_000,
      message: () => 'the work was not tried again',
    })
    await own(run, 'forget', { name: 'broken' })
    expect(await tell(run, 'broken')).toEqual({ rang: { broken: 2 }, due: null, alarm: null })
  })

  it('rings and wakes after the process was killed, with nobody asking', async () => {
    const run = 'own-killed'
    const before = world.effects.hold(`/effect/${run}-before`)
    const after = world.effects.hold(`/effect/${run}-after`)
    const rings = world.effects.hold('/effect/ring-killed')
    await remind(run, 'killed', 4_000)
    await sleep(run, 2_000)
    await before.arrived
    before.release()
    await poll(async () => ((await kindsOf(run)).includes('sleep') ? true : undefined), {
      timeoutMs: 10_000,
      message: async () => `the run does not sleep: ${String(await kindsOf(run))}`,
    })
    await world.killEdge()
    await world.startEdge()
    await Promise.all([after.arrived, rings.arrived])
    after.release()
    rings.release()
    expect(await endOf(run)).toEqual({ status: 'done', result: 'rested' })
    expect((await tell(run)).rang).toEqual({ killed: 1 })
  })

  it('rings again when the process was killed while it did its work', async () => {
    const run = 'own-twice'
    const first = world.effects.hold('/effect/ring-twice')
    await remind(run, 'twice', 0)
    await first.arrived
    await world.killEdge()
    first.drop()
    const second = world.effects.hold('/effect/ring-twice')
    await world.startEdge()
    await second.arrived
    second.release()
    expect((await tell(run)).rang).toEqual({ twice: 2 })
  })

  it('pauses a turn whose replay comes to another end, since it is open for development', async () => {
    const run = 'own-develops'
    await pushRun(world, run, gambler, {})
    const paused = (): Promise<readonly { readonly kind: string; readonly body: unknown }[]> =>
      entriesOf(run).then((entries) => entries.filter(({ kind }) => kind === 'pause'))
    await poll(async () => ((await paused()).length > 0 ? true : undefined), {
      timeoutMs: 10_000,
      message: async () => `the run was not paused: ${String(await kindsOf(run))}`,
    })
    expect(await paused()).toMatchObject([
      { body: { reason: 'divergence', error: { code: 'not_replayable', run } } },
    ])
    expect(await kindsOf(run)).not.toContain('commit')
  })

  it('keeps its sockets and those of the run apart', async () => {
    const run = 'own-sockets'
    const says = world.effects.hold(`/effect/${run}-0`)
    await pushRun(world, run, speaker, { server: world.effects.url, run, parts: ['words'] })
    await says.arrived
    const edge = world.edge().url
    const live = `${edge}/own/${run}/v1/runs/${run}/live?device=d&from=0`
    const follower = openRawSocket(live, { protocols: ['waystone'] })
    const mine = openRawSocket(`${edge}/own/${run}/socket`)
    await Promise.all([follower.opened, mine.opened])
    says.release()
    await endOf(run)
    await follower.until((text) => text.includes('"kind\\":\\"commit'))
    mine.send('hello')
    await mine.until((text) => text === 'mine: hello')
    expect(mine.heard).toEqual(['mine: hello'])
    mine.close()
    follower.close()
  })

  it('refuses a second run in the same object, and names that are not for applications', async () => {
    await sleep('own-one', 1)
    await endOf('own-one')
    const other = await own('own-one', 'v1/runs/other/entries', { from: '0' })
    expect(await other.json()).toMatchObject({ code: 'request_refused' })
    for (const name of ['waystone.run', '', 'x'.repeat(201)])
      expect(await (await remind('own-one', name, 0)).json()).toMatchObject({ code: 'input_refused' })
  })

  it('pauses a run that ends its object whenever it is woken, whoever wakes it', async () => {
    const run = 'own-deadly'
    await pushRun(world, run, deadly, {})
    const path = `${world.edge().url}/v1/runs/${run}`
    const { headers } = world
    const pauseAfter = async (message: number): Promise<string | undefined> => {
      // Whoever comes as the object ends hears nothing.
      const item = { type: 'message', id: `m${String(message)}`, by: 'ana', time: 0, name: 'poke', value: 1 }
      await fetch(`${path}/inbox`, { method: 'POST', headers, body: JSON.stringify(item) })
      const stored = await fetch(`${path}/entries?from=0`, { headers })
      const text = stored.ok ? await stored.text() : ''
      return text.split('\n').find((line) => line.includes('"kind":"pause"'))
    }
    let messages = 0
    const pause = await poll(() => pauseAfter((messages += 1)), {
      everyMs: 200,
      timeoutMs: 60_000,
      message: () => `the run was not paused after ${String(messages)} messages`,
    })
    expect(JSON.parse(pause)).toMatchObject({
      body: { reason: 'error', error: { code: 'no_progress', run } },
    })
    expect(await (await own(run, 'kept')).json()).toMatchObject({ died: limits.stallsMax })
  })

  it('is not woken, while it waits for a person, by a device that pushes again what is here', async () => {
    const run = 'own-pushed-again'
    await pushRun(world, run, questioner, {})
    const alarms = async (): Promise<number> =>
      ((await (await own(run, 'kept')).json()) as { steps: readonly number[] }).steps.length
    await poll(
      async () =>
        (await kindsOf(run)).includes('ask') && (await tell(run)).alarm === null ? true : undefined,
      { timeoutMs: 10_000, message: async () => `the run does not wait: ${String(await kindsOf(run))}` },
    )
    const before = await alarms()
    await pushRun(world, run, questioner, {})
    expect((await tell(run)).alarm).toBeNull()
    expect(await alarms()).toBe(before)
  })

  it('has its circuit breakers from the other runs of its tenant', async () => {
    const server = world.effects.url
    const lastOf = async (run: string): Promise<unknown> => {
      const stream = await openEventStream(`${world.edge().url}/v1/runs/${run}/events`, world.headers)
      const view = await stream.until(({ event, data }) => event === 'view' && !data.includes('"running"'))
      stream.leave()
      return JSON.parse(view.data)
    }
    await pushRun(world, 'own-calls-1', caller, { server, run: 'own-calls-1', breaker: 'search' })
    expect(await lastOf('own-calls-1')).toMatchObject({ status: 'paused' })
    await pushRun(world, 'own-calls-2', caller, { server, run: 'own-calls-2', breaker: 'search' })
    await pushRun(world, 'own-calls-3', caller, { server, run: 'own-calls-3', breaker: 'another' })
    expect(await lastOf('own-calls-3')).toMatchObject({ status: 'paused' })
    const due = await poll(async () => (await tell('own-calls-2')).alarm ?? undefined, {
      timeoutMs: 20_000,
      message: () => 'the second run does not wait for the breaker',
    })
    expect(due).toBeGreaterThan(Date.now() + 60_000)
    const calls = world.effects.effects().map(({ key }) => key.split(' ').at(-1))
    expect(calls.filter((name) => name?.startsWith('own-calls'))).toEqual(['own-calls-1', 'own-calls-3'])
  })

  it('tries a step as often as it may, over alarms, and as often again when somebody asks for it', async () => {
    const run = 'own-fails'
    const reached = (): readonly (readonly [string, number])[] =>
      world.effects
        .effects()
        .map(({ key }) => [key.split(' ').at(-1) ?? '', world.effects.starts(key)] as const)
        .filter(([name]) => name.startsWith(run))
    const paused = (times: number): Promise<true> =>
      poll(
        async () =>
          (await kindsOf(run)).filter((kind) => kind === 'pause').length === times ? true : undefined,
        {
          timeoutMs: 60_000,
          message: async () => `the run was not paused: ${String(await kindsOf(run))}; ${String(reached())}`,
        },
      )
    await pushRun(world, run, failing, { server: world.effects.url, run })
    await paused(1)
    expect(reached()).toEqual([1, 2, 3].map((attempt) => [`${run}-${String(attempt)}`, 1]))
    const retry = { type: 'retry', id: 'again', by: 'ana', time: 0 }
    const { headers } = world
    await fetch(`${world.edge().url}/v1/runs/${run}/inbox`, {
      method: 'POST',
      headers,
      body: JSON.stringify(retry),
    })
    await paused(2)
    expect(reached()).toEqual([1, 2, 3].map((attempt) => [`${run}-${String(attempt)}`, 2]))
  })

  it('keeps tables for what it has, and none else', async () => {
    const run = 'own-tables'
    await sleep(run, 1)
    expect(await endOf(run)).toEqual({ status: 'done', result: 'rested' })
    const tables = ['waystone_due', 'waystone_log', 'waystone_run']
    expect(await (await own(run, 'kept')).json()).toMatchObject({ tables })
  })

  const kindsOf = async (run: string): Promise<readonly string[]> =>
    (await entriesOf(run)).map(({ kind }) => kind)
  const entriesOf = async (
    run: string,
  ): Promise<readonly { readonly kind: string; readonly body: unknown }[]> => {
    const stored = await fetch(`${world.edge().url}/v1/runs/${run}/entries?from=0`, {
      headers: world.headers,
    })
    const lines = (await stored.text()).split('\n').filter((line) => line !== '')
    return lines.map((line) => JSON.parse(line) as { kind: string; body: unknown })
  }
})
