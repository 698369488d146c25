import { describe, expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import { memoryEdge } from '../runtime/memory-edge.test-support.ts'
import { effectsOff } from './attempt-ports.ts'
import { Attempt } from './attempt.ts'
import { handleOf, hastyClock, testClock, testDevice } from '../runtime/memory-world.test-support.ts'
import { edgeOwner, type Digest, type RunId } from '../ids.ts'
import type { EntryDraft } from '../log/bodies.ts'
import { isEnded } from '../log/fold.ts'
import { parseLine } from '../log/entry.ts'
import { RunLog } from '../log/run-log.ts'
import { damage } from '../runtime/payer.test-support.ts'
import type { RunHandle } from '../runtime/run-handle.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Waker } from '../waker.ts'
import { defineAgent, done, fail } from './agent.ts'
import { crashEverywhere } from './crash.test-support.ts'

const worker = defineAgent({
  name: 'worker',
  version: 1,
  initial: (input: { n: number }) => ({ n: input.n }),
  async turn(ctx, state) {
    const square = await ctx.step('square', () => state.n * state.n)
    return state.n % 4 === 3 ? fail(`${String(state.n)} is no good`) : done(square)
  },
})

/** Hands a piece of work to each of some workers and combines what comes of it. */
function orchestrator(workers: number, attempts = 1) {
  return defineAgent({
    name: 'orchestrator',
    version: 1,
    initial: () => ({ squares: [] as number[], failed: [] as string[] }),
    async turn(ctx, state) {
      const numbers = Array.from({ length: workers }, (_, n) => n)
      const options = { key: String, concurrency: workers }
      const ends = await ctx.map('work', numbers, options, async (c, n) => {
        const child = await c.spawn('worker', worker, { n }, { attempts })
        return c.join(child).catch((error: unknown) => (error as Error).message)
      })
      state.squares = ends.filter((end) => typeof end === 'number')
      state.failed = ends.filter((end) => typeof end === 'string')
      return done(state.squares.length)
    },
  })
}

describe('spawn() and join()', () => {
  it('ten workers, some fail, the others go on, and the orchestrator combines', async () => {
    const agent = orchestrator(10)
    const runtime = await testDevice([agent, worker]).open()
    const run = await handleOf<{ failed: string[] }>(runtime, await runtime.start('orchestrator', null, {}))
    expect(await run.result()).toBe(8)
    expect(run.view()?.state.failed).toHaveLength(2)
    const children = (await runtime.runs()).filter(({ agent: name }) => name === 'worker')
    expect(children.map(({ status }) => status).filter((status) => status === 'failed')).toHaveLength(2)
    expect(children).toHaveLength(10)
    await runtime.close()
  })

  it('starts a child anew as often as it is told to', async () => {
    const agent = orchestrator(4, 3)
    const runtime = await testDevice([agent, worker]).open()
    const run = await handleOf(runtime, await runtime.start('orchestrator', null, {}))
    expect(await run.result()).toBe(3)
    const children = (await runtime.runs()).filter(({ agent: name }) => name === 'worker')
    expect(children).toHaveLength(3 + 3)
    await runtime.close()
  })

  it('cancels a child whose deadline is over', async () => {
    const endless = defineAgent({
      name: 'endless',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.sleep('long', '7d')
        return done()
      },
    })
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({ why: '' }),
      async turn(ctx, state) {
        const child = await ctx.spawn('slow', endless, null as never, { deadline: 30 })
        const why = await ctx.join(child).catch((error: unknown) => (error as Error).message)
        state.why = String(why)
        return done(child.run)
      },
    })
    const runtime = await testDevice([parent, endless], { clock: hastyClock }).open()
    const run = await handleOf<{ why: string }>(runtime, await runtime.start('parent', null, {}))
    const child = await handleOf(runtime, String(await run.result()))
    await child.until(({ status }) => status === 'cancelled')
    expect(run.view()?.state.why).toContain('its deadline is over')
  })

  it('comes to the same end when its parent is killed after any entry', async () => {
    await crashEverywhere(() => orchestrator(3), undefined, [worker])
  })

  it('children of one name in two branches are joined by their parent', async () => {
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const children = await ctx.map('each', [1, 2], { key: String }, (c, n) =>
          c.spawn('w'.repeat(200), worker, { n }),
        )
        let sum = 0
        for (const child of children) sum += await ctx.join(child)
        return done(sum)
      },
    })
    const runtime = await testDevice([parent, worker]).open()
    const run = await handleOf(runtime, await runtime.start('parent', null, {}))
    expect(await run.result()).toBe(5)
    await runtime.close()
  })

  it('a child that cannot be started fails where it was spawned', async () => {
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        return done(
          await ctx.spawn('w', worker, { n: 1 }).catch((error: unknown) => (error as { code: string }).code),
        )
      },
    })
    const runtime = await testDevice([parent]).open()
    const run = await handleOf(runtime, await runtime.start('parent', null, {}))
    expect(await run.result()).toBe('agent_unknown')
    await runtime.close()
  })

  it('a child is started anew a limited number of times, whatever its record says', async () => {
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const child = await ctx.spawn('w', worker, { n: 2 }, { attempts: 101 })
        return done(await ctx.join(child))
      },
    })
    const runtime = await testDevice([parent, worker]).open()
    const run = await handleOf(runtime, await runtime.start('parent', null))
    const { pause } = await run.until(({ status }) => status === 'paused')
    expect(pause?.error).toMatchObject({ code: 'input_refused', path: '0/w' })
    expect(await runtime.runs()).toHaveLength(1)
    await runtime.close()

    // One that was recorded otherwise, as a device may have written it.
    const digest = 'c'.repeat(64) as Digest
    const spawn = { path: '0/w', child: 'child-1' as RunId, agent: 'worker', given: { n: 2 }, attempts: 1e9 }
    const records = [{ kind: 'spawn', body: spawn, time: 0, digest, owner: edgeOwner, inert: false }] as const
    const begun = { origin: digest, config: digest, state: {}, effects: [], began: 0 }
    const turn = { run: 'run' as RunId, turn: 0, records, ...begun }
    let starts = 0
    const children = {
      start: () => Promise.resolve(void (starts += 1)),
      end: () => Promise.resolve({ status: 'failed', reason: 'as ever' } as const),
      cancel: () => Promise.resolve(),
    }
    const append = (drafts: readonly EntryDraft[]): Promise<never> =>
      Promise.reject(new Error(`it has recorded ${drafts.map(({ kind }) => kind).join()}`))
    const ports = { ...effectsOff(testClock, 'edge'), children, append }
    expect(await new Attempt(parent, turn, ports).run()).toMatchObject({
      type: 'lost',
      error: new Error('it has recorded join'),
    })
    expect(starts).toBe(100)
  })

  it('a child that another device has started is not started anew, whether the edge answers or not', async () => {
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const child = await ctx.spawn('w', worker, { n: 2 })
        return done(await ctx.join(child))
      },
    })
    const laptop = testDevice([parent, worker])
    const before = await laptop.open()
    const first = await handleOf(before, await before.start('parent', null, { id: 'parent' }))
    await first.result()
    await before.close()
    const spawned = first.entries().findIndex(({ kind }) => kind === 'spawn')
    const lines = (await laptop.store.read('parent' as never, 0)).slice(0, spawned + 1)

    let isConnected = false
    let answers = 0
    const edge = memoryEdge({ clock: hastyClock })
    const pull: typeof edge.remote.pull = async (...args) => {
      if (args[0] === 'parent') return edge.remote.pull(...args)
      if (!isConnected) throw new WaystoneError('unreachable', 'no network')
      answers += 1
      return edge.remote.pull(...args)
    }
    await edge.remote.push('parent' as RunId, { base: undefined, lines })
    const phone = testDevice([parent, worker], {
      name: 'phone',
      clock: hastyClock,
      edge: { ...edge, remote: { ...edge.remote, pull } },
    })
    const runtime = await phone.open()
    const run = await handleOf(runtime, 'parent')
    await runtime.move('parent' as RunId, 'here', { force: true })
    const looksAgain = () =>
      run.until(({ live }) => live.calls.some(({ kind, waits }) => kind === 'join' && waits?.for === 'time'))
    await looksAgain()
    const spawn = first.entries()[spawned]
    const child = spawn?.kind === 'spawn' ? spawn.body.child : ('' as RunId)
    expect(await phone.store.head(child)).toBeUndefined()
    isConnected = true
    for (const asked of [1, 2]) {
      await looksAgain()
      await run.send('anything', null)
      while (answers < asked) await testClock.task()
    }
    // The edge knows nothing of it, and the device that has it is away.
    expect(await phone.store.head(child)).toBeUndefined()
    const synced = await laptop.store.read(child, 0)
    await edge.remote.push(child, { base: undefined, lines: synced })
    await looksAgain()
    await run.send('anything', null)
    expect(await run.result()).toBe(4)
    expect(await phone.store.read(child, 0)).toEqual(synced)
    await runtime.close()
  })

  it('a child that was begun here and elsewhere is the one of the edge; what was written here is set aside', async () => {
    const parent = defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        return done(await ctx.join(await ctx.spawn('w', patient, null as never)))
      },
    })
    const agents = [parent, patient]
    const joins = (run: RunHandle) =>
      run.until(({ live }) => live.calls.some(({ kind, waits }) => kind === 'join' && waits?.for === 'child'))
    const laptop = testDevice(agents)
    const offline = await laptop.open()
    const first = await handleOf(offline, await offline.start('parent', null, { id: 'parent' }))
    await joins(first)
    await offline.close()
    const spawn = first.entries().find(({ kind }) => kind === 'spawn')
    const child = spawn?.kind === 'spawn' ? spawn.body.child : ('' as RunId)
    const written = await laptop.store.read(child, 0)

    // The edge has heard of the beginning only, and somebody goes on with that on another device.
    const edge = memoryEdge({ clock: hastyClock })
    const lines = (await laptop.store.read('parent' as RunId, 0)).slice(0, 1)
    await edge.remote.push('parent' as RunId, { base: undefined, lines })
    const phone = testDevice(agents, { name: 'phone', clock: hastyClock, edge })
    const there = await phone.open()
    await there.move('parent' as RunId, 'here', { force: true })
    await joins(await handleOf(there, 'parent'))
    const theirs = await handleOf(there, child)
    await theirs.until(({ head, sync }) => sync.synced?.seq === head.seq)

    const online = await testDevice(agents, { storage: laptop, clock: hastyClock, edge }).open()
    const mine = await handleOf(online, child)
    await mine.until(({ head }) => head.digest === theirs.view()?.head.digest)
    expect((await laptop.tails.list(child)).map((tail) => tail.lines)).toEqual([written])
    await online.close()
    await there.close()
  })
})

