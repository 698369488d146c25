import { describe, expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import { defineAgent, done, next } from '../engine/agent.ts'
import { memoryEdge } from './memory-edge.test-support.ts'
import { handleOf, hastyClock, testClock, testDevice } from './memory-world.test-support.ts'

const counter = defineAgent({
  name: 'counter',
  version: 1,
  initial: (input: { upTo: number }) => ({ ...input, count: 0, seen: [] as number[] }),
  async turn(ctx, state) {
    const add = await ctx.step('add', () => 1)
    state.count += add
    state.seen.push(ctx.turn)
    return state.count < state.upTo ? next() : done({ total: state.count })
  },
})

describe('a run in memory', () => {
  it('goes from its start to its result, turn by turn', async () => {
    const device = testDevice([counter])
    const runtime = await device.open()
    const id = await runtime.start('counter', { upTo: 3 })
    const run = await handleOf(runtime, id)
    expect(await run.result()).toEqual({ total: 3 })
    expect(run.view()?.state).toEqual({ upTo: 3, count: 3, seen: [0, 1, 2] })
    expect(run.entries().map(({ kind }) => kind)).toEqual([
      'start',
      'turn',
      'step',
      'commit',
      'turn',
      'step',
      'commit',
      'turn',
      'step',
      'commit',
    ])
    await runtime.close()
  })

  it('takes nothing that other hosts would refuse', async () => {
    const runtime = await testDevice([counter]).open()
    const run = await handleOf(runtime, await runtime.start('counter', { upTo: 1 }))
    await expect(run.decide('not a digest', { type: 'again' })).rejects.toMatchObject({
      code: 'input_refused',
    })
    await expect(run.send('note', 'x'.repeat(70_000))).rejects.toMatchObject({ code: 'too_large' })
    // Three bytes each: no edge would take it, should the run move.
    await expect(run.send('note', '語'.repeat(25_000))).rejects.toMatchObject({ code: 'too_large' })
    for (const options of [{ leaseMs: 0.5 }, { leaseMs: -1 }, { whenGone: 'nobody' as never }]) {
      const started = runtime.start('counter', { upTo: 1 }, options)
      await expect(started).rejects.toMatchObject({ code: 'input_refused' })
    }
    await run.result()
    await runtime.close()
  })

  it('records an error whose message is no text', async () => {
    const agent = defineAgent({
      name: 'thrower',
      version: 1,
      initial: () => ({}),
      turn: async (ctx) =>
        done(
          await ctx
            .step('fail', { attempts: 1 }, () => {
              throw Object.assign(new Error('no'), { message: { why: 'quota' } })
            })
            .catch((error: unknown) => (error as Error).message),
        ),
    })
    const runtime = await testDevice([agent]).open()
    const run = await handleOf(runtime, await runtime.start('thrower', null))
    expect(await run.result()).toBe('[object Object]')
    await runtime.close()
  })

  it('goes on after its host was closed in the middle of a step, and runs no recorded step again', async () => {
    const ran: string[] = []
    let release: () => void = () => undefined
    const agent = defineAgent({
      name: 'two-steps',
      version: 1,
      initial: () => ({ done: [] as string[] }),
      async turn(ctx, state) {
        const first = await ctx.step('first', () => (ran.push('first'), 'a'))
        const second = await ctx.step('second', async () => {
          ran.push('second')
          await new Promise<void>((resolve) => (release = resolve))
          return 'b'
        })
        state.done.push(first, second)
        return done(state.done.length)
      },
    })
    const device = testDevice([agent])
    const before = await device.open()
    const id = await before.start('two-steps', null)
    const watching = await handleOf(before, id)
    await watching.until(({ live }) => live.calls.some(({ path }) => path === '0/second'))
    await before.close()
    release()

    const after = await device.open()
    const run = await handleOf(after, id)
    await run.until(({ live }) => live.calls.some(({ path }) => path === '0/second'))
    release()
    expect(await run.result()).toBe(2)
    expect(ran).toEqual(['first', 'second', 'second'])
    expect(run.view()?.term).toBe(2)
    await after.close()
  })

  it('asks, waits, and records the first answer only', async () => {
    const agent = defineAgent({
      name: 'asker',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        const answer = await ctx.ask<string>('which', { question: 'Which?' })
        return done(answer.status === 'answered' ? answer.value : 'nobody')
      },
    })
    const device = testDevice([agent])
    const runtime = await device.open()
    const run = await handleOf(runtime, await runtime.start('asker', null))
    const view = await run.until(({ asks, status }) => asks.length === 1 && status === 'waiting')
    const ask = view.asks[0]?.ask ?? ''
    const both = await Promise.allSettled([run.answer(ask, 'one'), run.answer(ask, 'two')])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(await run.result()).toBe('one')
    await runtime.close()
  })

  it('syncs to the edge, and another device follows', async () => {
    const edge = memoryEdge({ clock: testClock, agents: [counter] })
    const laptop = await testDevice([counter], { edge }).open()
    const phone = await testDevice([counter], { edge, name: 'phone' }).open()
    const id = await laptop.start('counter', { upTo: 4 })
    const run = await handleOf(laptop, id)
    await run.result()
    await run.synced()
    const there = await handleOf(phone, id)
    expect(await there.result()).toEqual({ total: 4 })
    await laptop.close()
    await phone.close()
  })

  it('a retry runs a failed step again, also when its error was wrapped', async () => {
    for (const wrap of [
      (cause: unknown) => new Error('a library wrapped it', { cause }),
      (cause: unknown) => new AggregateError([new Error('another'), cause]),
    ]) {
      let broken = true
      const agent = defineAgent({
        name: 'wrapper',
        version: 1,
        initial: () => ({}),
        async turn(ctx) {
          try {
            return done(
              await ctx.step('x', { attempts: 1 }, () => {
                if (broken) throw new Error('down')
                return 'up'
              }),
            )
          } catch (cause) {
            throw wrap(cause)
          }
        },
      })
      const runtime = await testDevice([agent]).open()
      const run = await handleOf(runtime, await runtime.start('wrapper', null, {}))
      await run.until(({ status }) => status === 'paused')
      broken = false
      await run.retry()
      expect(await run.result()).toBe('up')
      await runtime.close()
    }
  })

  it('an interrupt ends a turn that does not catch it, keeps its state, and pauses once', async () => {
    const agent = defineAgent({
      name: 'writer',
      version: 1,
      initial: () => ({ texts: [] as string[] }),
      async turn(ctx, state) {
        state.texts.push(await ctx.step('first', () => 'kept'))
        await ctx.step(
          'long',
          ({ signal }) =>
            new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
        )
        return done()
      },
    })
    const device = testDevice([agent])
    const runtime = await device.open()
    const run = await handleOf<{ texts: string[] }>(runtime, await runtime.start('writer', null))
    await run.until(({ live }) => live.calls.some(({ path }) => path === '0/long'))
    await run.interrupt()
    const view = await run.until(({ status }) => status === 'paused')
    expect(view.pause?.reason).toBe('interrupted')
    expect(view.state.texts).toEqual(['kept'])
    expect(run.entries().filter(({ kind }) => kind === 'pause')).toHaveLength(1)
    await run.retry()
    await run.until(({ turn, live }) => turn === 1 && live.calls.some(({ path }) => path === '1/long'))
    await run.cancel('enough')
    expect((await run.until(({ status }) => status === 'cancelled')).reason).toBe('enough')
    await runtime.close()
  })

  it('an interrupt pauses the run also when the turn had nothing more to call', async () => {
    const agent = defineAgent({
      name: 'polite',
      version: 1,
      initial: () => ({ got: '' }),
      async turn(ctx, state) {
        state.got = await ctx.step(
          'listen',
          ({ signal }) =>
            new Promise<string>((resolve) =>
              signal.addEventListener('abort', () => resolve('as far as I was')),
            ),
        )
        return next()
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await handleOf(runtime, await runtime.start('polite', null, {}))
    await run.until(({ live }) => live.calls.some(({ path }) => path === '0/listen'))
    await run.interrupt()
    const view = await run.until(({ status }) => status === 'paused')
    expect(view.pause?.reason).toBe('interrupted')
    expect(view.state).toEqual({ got: 'as far as I was' })
    expect(view.turn).toBe(1)
    await runtime.close()
  })

  it('an interrupt that the turn catches keeps what the turn made of it', async () => {
    const agent = defineAgent({
      name: 'patient',
      version: 1,
      initial: () => ({ caught: '' }),
      async turn(ctx, state) {
        let [code, told] = ['none', 'nothing']
        ctx.signal.addEventListener('abort', () => (told = (ctx.signal.reason as WaystoneError).code))
        try {
          await ctx.ask('never', { question: 'Will anybody answer?' })
        } catch (error) {
          code = error instanceof WaystoneError ? error.code : 'another'
        }
        state.caught = `${code} ${told}`
        return done(code)
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await handleOf(runtime, await runtime.start('patient', null))
    await run.until(({ asks }) => asks.length === 1)
    await run.interrupt()
    expect(await run.result()).toBe('interrupted')
    expect(run.view()?.state).toEqual({ caught: 'interrupted interrupted' })
    await runtime.close()
  })

  it('a step that failed pauses the run, and a retry runs it again and nothing else', async () => {
    const ran: string[] = []
    const agent = defineAgent({
      name: 'flaky',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.step('before', () => void ran.push('before'))
        await ctx.step('fails', { attempts: 2, backoff: 1 }, () => {
          ran.push('fails')
          if (ran.length < 4) throw new Error('not yet')
        })
        return done('fine')
      },
    })
    const runtime = await testDevice([agent]).open()
    const run = await handleOf(runtime, await runtime.start('flaky', null))
    const view = await run.until(({ status }) => status === 'paused')
    expect(view.error?.message).toBe('not yet')
    await run.retry()
    expect(await run.result()).toBe('fine')
    expect(ran).toEqual(['before', 'fails', 'fails', 'fails'])
    await runtime.close()
  })

  it('a fork begins in the middle of a turn, asks before it repeats an effect, and leaves its source as it was', async () => {
    const paid: string[] = []
    const agent = defineAgent({
      name: 'payer',
      version: 1,
      initial: () => ({ receipt: '' }),
      async turn(ctx, state) {
        const amount = await ctx.step('amount', () => 5)
        const receipt = await ctx.once('pay', { timeout: 50 }, ({ idempotencyKey }) => {
          paid.push(idempotencyKey)
          return `paid ${String(amount)}`
        })
        state.receipt = receipt
        return done(receipt)
      },
    })
    const device = testDevice([agent])
    const runtime = await device.open()
    const source = await handleOf(runtime, await runtime.start('payer', null, { id: 'source' }))
    await source.result()
    const lines = await device.store.read('source' as never, 0)

    const fork = await handleOf(runtime, await source.fork({ seq: 2 }))
    const paused = await fork.until(({ status }) => status === 'paused')
    expect(paused.pause?.reason).toBe('outcome')
    const start = (paused.error?.details as { start: string } | undefined)?.start ?? ''
    await fork.decide(start, { type: 'done', value: 'paid elsewhere' })
    expect(await fork.result()).toBe('paid elsewhere')
    expect(paid).toHaveLength(1)

    const again = await handleOf(runtime, await source.fork({ seq: 2 }))
    await again.until(({ status }) => status === 'paused')
    await again.decide(start, { type: 'again' })
    expect(await again.result()).toBe('paid 5')
    // Another run's payment is another payment.
    expect(new Set(paid).size).toBe(2)
    expect(await device.store.read('source' as never, 0)).toEqual(lines)
    await runtime.close()
  })

  it('two hosts of one store that both believe to be the writer: one goes on, each step runs once', async () => {
    const ran: string[] = []
    const agent = defineAgent({
      name: 'once-each',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        for (const name of ['a', 'b', 'c']) await ctx.step(name, () => void ran.push(name))
        return done('end')
      },
    })
    // No locks at all, and a clock that stands still: whatever keeps them apart is the log.
    const clock = { ...testClock, now: () => 1_000 }
    const device = testDevice([agent], {
      clock,
      locks: { acquire: async () => ({ release: () => undefined }) },
    })
    const hosts = await Promise.all([device.open(), device.open()])
    await Promise.all(hosts.map((host) => host.start('once-each', null, { id: 'same' })))
    const runs = await Promise.all(hosts.map((host) => handleOf(host, 'same')))
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(['end', 'end'])
    const steps = runs[0]?.entries().filter(({ kind }) => kind === 'step')
    expect(steps).toHaveLength(3)
    expect(runs[0]?.entries().filter(({ kind }) => kind === 'start')).toHaveLength(1)
    // Without it the second host would seal the bytes of the first, and be told that they are stored.
    const nonces =
      runs[0]
        ?.entries()
        .flatMap(({ kind, body }) => (kind === 'start' || kind === 'open' ? [body.nonce] : [])) ?? []
    expect(nonces.length).toBeGreaterThan(1)
    expect(new Set(nonces).size).toBe(nonces.length)
    for (const host of hosts) await host.close()
  })

  it('a message that the owner took, and had no use for yet, goes with the run to its new owner', async () => {
    const agent = defineAgent({
      name: 'listener',
      version: 1,
      inbox: {
        hint: { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } },
      },
      initial: () => ({}),
      async turn(ctx) {
        const answer = await ctx.ask<string>('first', { question: 'First?' })
        const hint = await ctx.receive('hint')
        return done([answer.status, hint])
      },
    })
    const edge = memoryEdge({ clock: testClock, agents: [agent] })
    const laptop = await testDevice([agent], { edge }).open()
    const phone = await testDevice([agent], { edge, name: 'phone' }).open()
    const here = await handleOf(laptop, await laptop.start('listener', null))
    await here.until(({ asks, status }) => asks.length === 1 && status === 'waiting')
    await here.send('hint', 'look there', { id: 'the-hint' })
    await here.move('edge')
    const there = await handleOf(phone, here.id)
    await there.until(({ owner }) => owner === 'edge')
    await there.move('here')
    const view = await there.until(({ asks, status }) => asks.length === 1 && status === 'waiting')
    await there.answer(view.asks[0]?.ask ?? '', 'yes')
    expect(await there.result()).toEqual(['answered', 'look there'])
    await laptop.close()
    await phone.close()
  })

  it('a turn is not begun by a retry that came just before the host was told to hold', async () => {
    const ran: string[] = []
    const agent = defineAgent({
      name: 'held',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.step('act', { attempts: 1 }, () => {
          ran.push('act')
          if (ran.length === 1) throw new Error('not yet')
        })
        return done('end')
      },
    })
    const edge = memoryEdge({ clock: testClock, agents: [agent] })
    const runtime = await testDevice([agent], { edge }).open()
    const run = await handleOf(runtime, await runtime.start('held', null))
    await run.until(({ status, sync, head }) => status === 'paused' && sync.synced?.seq === head.seq)
    await Promise.all([run.retry(), run.move('edge')])
    await run.until(({ owner }) => owner === 'edge')
    const claim = run.entries().findIndex(({ kind }) => kind === 'claim')
    expect(run.entries().slice(claim + 1)).toEqual([])
    await runtime.close()
  })

  it('an answer of the edge that is lost once delays an effect, and does not strand it', async () => {
    const agent = defineAgent({
      name: 'payer',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        return done(await ctx.once('pay', { timeout: '30s' }, () => 'paid'))
      },
    })
    const { remote, blobs } = memoryEdge({ clock: testClock, agents: [agent] })
    let pulls = 0
    const losing = {
      ...remote,
      pull: (...args: Parameters<typeof remote.pull>) => {
        pulls += 1
        if (pulls === 1) return Promise.reject(new WaystoneError('unreachable', 'lost'))
        return remote.pull(...args)
      },
    }
    const runtime = await testDevice([agent], { edge: { remote: losing, blobs } }).open()
    const run = await handleOf(runtime, await runtime.start('payer', null))
    expect(await run.result()).toBe('paid')
    await runtime.close()
  })

  it('an effect whose policy is to retry is not started for ever', async () => {
    let starts = 0
    const agent = defineAgent({
      name: 'stubborn',
      version: 1,
      initial: () => ({}),
      async turn(ctx) {
        await ctx.once(
          'pay',
          { timeout: '30s', onUnknown: 'retry', verify: () => Promise.reject(new Error('no answer')) },
          () => {
            starts += 1
            throw new Error('no network')
          },
        )
        return done()
      },
    })
    const runtime = await testDevice([agent], { clock: hastyClock }).open()
    const run = await handleOf(runtime, await runtime.start('stubborn', null))
    const view = await run.until(({ status }) => status === 'paused')
    expect(view.pause?.reason).toBe('outcome')
    expect(starts).toBe(5)
    await runtime.close()
  })
})