/** Waits for what never comes. */
const patient = defineAgent({
  name: 'patient',
  version: 1,
  inbox: { go: anything() },
  initial: () => ({}),
  async turn(ctx) {
    await ctx.receive('go')
    return done()
  },
})

/** Starts one that waits, and one of its own kind while `depth` says so; then ends as it is told. */
const family = defineAgent({
  name: 'family',
  version: 1,
  inbox: { end: anything() },
  initial: (input: { readonly depth: number }) => input,
  async turn(ctx, { depth }) {
    await ctx.spawn('waits', patient, null as never)
    if (depth > 0) await ctx.spawn('inner', inner(), { depth: depth - 1 })
    const how = await ctx.receive('end')
    return how === 'fail' ? fail('as it was told') : done()
  },
})
function inner(): typeof family {
  return family
}

describe('the children of a run that ends', () => {
  const ends = [
    { how: 'is cancelled', end: (run: RunHandle) => run.cancel('enough'), says: 'was cancelled' },
    { how: 'fails', end: (run: RunHandle) => run.send('end', 'fail'), says: 'is failed' },
    { how: 'is done', end: (run: RunHandle) => run.send('end', 'done'), says: 'is done' },
  ]
  it.each(ends)('are cancelled when it $how, and so are theirs', async ({ end, says }) => {
    const runtime = await testDevice([family, patient]).open()
    const run = await handleOf(runtime, await runtime.start('family', { depth: 2 }, { id: 'ana.family' }))
    const four = async () => {
      const waiting = (await runtime.runs()).filter(
        ({ agent, status }) => agent === 'patient' && status === 'waiting',
      )
      return waiting.length === 3
    }
    await untilTrue(runtime, four)
    await end(run)
    await untilTrue(runtime, async () => (await runtime.runs()).every(({ status }) => isEnded({ status })))
    const children = (await runtime.runs()).filter(({ run: id }) => id !== 'ana.family')
    expect(children.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'cancelled'))
    const [entry] = (await handleOf(runtime, 'ana.family')).entries()
    expect(entry?.kind).toBe('start')
    for (const child of children) {
      const first = (await handleOf(runtime, child.run)).entries()
      const [start, cancel] = [first.at(0), first.at(-1)]
      const parent = start?.kind === 'start' ? start.body.parent : undefined
      expect(child.run.startsWith('ana.')).toBe(true)
      const parentSays = parent === 'ana.family' ? says : 'was cancelled'
      expect(cancel).toMatchObject({
        kind: 'cancel',
        body: { reason: `its parent, run ${String(parent)}, ${parentSays}` },
      })
    }
    await runtime.close()
  })

  it('are cancelled by the next host when the one before was killed right after the end', async () => {
    const laptop = testDevice([family, patient])
    const before = await laptop.open()
    const run = await handleOf(before, await before.start('family', { depth: 0 }, { id: 'ana.family' }))
    await run.until(({ live }) => live.calls.some(({ kind, waits }) => kind === 'receive' && waits))
    const child = (await before.runs()).find(({ agent }) => agent === 'patient')?.run as RunId
    await before.close()
    const log = await RunLog.open('ana.family' as RunId, { ...laptop, now: () => Date.now() })
    await log.append(log.mustFold().owner, () => [
      { kind: 'cancel', body: { id: 'c', by: 'ana', reason: '' } },
    ])
    const after = await laptop.open()
    await (await handleOf(after, child)).until(({ status }) => status === 'cancelled')
    await after.close()
  })

  it('are cancelled anew when their end was damaged here, and somebody opens them', async () => {
    const laptop = testDevice([family, patient])
    const before = await laptop.open()
    const run = await handleOf(before, await before.start('family', { depth: 0 }, {}))
    await run.send('end', 'done')
    await untilTrue(before, async () => (await before.runs()).filter(isEnded).length === 2)
    const child = (await before.runs()).find(({ agent }) => agent === 'patient')?.run as RunId
    await before.close()
    damage(laptop, (line) => parseLine(line).run === child && parseLine(line).kind === 'cancel', {
      of: child,
    })
    const after = await laptop.open()
    const opened = await handleOf(after, child)
    await opened.until(({ status }) => status === 'cancelled')
    expect(opened.entries().map(({ kind }) => kind)).toContain('pause')
    await after.close()
  })

  it('leaves alone what is no child of it', async () => {
    const runtime = await testDevice([family, patient]).open()
    const other = await handleOf(runtime, await runtime.start('patient', null, { id: 'ana.other' }))
    const run = await handleOf(runtime, await runtime.start('family', { depth: 0 }, {}))
    const child = async () => (await runtime.runs()).filter(({ agent }) => agent === 'patient').length === 2
    await untilTrue(runtime, child)
    await run.cancel('enough')
    await untilTrue(runtime, async () => (await runtime.runs()).filter(isEnded).length === 2)
    await other.send('go', null)
    await other.until(({ status }) => status === 'done')
    await runtime.close()
  })
})

describe('the place of a child', () => {
  const parent = (at: 'edge' | 'browser') =>
    defineAgent({
      name: 'parent',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const child = await ctx.spawn('waits', patient, null as never, { at })
        await ctx.join(child)
        return done()
      },
    })

  it('is the edge, when it is to be: it is moved there, also when the first try finds no network', async () => {
    const edge = memoryEdge({ clock: hastyClock, agents: [patient] })
    let claims = 0
    const claim: typeof edge.remote.claim = async (...args) => {
      claims += 1
      if (claims === 1) throw new WaystoneError('unreachable', 'no network')
      return edge.remote.claim(...args)
    }
    const runtime = await testDevice([parent('edge'), patient], {
      clock: hastyClock,
      edge: { ...edge, remote: { ...edge.remote, claim } },
    }).open()
    await runtime.start('parent', null, {})
    const moved = async () =>
      (await runtime.runs()).some(({ agent, owner }) => agent === 'patient' && owner === edgeOwner)
    await untilTrue(runtime, moved)
    expect(claims).toBe(2)
    await runtime.close()
  })

  it('stays the browser, where it goes on, when the edge cannot run it', async () => {
    const edge = memoryEdge({ clock: hastyClock })
    const runtime = await testDevice([parent('edge'), patient], { clock: hastyClock, edge }).open()
    const run = await handleOf(runtime, await runtime.start('parent', null, {}))
    await run.until(({ live }) => live.calls.some(({ waits }) => waits?.for === 'child'))
    const child = (await runtime.runs()).find(({ agent }) => agent === 'patient')?.run ?? ''
    expect(await runtime.blockers(child as RunId, 'edge')).toHaveLength(1)
    await (await handleOf(runtime, child)).send('go', null)
    expect(await run.result()).toBeUndefined()
    await runtime.close()
  })

  it('is refused where it was spawned when it is none', async () => {
    const runtime = await testDevice([parent('nowhere' as never), patient]).open()
    const run = await handleOf(runtime, await runtime.start('parent', null, {}))
    await run.until(({ status }) => status === 'paused')
    expect(run.view()?.pause?.error).toMatchObject({ code: 'input_refused', path: '0/waits' })
    expect(await runtime.runs()).toHaveLength(1)
    await runtime.close()
  })

  it('is waited for at the edge when it is to be a browser', async () => {
    const turn = {
      run: 'run' as RunId,
      turn: 0,
      origin: 'a'.repeat(64) as Digest,
      config: 'b'.repeat(64) as Digest,
      state: {},
      records: [],
      effects: [],
      began: 0,
    }
    const never = (): Promise<never> => Promise.reject(new Error('it was asked for a child'))
    const children = { start: never, end: never, cancel: never }
    const attempt = new Attempt(parent('browser'), turn, { ...effectsOff(testClock, 'edge'), children })
    void attempt.run()
    while (attempt.waits() === undefined) await testClock.task()
    expect(attempt.waits()).toEqual([{ for: 'place', need: 'children', at: 'browser' }])
    attempt.giveUp()
  })
})

/** A schema that takes whatever comes. */
function anything() {
  return {
    '~standard': { version: 1, vendor: 'waystone', validate: (value: unknown) => ({ value }) },
  } as const
}

/** Looks whenever the runs of a device have changed. */
async function untilTrue(runtime: Runtime, look: () => Promise<boolean>): Promise<void> {
  const waker = new Waker()
  const watcher = await runtime.watchRuns(() => waker.wake())
  for (;;) {
    const changed = waker.next()
    if (await look()) break
    await changed
  }
  await runtime.unwatch(watcher)
}
